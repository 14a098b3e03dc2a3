"""Rows of the store's tables and what they mean, each with the digest that proves it whole."""

import json

from data.errors import KnowledgeBaseError
from data.types import QAGroup
from index.database import Row, Session, damaged
from index.history import (
    Change,
    Revision,
    State,
    StoredGroup,
    digest_of,
    group_from_json,
    group_to_json,
    stored_digest,
)

SCHEMA_VERSION = 2

GROUP_COLUMNS = "key, id, questions, answers, category, source, medoid, digest, revision"
CHANGE_COLUMNS = "number, revision, key, group_id, before_json, after_json, digest"
REVISION_COLUMNS = "number, author, time, action, undoes, digest"


def group_row(stored: StoredGroup) -> Row:
    """Returns the row of a group."""
    group = stored.group
    return (
        stored.key,
        group.id,
        json.dumps(group.questions, ensure_ascii=False),
        json.dumps(group.answers, ensure_ascii=False),
        group.category,
        group.source,
        stored.medoid,
        stored_digest(stored),
        stored.revision,
    )


def group_of_row(row: Row, name: str) -> StoredGroup:
    """Reads the row of a group; `name` is the database's, for messages.

    Raises:
        KnowledgeBaseError: The row does not match its digest.
    """
    key, identifier, questions, answers, category, source, medoid, digest, revision = row
    try:
        group = QAGroup(
            id=identifier,
            questions=tuple(json.loads(questions)),
            answers=tuple(json.loads(answers)),
            category=category,
            source=source,
        )
        stored = StoredGroup(key, group, medoid, revision)
        matches = stored_digest(stored) == digest and 0 <= medoid < len(group.answers)
    except (ValueError, TypeError) as error:
        raise damaged(name, error) from error
    if not matches:
        raise damaged(name, f"group {identifier!r} does not match its digest")
    return stored


def change_row(change: Change) -> Row:
    """Returns the row of a change."""
    values = (
        change.number,
        change.revision,
        change.key,
        change.group_id,
        group_to_json(change.before),
        group_to_json(change.after),
    )
    return (*values, digest_of(*values))


def change_of_row(row: Row, name: str) -> Change:
    """Reads the row of a change.

    Raises:
        KnowledgeBaseError: The row does not match its digest.
    """
    *values, digest = row
    number, revision, key, _, before, after = values
    try:
        matches = digest_of(*values) == digest
        change = Change(number, revision, key, group_from_json(before), group_from_json(after))
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(name, error) from error
    if not matches:
        raise damaged(name, f"change {number!r} does not match its digest")
    return change


def revision_row(revision: Revision) -> Row:
    """Returns the row of a revision, its changes left out."""
    values = (revision.number, revision.author, revision.time, revision.action, revision.undoes)
    return (*values, digest_of(*values))


def revision_of_row(row: Row, changes: tuple[Change, ...], name: str) -> Revision:
    """Reads the row of a revision.

    Raises:
        KnowledgeBaseError: The row does not match its digest.
    """
    *values, digest = row
    try:
        matches = digest_of(*values) == digest
    except (ValueError, TypeError) as error:
        raise damaged(name, error) from error
    if not matches:
        raise damaged(name, f"revision {values[0]!r} does not match its digest")
    number, author, time, action, undoes = values
    return Revision(number, author, time, action, undoes, changes)


def read_state(session: Session, name: str) -> State:
    """Reads where a store stands.

    Raises:
        KnowledgeBaseError: The rows are missing, damaged, or of another schema version.
    """
    meta = {str(key): str(value) for key, value in session.rows("SELECT name, value FROM meta")}
    schema = meta.get("schema", "")
    if schema != str(SCHEMA_VERSION):
        raise KnowledgeBaseError(
            f"{name}: has schema version {schema[:20]}, this dobae reads {SCHEMA_VERSION}; run `dobae index rebuild`, "
            "which brings an older one up to date, or install a matching version"
        )
    try:
        state = State(
            base=meta["base"],
            revision=int(meta["revision"]),
            changes=int(meta["changes"]),
            groups=int(meta["groups"]),
            next_key=int(meta["next_key"]),
            content=meta["content"],
        )
    except (KeyError, ValueError) as error:
        raise damaged(name, error) from error
    if meta.get("digest") != _state_digest(state):
        raise damaged(name, "the revision does not match its digest")
    return state


def write_state(session: Session, state: State) -> None:
    """Writes where a store stands, within the transaction that brought it there."""
    values = {
        "schema": SCHEMA_VERSION,
        "base": state.base,
        "revision": state.revision,
        "changes": state.changes,
        "groups": state.groups,
        "next_key": state.next_key,
        "content": state.content,
        "digest": _state_digest(state),
    }
    session.rows("DELETE FROM meta")
    session.many("INSERT INTO meta VALUES (?, ?)", [(name, str(value)) for name, value in values.items()])


def _state_digest(state: State) -> str:
    return digest_of(
        SCHEMA_VERSION, state.base, state.revision, state.changes, state.groups, state.next_key, state.content
    )
