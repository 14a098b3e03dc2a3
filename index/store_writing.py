"""Writes the truth: one transaction makes one revision, with everything it changed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from data.digest import group_digest
from data.errors import KnowledgeBaseError
from data.types import QAGroup
from index.database import Database, Session, schema_statements
from index.history import Change, Edit, Revision, State, StoredGroup, empty_state, now
from index.store_rows import (
    change_row,
    group_row,
    read_state,
    revision_row,
    write_state,
)


def fill(database: Database, groups: Sequence[QAGroup], medoids: Sequence[int], revision: int, author: str) -> State:
    """Fills an empty database; a build is one revision whose changes nobody needs listed."""
    stored = [
        StoredGroup(key, group, medoid, revision)
        for key, (group, medoid) in enumerate(zip(groups, medoids, strict=True), 1)
    ]
    state = empty_state(uuid4().hex, revision)
    for row in stored:
        state = state.after(None, row)
    with database.writing() as session:
        session.many("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [group_row(row) for row in stored])
        _record(session, Revision(revision, author, now(), "build", None))
        write_state(session, state)
    return state


def commit(
    session: Session,
    name: str,
    edits: Sequence[Edit],
    *,
    author: str,
    action: str,
    undoes: int | None = None,
) -> Revision:
    """Writes edits as one revision; durable once the transaction of `session` ends.

    Args:
        session: A transaction of `Database.writing`.
        name: The database's, for messages.
        edits: No two of one group; `before` is what the store holds now, read in the same transaction.
        author: Who asks.
        action: What for.
        undoes: The revision that is undone, if one is.

    Raises:
        KnowledgeBaseError: The base would lose its last group.
    """
    state = read_state(session, name)
    number, revision = state.changes, state.revision + 1
    changes: list[Change] = []
    # Removals come first: an id may leave one key and return under another.
    for edit in sorted(edits, key=lambda each: each.after is not None):
        number += 1
        before, key = edit.before, edit.key
        key = before.key if before else state.next_key if key is None else key
        change = Change(number, revision, key, before.group if before else None, edit.after)
        if before:
            session.rows("DELETE FROM groups WHERE key = ?", [key])
        after = change.stored()
        if after:
            session.many("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [group_row(after)])
        state = state.after(before, after)
        changes.append(change)
    if not state.groups:
        raise KnowledgeBaseError(f"{name}: the last group cannot be removed; add another one first")
    record = Revision(revision, author, now(), action, undoes, tuple(changes))
    session.many("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?)", [change_row(change) for change in changes])
    _record(session, record)
    write_state(session, replace(state, revision=revision, changes=number))
    return record


def _record(session: Session, revision: Revision) -> None:
    session.many("INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?)", [revision_row(revision)])


def bring_up_to_date(session: Session, author: str) -> None:
    """Brings a store of schema version 1, which had no history, to the present one; leaves any other as it is."""
    meta = {str(name): str(value) for name, value in session.rows("SELECT name, value FROM meta")}
    if meta.get("schema") != "1":
        return
    groups = session.rows("SELECT key, id, questions, answers, category, source, medoid, digest FROM groups")
    session.rows("ALTER TABLE groups RENAME TO groups_1")
    for statement in schema_statements():
        session.rows(statement)
    revision = int(meta["revision"])
    state = empty_state(uuid4().hex, revision)
    for key, identifier, questions, answers, category, source, medoid, digest in sorted(map(tuple, groups)):
        group = QAGroup(identifier, tuple(json.loads(questions)), tuple(json.loads(answers)), category, source)
        if group_digest(group) != digest:
            raise ValueError(f"group {identifier!r} does not match its digest")
        stored = StoredGroup(key, group, medoid, revision)
        session.many("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [group_row(stored)])
        state = state.after(None, stored)
    session.rows("DROP TABLE groups_1")
    _record(session, Revision(revision, author, now(), "build", None))
    write_state(session, state)
