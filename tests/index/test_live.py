import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import EncoderMismatchError, KnowledgeBaseError
from data.types import QAGroup
from index.building import build_knowledge_base, rebuild_knowledge_base
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.knowledge_base import open_knowledge_base
from index.live import LiveKnowledgeBase, open_live
from index.retriever import Retriever
from index.stopgap import open_stopgap
from tests.privileges import unprivileged

Groups = tuple[QAGroup, ...]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def truth(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.01)


def _damage(path: Path) -> None:
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2] + b"\xff" + good[len(good) // 2 + 1 :])


def _faiss_file(base: Path) -> Path:
    return next(base.rglob("*.faiss"))


@pytest.mark.parametrize("truth", ["sqlite"])
def test_a_base_built_again_is_taken_up_without_a_restart(base_of, groups: Groups) -> None:
    base = base_of(groups[:2])
    retriever = Retriever(base)
    build_knowledge_base(base.path, groups[2:], base.encoder)
    _until(lambda: [hit.group.id for hit in retriever.search("몰딩")] == ["g3"])
    Editor(base.path, base.encoder).add([groups[0]])
    assert {hit.group.id for hit in retriever.search("벽지")} == {"g1", "g3"}


def test_a_damaged_base_is_mended_and_says_so(base_of, groups: Groups) -> None:
    base = base_of(groups)
    _damage(_faiss_file(base.path))
    said: list[str] = []
    live = open_live(base.path, base.encoder, say=said.append, background=False)
    assert "questions.faiss: digest mismatch" in said[0]
    assert "made again" in said[0] or "making" in said[0]
    assert Retriever(live).search("곰팡이")[0].group.id == "g2"
    open_knowledge_base(base.path, base.encoder)


def test_exact_search_serves_while_files_are_made_again(
    base_of, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index import live as module

    base = base_of(groups)
    Editor(base.path, base.encoder).add([replace(groups[0], id="late", questions=("장판이 떠요",))])
    for name in ("manifest.json", _faiss_file(base.path)):
        _damage(base.path / name)
    gate = threading.Event()

    def slowly(*arguments, **options):
        gate.wait(30)
        return rebuild_knowledge_base(*arguments, **options)

    monkeypatch.setattr(module, "rebuild_knowledge_base", slowly)
    said: list[str] = []
    encoded = len(base.encoder.texts_encoded)
    live = open_live(base.path, base.encoder, say=said.append)
    assert len(base.encoder.texts_encoded) == encoded
    assert Retriever(live).search("장판이 떠요")[0].group.id == "late"
    assert live.current().manifest.folder == ""
    gate.set()
    live.settle()
    assert live.current().manifest.folder.startswith("derived-")
    assert Retriever(live).search("장판이 떠요")[0].group.id == "late"
    assert "made again" in said[-1]


def test_the_last_good_base_serves_while_a_damaged_one_is_mended(base_of, groups: Groups) -> None:
    base = base_of(groups)
    said: list[str] = []
    live = LiveKnowledgeBase(base, say=said.append, heal=True)
    other = HashEncoder()
    Editor(base.path, other).add([replace(groups[0], id="late")])
    Editor(base.path, other).compact()
    _damage(_faiss_file(base.path))
    assert live.current().manifest.revision == 1
    live.settle()
    assert live.current().manifest.revision == 2
    assert any("digest mismatch" in line for line in said)
    open_knowledge_base(base.path, base.encoder)


def test_changes_are_followed_while_new_files_cannot_be_read(base_of, groups: Groups) -> None:
    base = base_of(groups)
    said: list[str] = []
    retriever = Retriever(LiveKnowledgeBase(base, say=said.append))
    editor = Editor(base.path, HashEncoder())
    editor.add([replace(groups[0], id="first")])
    editor.compact()
    _damage(_faiss_file(base.path))
    for number in range(3):
        editor.add([replace(groups[0], id=f"n{number}", questions=(f"장판이 {number}번 떠요",))])
        assert retriever.search(f"장판이 {number}번 떠요")[0].group.id == f"n{number}"
        retriever._live.settle()
    assert retriever.base.manifest.revision == 1
    assert len([line for line in said if "digest mismatch" in line]) == 1


@pytest.mark.parametrize("truth", ["sqlite"])
def test_a_base_built_again_while_it_is_opened_is_taken_up(
    base_of, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index import live as module

    path, encoder = base_of(groups[:2]).path, HashEncoder()

    def open_then_build(*arguments, **options):
        monkeypatch.setattr(module, "open_settled", open_knowledge_base)
        base = open_knowledge_base(*arguments, **options)
        build_knowledge_base(path, groups[2:], encoder)
        return base

    monkeypatch.setattr(module, "open_settled", open_then_build)
    live = open_live(path, encoder)
    live.current()
    live.settle()
    assert [hit.group.id for hit in Retriever(live).search("몰딩")] == ["g3"]


def test_exact_search_serves_where_files_cannot_be_made_again(
    base_of, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index import live as module

    def fail(*arguments: object, **options: object) -> None:
        raise KnowledgeBaseError("cannot be written")

    base = base_of(groups)
    _damage(_faiss_file(base.path))
    monkeypatch.setattr(module, "rebuild_knowledge_base", fail)
    said: list[str] = []
    live = open_live(base.path, base.encoder, say=said.append, background=False)
    assert [Retriever(live).search(group.questions[0])[0].group for group in groups] == [*groups]
    assert "digest mismatch" in said[0]
    assert said[1] == "cannot be written; searching the stored questions exactly meanwhile"


def test_a_large_import_is_read_beside_and_seen_whole(base_of, groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    from index import overlay

    base = base_of(groups)
    live = open_live(base.path, base.encoder)
    gate, add = threading.Event(), overlay.Overlay.add

    def slowly(*arguments) -> None:
        assert gate.wait(30)
        add(*arguments)

    monkeypatch.setattr(overlay.Overlay, "add", slowly)
    many = [replace(groups[0], id=f"n{number}", questions=(f"장판 {number}번이 떠요",)) for number in range(60)]
    Editor(base.path, base.encoder).import_groups(many)
    assert [live.current().revision for _ in range(3)] == [1, 1, 1]
    assert Retriever(live).search("장판 7번이 떠요")[0].group in groups
    gate.set()
    live.settle()
    assert live.current().revision == 2
    assert Retriever(live).search("장판 7번이 떠요")[0].group == many[7]
    Editor(base.path, base.encoder).remove(["n7"])
    assert live.current().revision == 3


@pytest.mark.parametrize("truth", ["sqlite"])
def test_a_reader_who_may_not_write_sees_edits_too(base_of, groups: Groups) -> None:
    path, encoder = base_of(groups).path, HashEncoder()
    for helper in path.glob("groups.sqlite-*"):
        helper.unlink()
    path.chmod(0o555)
    with unprivileged():
        retriever = Retriever(open_live(path, encoder))
        assert not list(path.glob("groups.sqlite-*"))
    path.chmod(0o755)
    for number in range(3):
        late = replace(groups[0], id=f"late{number}", questions=(f"장판이 떠요 {number}",))
        Editor(path, encoder).add([late])
        with unprivileged():
            assert retriever.search(f"장판이 떠요 {number}")[0].group == late


def test_another_encoder_on_disk_does_not_stop_a_running_reader(base_of, groups: Groups) -> None:
    base = base_of(groups)
    said: list[str] = []
    live = LiveKnowledgeBase(base, say=said.append)
    rebuild_knowledge_base(base.path, HashEncoder(32))
    live.current()
    live.settle()
    assert "start again" in said[0]
    Editor(base.path, HashEncoder(32)).add([replace(groups[0], id="late", questions=("장판이 떠요",))])
    assert Retriever(live).search("장판이 떠요")[0].group.id == "late"
    with pytest.raises(EncoderMismatchError):
        open_live(base.path, HashEncoder())


def test_a_store_that_is_lost_leaves_the_last_good_base(base_of, groups: Groups) -> None:
    base = base_of(groups)
    said: list[str] = []
    live = LiveKnowledgeBase(base, say=said.append, heal=True)
    retriever = Retriever(live)
    shutil.rmtree(base.path)
    assert len(retriever.search("벽지")) == 3
    with pytest.raises(KnowledgeBaseError, match="no knowledge base"):
        open_live(base.path, base.encoder)


def test_a_stopgap_holds_every_group(base_of, groups: Groups) -> None:
    base = base_of(groups)
    stopgap = open_stopgap(base.path, base.encoder)
    for group in groups:
        assert Retriever(stopgap).search(group.questions[0])[0].group == group
