"""Random histories of edits against a dictionary: whatever the order, the base holds what the dictionary holds.

Over groups in SQLite, and over groups in a real PostgreSQL.
"""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from data.exchange import export_groups
from data.readers import read_groups
from data.types import QAGroup
from index.building import build_knowledge_base
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.knowledge_base import open_knowledge_base
from index.migrating import move_groups
from index.places import TRUTH_VARIABLE
from index.retriever import Retriever
from tests.postgres_server import Server

names = st.sampled_from([f"g{number}" for number in range(8)])
versions = st.integers(0, 5)


def group_of(name: str, version: int) -> QAGroup:
    questions = tuple(f"{name} 질문 {version} {wording}" for wording in range(1 + version % 3))
    return QAGroup(
        name, questions, tuple(f"{name} 답변 {version} {n}" for n in range(1 + version % 4)), f"분류{version}"
    )


class Edits(RuleBasedStateMachine):
    """Dictionaries are what the base should be, one a revision that can still be undone."""

    @initialize(version=versions)
    def build(self, version: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.encoder = HashEncoder(96)
        self.model = {"g0": group_of("g0", version)}
        self.undoable: list[dict[str, QAGroup]] = []
        build_knowledge_base(self.folder / "kb", list(self.model.values()), self.encoder)
        self.place()
        self.editor = Editor(self.folder / "kb", self.encoder)
        self.retriever = Retriever(open_knowledge_base(self.folder / "kb", self.encoder))

    def place(self) -> None:
        """Puts the groups of the new base where they shall lie; they lie in its folder."""

    def _now(self, model: dict[str, QAGroup]) -> None:
        if model != self.model:
            self.undoable.append(self.model)
            self.model = model

    @rule(name=names, version=versions)
    def add_or_update(self, name: str, version: int) -> None:
        group = group_of(name, version)
        (self.editor.update if name in self.model else self.editor.add)([group])
        self._now(self.model | {name: group})

    @precondition(lambda self: len(self.model) > 1)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        self.editor.remove([name])
        self._now({other: group for other, group in self.model.items() if other != name})

    @rule(chosen=st.dictionaries(names, versions, min_size=1, max_size=4), mirror=st.booleans())
    def import_file(self, chosen: dict[str, int], mirror: bool) -> None:
        groups = {name: group_of(name, version) for name, version in chosen.items()}
        self.editor.import_groups(list(groups.values()), mirror=mirror)
        self._now(groups if mirror else self.model | groups)

    @precondition(lambda self: self.undoable)
    @rule()
    def undo(self) -> None:
        self.editor.undo()
        self.model = self.undoable.pop()

    @rule(suffix=st.sampled_from([".jsonl", ".csv", ".xlsx"]))
    def export_and_import_change_nothing(self, suffix: str) -> None:
        path = self.folder / f"out{suffix}"
        export_groups(path, [stored.group for stored in self.retriever.base.store.all_groups()])
        assert self.editor.import_groups(read_groups(path).groups, mirror=True).revision is None

    @rule()
    def compact(self) -> None:
        self.editor.compact()

    @rule()
    def open_again(self) -> None:
        self.retriever = Retriever(open_knowledge_base(self.folder / "kb", self.encoder))

    @invariant()
    def the_base_holds_what_the_dictionary_holds(self) -> None:
        if not hasattr(self, "model"):
            return
        base = self.retriever.base
        base.store.check()
        assert {stored.group.id: stored.group for stored in base.store.all_groups()} == self.model
        first = next(iter(self.model.values())).questions[0]
        vector = self.retriever.encode([first])[0]
        near = base.vectors.search(vector, len(base.group_of_row))
        rows = sorted((stored.group.id, wording) for stored, wording in base.rows(near.positions))
        assert rows == sorted((group.id, question) for group in self.model.values() for question in group.questions)
        assert {hit.group.id: hit.group for hit in self.retriever.search(first, 20)} == self.model

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.retriever.base.store.close()
            shutil.rmtree(self.folder)


TestEdits = Edits.TestCase
TestEdits.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)


@pytest.mark.integration
def test_the_same_holds_over_postgresql(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    class EditsInPostgres(Edits):
        def place(self) -> None:
            address = postgres.new_schema()
            move_groups(self.folder / "kb", address)
            monkeypatch.setenv(TRUTH_VARIABLE, address)

    run_state_machine_as_test(EditsInPostgres, settings=settings(max_examples=6, stateful_step_count=15, deadline=None))
