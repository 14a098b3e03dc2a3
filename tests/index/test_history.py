"""The history of a base, and taking changes back."""

import sqlite3
from dataclasses import replace

import pytest

from data.errors import InputError, KnowledgeBaseError
from data.types import QAGroup
from index.editing import Editor
from index.knowledge_base import KnowledgeBase
from index.store import open_store
from tests.index.edits import NEW, contents

Groups = tuple[QAGroup, ...]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def truth(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def base(base_of, groups: Groups) -> KnowledgeBase:
    return base_of(groups)


def test_history_says_who_when_and_what_was_there_before(base: KnowledgeBase, groups: Groups) -> None:
    editor = Editor(base.path, base.encoder, author="김\n도배")
    changed = replace(groups[0], category="시공")
    editor.add([NEW])
    editor.update([changed])
    editor.remove(["g1", "g2"])
    revisions = open_store(base.path).revisions()
    assert [(each.number, each.action) for each in revisions] == [
        (4, "remove"),
        (3, "update"),
        (2, "add"),
        (1, "build"),
    ]
    assert {each.author for each in revisions[:3]} == {"김 도배"}
    assert [(change.before, change.after) for change in revisions[1].changes] == [(groups[0], changed)]
    assert [(change.before, change.after) for change in revisions[0].changes] == [(changed, None), (groups[1], None)]
    of_one = open_store(base.path).revisions(group_id="g2")
    assert [(each.number, len(each.changes)) for each in of_one] == [(4, 1)]


@pytest.mark.parametrize("truth", ["sqlite"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_revision_missing_in_the_history_is_noticed(base: KnowledgeBase, groups: Groups, number: int) -> None:
    editor = Editor(base.path, base.encoder)
    editor.add([NEW])
    editor.remove(["n1"])
    base.store.check()
    with sqlite3.connect(base.path / "groups.sqlite") as connection:
        connection.execute("DELETE FROM revisions WHERE number = ?", (number,))
    connection.close()
    with pytest.raises(KnowledgeBaseError, match="revisions are missing"):
        base.store.check()


def test_undo_takes_back_one_revision_after_another(base: KnowledgeBase, groups: Groups) -> None:
    editor = Editor(base.path, base.encoder)
    editor.import_groups([replace(groups[0], answers=("새 답변입니다.",)), NEW], mirror=True)
    editor.add([replace(NEW, id="n2")])
    assert [group.id for group in contents(base.path)] == ["g1", "n1", "n2"]
    assert editor.undo().counts() == {"added": 0, "updated": 0, "removed": 1}
    assert [group.id for group in contents(base.path)] == ["g1", "n1"]
    assert editor.undo().counts() == {"added": 2, "updated": 1, "removed": 1}
    assert contents(base.path) == [*groups]
    with pytest.raises(InputError, match="nothing to undo"):
        editor.undo()
    editor.undo(5)
    assert [group.id for group in contents(base.path)] == ["g1", "n1"]


def test_an_undo_that_was_undone_can_be_done_again(base: KnowledgeBase, groups: Groups) -> None:
    editor = Editor(base.path, base.encoder)
    editor.add([NEW])
    editor.undo()
    editor.undo(3)
    assert contents(base.path) == [*groups, NEW]
    with pytest.raises(InputError, match="undone already"):
        editor.undo(3)
    again = editor.undo().revision
    assert again is not None
    assert (again.number, again.undoes) == (5, 2)
    assert contents(base.path) == [*groups]


def test_undo_refuses_where_a_later_change_would_be_lost(base: KnowledgeBase, groups: Groups) -> None:
    editor = Editor(base.path, base.encoder)
    editor.update([replace(groups[0], category="a")])
    editor.update([replace(groups[0], category="b")])
    with pytest.raises(InputError, match="changed since"):
        editor.undo(2)
    editor.remove(["g2"])
    editor.add([replace(NEW, id="g2")])
    with pytest.raises(InputError, match="changed since"):
        editor.undo(4)
    with pytest.raises(InputError, match="does not exist"):
        editor.undo(99)
    with pytest.raises(InputError, match="build"):
        editor.undo(1)
