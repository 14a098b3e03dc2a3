import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from data.errors import EncoderMismatchError, InputError, KnowledgeBaseError, QuestionError
from data.types import QAGroup, nearest_cosine
from index.building import build_knowledge_base, rebuild_knowledge_base
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.knowledge_base import KnowledgeBase, open_knowledge_base
from index.manifest import read_manifest
from index.retriever import Retriever, RetrieverSettings
from tests.privileges import unprivileged


def test_hits_are_groups_not_rows(base_of, groups: tuple[QAGroup, ...]) -> None:
    hits = Retriever(base_of(groups)).search("벽지가 왜 들뜨나요?", top_k=5)
    assert [hit.group.id for hit in hits] == ["g1", *[hit.group.id for hit in hits[1:]]]
    assert len({hit.group.id for hit in hits}) == len(hits) == 3
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[0].score == pytest.approx(1, abs=1e-5)
    assert all(-1 <= hit.score <= 1 for hit in hits)


def test_the_matched_wording_and_the_medoid_come_with_the_hit(base_of, groups: tuple[QAGroup, ...]) -> None:
    hit = Retriever(base_of(groups)).search("벽지 들뜸 이유 알려줘")[0]
    assert hit.question == groups[0].questions[1]
    assert hit.answer in groups[0].answers
    first = Retriever(base_of(groups, "b"), RetrieverSettings(example="first")).search("벽지 들뜸 이유 알려줘")[0]
    assert first.answer == groups[0].answers[0]


def test_many_questions_give_what_each_gives_alone(base_of, groups: tuple[QAGroup, ...]) -> None:
    retriever = Retriever(base_of(groups))
    questions = ["몰딩 틈", "곰팡이 제거", "들뜸"]
    assert retriever.search_many(questions) == [retriever.search(question) for question in questions]
    assert retriever.search_many([]) == []


def test_an_unaskable_question_is_refused(base_of, groups: tuple[QAGroup, ...]) -> None:
    with pytest.raises(QuestionError):
        Retriever(base_of(groups)).search("?!")


def test_each_distinct_question_is_encoded_once(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    encoder = HashEncoder()
    repeated = replace(groups[2], questions=(*groups[2].questions, groups[1].questions[0]))
    build_knowledge_base(tmp_path / "kb", (groups[0], groups[1], repeated), encoder)
    assert len(encoder.texts_encoded) == len(set(encoder.texts_encoded))
    before = len(encoder.texts_encoded)
    build_knowledge_base(tmp_path / "kb", groups, encoder)
    assert len(encoder.texts_encoded) == before


def test_building_again_keeps_the_previous_base(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    encoder = HashEncoder()
    build_knowledge_base(tmp_path / "kb", groups, encoder)
    assert build_knowledge_base(tmp_path / "kb", groups[:1], encoder).revision == 2
    assert open_knowledge_base(tmp_path / "kb", encoder).manifest.groups == 1
    assert open_knowledge_base(tmp_path / "kb.previous", encoder).manifest.groups == 3
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".kb.lock")) == [
        "kb",
        "kb.previous",
    ]


def test_edits_kept_from_the_build_before_are_not_deleted_without_a_word(
    tmp_path: Path, groups: tuple[QAGroup, ...]
) -> None:
    encoder = HashEncoder()
    build_knowledge_base(tmp_path / "kb", groups, encoder)
    Editor(tmp_path / "kb", encoder).remove([groups[0].id])
    build_knowledge_base(tmp_path / "kb", groups, encoder)
    with pytest.raises(InputError, match=r"kb\.previous: keeps 1 edits .* move it elsewhere or remove it"):
        build_knowledge_base(tmp_path / "kb", groups, encoder)
    assert open_knowledge_base(tmp_path / "kb.previous", encoder).store.state().groups == len(groups) - 1
    shutil.rmtree(tmp_path / "kb.previous")
    build_knowledge_base(tmp_path / "kb", groups, encoder)


