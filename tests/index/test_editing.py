import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from data.errors import EncoderMismatchError, InputError, KnowledgeBaseError
from data.types import QAGroup
from index import editing
from index.building import build_knowledge_base, rebuild_knowledge_base
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.knowledge_base import KnowledgeBase, open_knowledge_base
from index.korean import korean_analyzer
from index.locking import writing
from index.query_words import query_words
from index.retriever import Retriever, RetrieverSettings
from index.store import open_store
from tests.index.edits import NEW, contents

Groups = tuple[QAGroup, ...]
Contents = Callable[[KnowledgeBase], list[QAGroup]]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def truth(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def base(base_of, groups: Groups) -> KnowledgeBase:
    return base_of(groups)


@pytest.fixture(scope="module")
def edited_and_rebuilt(
    tmp_path_factory: pytest.TempPathFactory, starter_groups: Groups
) -> tuple[KnowledgeBase, KnowledgeBase]:
    """One content twice: laid over the files of an earlier one, and with files made from it."""
    path, encoder = tmp_path_factory.mktemp("twice") / "kb", HashEncoder()
    build_knowledge_base(path, starter_groups[:120], encoder)
    editor = Editor(path, encoder)
    editor.add(starter_groups[120:150])
    # One group twice, so that equals stand at different places.
    editor.add([replace(starter_groups[5], id="twin")])
    editor.update([replace(group, answers=group.answers[:2]) for group in starter_groups[:10]])
    editor.update([replace(group, questions=group.questions[:1]) for group in starter_groups[120:125]])
    editor.remove([group.id for group in starter_groups[20:30]])
    editor.undo()
    editor.remove([group.id for group in starter_groups[30:45]])
    edited = open_knowledge_base(path, encoder)
    rebuild_knowledge_base(path, encoder)
    rebuilt = open_knowledge_base(path, encoder)
    assert edited.revision == rebuilt.revision == rebuilt.manifest.revision > edited.manifest.revision == 1
    return edited, rebuilt


def found(retriever: Retriever, question: str, top_k: int = 10) -> list[QAGroup]:
    return [hit.group for hit in retriever.search(question, top_k)]


def test_an_added_group_is_found_at_once_without_opening_again(base: KnowledgeBase, groups: Groups) -> None:
    retriever = Retriever(base)
    assert NEW not in found(retriever, NEW.questions[0])
    Editor(base.path, base.encoder).add([NEW])
    hit = retriever.search(NEW.questions[1])[0]
    assert (hit.group, hit.question, hit.rank) == (NEW, NEW.questions[1], 1)
    assert hit.score == pytest.approx(1, abs=1e-5)
    assert retriever.base.revision == 2
    assert contents(base.path) == [*groups, NEW]


def test_an_updated_group_is_found_by_its_new_words_only(base: KnowledgeBase, groups: Groups) -> None:
    retriever = Retriever(base)
    changed = replace(groups[1], questions=("타일 줄눈이 까매졌어요",), answers=("줄눈을 긁어내고 다시 채웁니다.",))
    Editor(base.path, base.encoder).update([changed])
    hits = retriever.search("타일 줄눈이 까매졌어요", 10)
    assert hits[0].group == changed
    assert [hit.group.id for hit in hits].count("g2") == 1
    assert groups[1] not in found(retriever, groups[1].questions[0])


def test_a_removed_group_is_found_no_more(base: KnowledgeBase, groups: Groups) -> None:
    retriever = Retriever(base)
    Editor(base.path, base.encoder).remove(["g1"])
    assert {group.id for group in found(retriever, groups[0].questions[0])} == {"g2", "g3"}
    assert contents(base.path) == [*groups[1:]]


def test_only_new_texts_are_encoded(base: KnowledgeBase, groups: Groups) -> None:
    retriever = Retriever(base)
    encoder = HashEncoder()
    Editor(base.path, encoder).update([replace(groups[0], questions=(*groups[0].questions, "벽지 가장자리가 떠요"))])
    assert encoder.texts_encoded == ["벽지 가장자리가 떠요"]
    before = len(base.encoder.texts_encoded)
    assert retriever.base.revision == 2
    assert len(base.encoder.texts_encoded) == before
    Editor(base.path, encoder).update([replace(groups[0], answers=("다른 답변입니다.",))])
    Editor(base.path, encoder).compact()
    assert encoder.texts_encoded == ["벽지 가장자리가 떠요"]


@pytest.mark.parametrize("signal", ["morphemes", "spellings", "fragments", "heads"])
def test_every_word_signal_of_an_edited_base_is_that_of_a_rebuilt_one(
    edited_and_rebuilt: tuple[KnowledgeBase, KnowledgeBase], starter_groups: Groups, signal: str
) -> None:
    def scores(base: KnowledgeBase, tokens: list[str]) -> dict[tuple[str, str], float]:
        found = getattr(base, signal).scores(tokens)
        rows = found if len(found) == len(base.group_of_row) else found[base.group_of_row]
        places = np.flatnonzero(rows)
        keys = [(stored.group.id, wording) for stored, wording in base.rows(places)]
        return dict(zip(keys, rows[places].tolist(), strict=True))

    edited, rebuilt = edited_and_rebuilt
    compared = 0
    for group in starter_groups[:150:3]:
        tokens = getattr(query_words(group.questions[0], korean_analyzer()), signal)
        expected = scores(rebuilt, tokens)
        assert scores(edited, tokens) == expected
        compared += len(expected)
    assert compared > 100


@pytest.mark.parametrize("lexical", [True, False])
def test_hits_and_scores_of_an_edited_base_are_those_of_a_rebuilt_one(
    edited_and_rebuilt: tuple[KnowledgeBase, KnowledgeBase], starter_groups: Groups, lexical: bool
) -> None:
    edited, rebuilt = (Retriever(base, RetrieverSettings(10, lexical=lexical)) for base in edited_and_rebuilt)
    questions = [question for group in starter_groups[:160] for question in group.questions]
    assert len(questions) > 300
    for here, there in zip(edited.search_many(questions), rebuilt.search_many(questions), strict=True):
        assert here == there


def test_two_writers_who_change_one_group_keep_both_changes(base: KnowledgeBase, groups: Groups) -> None:
    def add_wording(wording: str) -> None:
        editor = Editor(base.path, base.encoder, wait=30)
        editor.change("g1", lambda group: replace(group, questions=(*group.questions, wording)))

    wordings = ["벽지 끝이 들려요", "이음매가 벌어져요", "모서리가 떠요"]
    with writing(base.path, "dobae index import"):
        threads = [threading.Thread(target=add_wording, args=(wording,)) for wording in wordings]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert sorted(contents(base.path)[0].questions) == sorted([*groups[0].questions, *wordings])


def test_a_change_that_the_caller_refuses_changes_nothing(base: KnowledgeBase, groups: Groups) -> None:
    def refuse(group: QAGroup) -> QAGroup:
        raise InputError(f"not {group.id}")

    editor = Editor(base.path, base.encoder)
    with pytest.raises(InputError, match="not g1"):
        editor.change("g1", refuse)
    with pytest.raises(InputError, match="not g2"):
        editor.remove(["g2"], check=refuse)
    with pytest.raises(InputError, match="needs a question"):
        editor.change("g1", lambda group: replace(group, questions=()))
    assert contents(base.path) == [*groups]


def test_what_cannot_be_done_changes_nothing(base: KnowledgeBase, groups: Groups) -> None:
    editor = Editor(base.path, base.encoder)
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: editor.add([NEW, groups[0]]), "in the base already"),
        (lambda: editor.update([NEW]), "no group 'n1'"),
        (lambda: editor.remove(["g1", "none"]), "no group 'none'"),
        (lambda: editor.remove(["g1", "g2", "g3"]), "last group"),
        (lambda: editor.add([NEW, NEW]), "twice"),
        (lambda: editor.add([replace(NEW, questions=())]), "needs a question"),
        (lambda: editor.add([replace(NEW, questions=("?!",))]), "no letter"),
        (lambda: editor.add([replace(NEW, answers=(" ",))]), "empty"),
        (lambda: editor.add([replace(NEW, id=" n")]), "an id"),
        (lambda: editor.add([replace(NEW, id="n\nm")]), "one line"),
        (lambda: editor.add([replace(NEW, answers=("가\x00",))]), r"U\+0000"),
        (lambda: editor.add([replace(NEW, answers=("가\ud800",))]), r"U\+D800"),
        (lambda: editor.add([replace(NEW, answers=("가\r\n나",))]), r"U\+000D"),
        (lambda: editor.add([replace(NEW, answers=("가" * 200_000,))]), "200,000"),
    ]
    for call, words in refused:
        with pytest.raises((InputError, KnowledgeBaseError), match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert contents(base.path) == [*groups]
    assert open_knowledge_base(base.path, base.encoder).revision == 1


def test_an_edit_that_changes_nothing_makes_no_revision(base: KnowledgeBase, groups: Groups) -> None:
    edited = Editor(base.path, base.encoder).import_groups(groups)
    assert (edited.revision, edited.unchanged) == (None, 3)
    assert open_knowledge_base(base.path, base.encoder).revision == 1


def test_another_encoder_may_not_edit(base: KnowledgeBase) -> None:
    with pytest.raises(EncoderMismatchError, match="rebuild"):
        Editor(base.path, HashEncoder(32)).add([NEW])


def test_many_changes_compact_by_themselves(
    base: KnowledgeBase, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "COMPACT_AFTER", 3)
    editor = Editor(base.path, base.encoder)
    retriever = Retriever(base)
    compacted = [editor.add([replace(NEW, id=f"n{number}")]).compacted for number in range(5)]
    assert [manifest is not None for manifest in compacted] == [False, False, False, True, False]
    retriever.search("찢김")
    retriever._live.settle()
    assert retriever.base.manifest.revision == 5
    assert retriever.base.revision == 6
    assert len(found(retriever, "찢김")) == 8
    assert len([path for path in base.path.iterdir() if path.name.startswith("derived-")]) == 1


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KnowledgeBaseError("Milvus is away")])
def test_an_edit_is_acknowledged_though_the_files_cannot_be_made_again(
    base: KnowledgeBase,
    groups: Groups,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise failure

    monkeypatch.setattr(editing, "COMPACT_AFTER", 0)
    monkeypatch.setattr(editing, "derive_again", fail)
    edited = Editor(base.path, base.encoder).add([NEW])
    assert edited.revision is not None
    assert (edited.compacted, edited.not_compacted) == (None, str(failure))
    assert contents(base.path) == [*groups, NEW]


def test_a_reader_of_one_revision_goes_on_seeing_it_whole(base: KnowledgeBase, groups: Groups) -> None:
    editor = Editor(base.path, base.encoder)
    editor.add([NEW])
    old = open_knowledge_base(base.path, base.encoder)
    editor.update([replace(group, answers=("바뀐 답변입니다.",)) for group in (*groups, NEW)])
    editor.remove(["g1"])
    editor.compact()
    every_row = np.arange(len(old.group_of_row))
    assert {stored.group for stored, _ in old.rows(every_row)} == {*groups, NEW}
    assert {
        group.id: group.answers for group in found(Retriever(open_knowledge_base(base.path, base.encoder)), "답")
    } == dict.fromkeys(("g2", "g3", "n1"), ("바뀐 답변입니다.",))


def test_a_second_writer_is_told_who_writes_and_since_when(base: KnowledgeBase) -> None:
    errors: list[str] = []

    def other() -> None:
        with pytest.raises(KnowledgeBaseError) as caught:
            Editor(base.path, base.encoder).add([NEW])
        errors.append(str(caught.value))

    with writing(base.path, "dobae index import"):
        owner = base.path.parent / ".kb.lock.owner"
        for since in (None, 2e12):
            if since:
                owner.write_text(json.dumps(json.loads(owner.read_text()) | {"since": since}))
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
    assert "process " in errors[0]
    assert "dobae index import" in errors[0]
    assert "for 0 s" in errors[0]
    assert "clock went back" in errors[1]
    Editor(base.path, base.encoder).add([NEW])
    assert not owner.exists()


def test_the_clock_may_go_back(base: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    from index import store_writing

    times = iter(["2026-01-02T00:00:00.000+00:00", "1999-01-01T00:00:00.000+00:00"])
    monkeypatch.setattr(store_writing, "now", lambda: next(times))
    editor = Editor(base.path, base.encoder)
    editor.add([NEW])
    editor.remove(["n1"])
    assert [each.action for each in open_store(base.path).revisions()] == ["remove", "add", "build"]
    assert editor.path == base.path
    assert open_knowledge_base(base.path, base.encoder).revision == 3


@pytest.mark.parametrize("truth", ["sqlite"])
def test_a_store_without_history_is_brought_up_to_date_by_rebuild(base: KnowledgeBase, groups: Groups) -> None:
    path = base.path / "groups.sqlite"
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE groups (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, questions TEXT NOT NULL, answers "
            "TEXT NOT NULL, category TEXT NOT NULL, source TEXT NOT NULL, medoid INTEGER NOT NULL, digest TEXT)"
        )
        from data.digest import group_digest

        for key, group in enumerate(groups, 1):
            values = (json.dumps(group.questions), json.dumps(group.answers), group.category, group.source, 0)
            connection.execute(
                "INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (key, group.id, *values, group_digest(group))
            )
        connection.executemany("INSERT INTO meta VALUES (?, ?)", [("schema", "1"), ("revision", "7"), ("content", "x")])
    connection.close()
    with pytest.raises(KnowledgeBaseError, match="rebuild"):
        open_knowledge_base(base.path, base.encoder)
    assert rebuild_knowledge_base(base.path, base.encoder).revision == 7
    assert contents(base.path) == [*groups]
    Editor(base.path, base.encoder).add([NEW])
    assert open_knowledge_base(base.path, base.encoder).revision == 8


@pytest.mark.parametrize("truth", ["sqlite"])
def test_a_database_with_triggers_of_a_stranger_is_refused(base: KnowledgeBase) -> None:
    with sqlite3.connect(base.path / "groups.sqlite") as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON groups BEGIN DELETE FROM changes; END")
    connection.close()
    for call in (
        lambda: open_knowledge_base(base.path, base.encoder),
        lambda: Editor(base.path, base.encoder).add([NEW]),
        lambda: rebuild_knowledge_base(base.path, base.encoder),
    ):
        with pytest.raises(KnowledgeBaseError, match="trigger 't'"):
            call()