def test_a_build_that_fails_leaves_everything_as_it_was(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    encoder = HashEncoder()
    build_knowledge_base(tmp_path / "kb", groups, encoder)

    def content() -> dict[Path, bytes]:
        # Every reader writes into SQLite's shared memory.
        files = [path for path in (tmp_path / "kb").rglob("*") if path.is_file() and not path.name.endswith("-shm")]
        return {path: path.read_bytes() for path in files}

    before = content()

    class Failing(HashEncoder):
        def encode_queries(self, texts):
            raise RuntimeError("power cut")

    failing = Failing(32)
    with pytest.raises(RuntimeError):
        build_knowledge_base(tmp_path / "kb", groups[:1], failing)
    assert content() == before
    assert [path.name for path in tmp_path.iterdir() if "building" in path.name] == []


def test_a_directory_of_other_files_is_not_overwritten(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="other files"):
        build_knowledge_base(tmp_path, groups, HashEncoder())
    with pytest.raises(InputError, match="is a file"):
        build_knowledge_base(tmp_path / "photo.jpg", groups, HashEncoder())
    with pytest.raises(InputError, match="no group"):
        build_knowledge_base(tmp_path / "kb", (), HashEncoder())


def test_a_second_writer_is_told_to_wait(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    with FileLock(tmp_path / ".kb.lock"), pytest.raises(KnowledgeBaseError, match="another process"):
        build_knowledge_base(tmp_path / "kb", groups, HashEncoder())


def test_another_encoder_is_named_and_rebuild_offered(base_of, groups: tuple[QAGroup, ...]) -> None:
    base = base_of(groups)
    other = HashEncoder(32)
    with pytest.raises(EncoderMismatchError, match="rebuild"):
        open_knowledge_base(base.path, other)
    assert rebuild_knowledge_base(base.path, other).dim == 32
    assert Retriever(open_knowledge_base(base.path, other)).search("곰팡이")[0].group.id == "g2"
    assert len([path for path in base.path.iterdir() if path.name.startswith("derived-")]) == 1


def _derived_files(base: KnowledgeBase) -> list[Path]:
    return [base.path / name for name in base.manifest.files]


def test_every_damaged_file_is_named_with_the_mend(base_of, groups: tuple[QAGroup, ...]) -> None:
    base = base_of(groups)
    for path in [*_derived_files(base), base.path / "manifest.json"]:
        good = path.read_bytes()
        middle = len(good) // 2
        for bad in (good[:middle], good[: middle - 1] + b"\xff" + good[middle:], b""):
            path.write_bytes(bad)
            with pytest.raises(KnowledgeBaseError, match=path.name) as caught:
                open_knowledge_base(base.path, base.encoder)
            assert "rebuild" in str(caught.value)
            assert "\n" not in str(caught.value)
        path.unlink()
        with pytest.raises(KnowledgeBaseError):
            open_knowledge_base(base.path, base.encoder)
        path.write_bytes(good)
    rebuild_knowledge_base(base.path, base.encoder)
    assert Retriever(open_knowledge_base(base.path, base.encoder)).search("곰팡이")


def test_a_damaged_store_is_noticed_before_a_wrong_answer(base_of, groups: tuple[QAGroup, ...]) -> None:
    base = base_of(groups)
    path = base.path / "groups.sqlite"
    good = path.read_bytes()
    changed = good.replace("곰팡이 제거제로".encode(), "곰팡이 제거제도".encode())
    assert changed != good
    for bad in (changed, good[: len(good) // 2], b"garbage", b""):
        path.write_bytes(bad)
        with pytest.raises(KnowledgeBaseError, match=r"groups\.sqlite"):
            Retriever(open_knowledge_base(base.path, base.encoder)).search("곰팡이는 무엇으로 닦나요?")
    path.unlink()
    with pytest.raises(KnowledgeBaseError, match="missing"):
        open_knowledge_base(base.path, base.encoder)


def test_building_again_goes_on_from_the_last_edit(base_of, groups: tuple[QAGroup, ...]) -> None:
    base: KnowledgeBase = base_of(groups)
    for number in range(3):
        Editor(base.path, base.encoder).add([replace(groups[0], id=f"n{number}")])
    assert build_knowledge_base(base.path, groups, base.encoder).revision == 5


def test_an_index_of_another_revision_is_noticed(base_of, groups: tuple[QAGroup, ...]) -> None:
    base = base_of(groups)
    with sqlite3.connect(base.path / "groups.sqlite") as connection:
        connection.execute("UPDATE meta SET value = '7' WHERE name = 'revision'")
    connection.close()
    with pytest.raises(KnowledgeBaseError, match="does not match its digest"):
        open_knowledge_base(base.path, base.encoder)


def test_an_index_newer_than_the_groups_is_noticed(base_of, groups: tuple[QAGroup, ...]) -> None:
    base = base_of(groups)
    before = (base.path / "groups.sqlite").read_bytes()
    Editor(base.path, base.encoder).remove(["g3"])
    Editor(base.path, base.encoder).compact()
    (base.path / "groups.sqlite").write_bytes(before)
    with pytest.raises(KnowledgeBaseError, match="revision 2, the groups of 1"):
        open_knowledge_base(base.path, base.encoder)


def test_an_index_of_another_build_is_noticed(base_of, groups: tuple[QAGroup, ...]) -> None:
    base, other = base_of(groups), base_of(groups, "other")
    shutil.copyfile(other.path / "groups.sqlite", base.path / "groups.sqlite")
    with pytest.raises(KnowledgeBaseError, match="another build"):
        open_knowledge_base(base.path, base.encoder)


def test_a_manifest_cannot_name_files_outside(base_of, groups: tuple[QAGroup, ...], tmp_path: Path) -> None:
    base = base_of(groups)
    (tmp_path / "secret").write_text("x")
    record = json.loads((base.path / "manifest.json").read_text("utf-8"))
    good = dict(record)
    for forged in (
        {"files": record["files"] | {"../secret": {"bytes": 1, "sha256": "0"}}},
        {"folder": "../other/derived-x"},
        {"folder": str(tmp_path)},
        {"files": {}},
    ):
        _sign(base.path, good | forged)
        with pytest.raises(KnowledgeBaseError, match=r"outside|not named"):
            open_knowledge_base(base.path, base.encoder)


def _sign(path: Path, record: dict) -> None:
    """Writes a manifest as an attacker would, with a digest that fits."""
    from index.manifest import _digest_of

    record = {name: value for name, value in record.items() if name != "sha256"}
    (path / "manifest.json").write_text(json.dumps(record | {"sha256": _digest_of(record)}), "utf-8")


def test_a_threshold_changed_by_hand_is_noticed(base_of, groups: tuple[QAGroup, ...]) -> None:
    base = base_of(groups)
    path = base.path / "manifest.json"
    record = json.loads(path.read_text("utf-8"))
    record["calibration"]["refuse_below"] = 0.001
    path.write_text(json.dumps(record), "utf-8")
    with pytest.raises(KnowledgeBaseError, match="digest mismatch"):
        open_knowledge_base(base.path, base.encoder)


def test_a_folder_that_only_bears_the_name_of_the_previous_base_is_kept(
    tmp_path: Path, groups: tuple[QAGroup, ...]
) -> None:
    build_knowledge_base(tmp_path / "kb", groups, HashEncoder())
    (tmp_path / "kb.previous").mkdir()
    (tmp_path / "kb.previous" / "diary.txt").write_text("x")
    with pytest.raises(InputError, match="other files"):
        build_knowledge_base(tmp_path / "kb", groups, HashEncoder())
    assert (tmp_path / "kb.previous" / "diary.txt").exists()


def test_a_base_that_lost_its_store_can_be_built_again(base_of, groups: tuple[QAGroup, ...]) -> None:
    base = base_of(groups)
    (base.path / "groups.sqlite").unlink()
    (base.path / "manifest.json").write_text("{")
    build_knowledge_base(base.path, groups, base.encoder)
    assert Retriever(open_knowledge_base(base.path, base.encoder)).search("곰팡이")


def test_a_base_behind_a_link_is_built_where_the_link_points(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for _ in range(2):
        build_knowledge_base(tmp_path / "link", groups, HashEncoder())
    assert (tmp_path / "link").is_symlink()
    assert open_knowledge_base(tmp_path / "link", HashEncoder()).manifest.revision == 2


def test_a_base_on_a_read_only_medium_opens(base_of, groups: tuple[QAGroup, ...]) -> None:
    base = base_of(groups)
    copy = base.path.with_name("copy")
    shutil.copytree(base.path, copy)
    for path in [*copy.rglob("*"), copy]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with unprivileged():
            with pytest.raises(PermissionError):
                (copy / "new").touch()
            assert Retriever(open_knowledge_base(copy, base.encoder)).search("몰딩")[0].group.id == "g3"
    finally:
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o755)


def test_nothing_on_disk_is_pickled(base_of, groups: tuple[QAGroup, ...]) -> None:
    base = base_of(groups)
    assert {path.suffix for path in _derived_files(base)} == {".faiss", ".npy", ".json"}
    for path in _derived_files(base):
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)


def test_no_base_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeBaseError, match="dobae index build"):
        read_manifest(tmp_path / "none")


@pytest.mark.integration
def test_starter_base_finds_misspelt_questions(starter_base: KnowledgeBase) -> None:
    retriever = Retriever(starter_base)
    for question, words in {
        "곰팽이 닥을때 락쓰 써두 댐?": "락스",
        "벽지 이음새가 벌어젓는데 왜이럼": "이음매",
        "석고보드 나사가 튀어나왓어여": "나사",
    }.items():
        hits = retriever.search(question)
        assert any(words in " ".join((*hit.group.questions, *hit.group.answers)) for hit in hits), question


@pytest.mark.integration
def test_starter_base_refuses_other_fields_and_keeps_its_own(starter_base: KnowledgeBase) -> None:
    retriever = Retriever(starter_base)
    threshold = starter_base.manifest.calibration.refuse_below
    foreign = [
        "라면 맛있게 끓이는 법",
        "내일 부산 날씨 어때?",
        "자바스크립트 배열 정렬",
        "이번 주 로또 번호",
        "강남역 맛집 추천",
    ]
    assert [q for q in foreign if nearest_cosine(retriever.search(q)) >= threshold] == []
    own = ["벽지가 우는데 그냥 두면 펴지나요?", "천장에 누런 얼룩이 생겼어요", "도배하고 창문 열어도 되나요?"]
    assert [q for q in own if nearest_cosine(retriever.search(q)) < threshold] == []
