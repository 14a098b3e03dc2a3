"""The truth of a knowledge base: its groups, and every change ever made to them.

Every row carries a digest of its content, so that a damaged database is noticed before a wrong answer is given.
Integer keys tie the derived index files to the rows; group ids are what people see.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data.errors import KnowledgeBaseError
from data.types import QAGroup
from index.database import Database, Row, Session, SqliteDatabase, create_sqlite, damaged
from index.history import Change, Revision, State, StoredGroup, empty_state
from index.manifest import check_there
from index.places import TRUTH_VARIABLE, address_in, read_places
from index.store_rows import (
    CHANGE_COLUMNS,
    GROUP_COLUMNS,
    REVISION_COLUMNS,
    change_of_row,
    group_of_row,
    read_state,
    revision_of_row,
)
from index.store_writing import fill

FILE_NAME = "groups.sqlite"

_AT_ONCE = 400
"""Parameters in one statement."""


class GroupStore:
    """Read access to the truth; safe to use from several threads.

    Attributes:
        database: Where the rows lie.
    """

    def __init__(self, where: Path | Database) -> None:
        """Opens a store for reading, in an SQLite file or another database.

        Raises:
            KnowledgeBaseError: The store is missing, damaged, or of another schema version.
        """
        self.database: Database = SqliteDatabase(where) if isinstance(where, Path) else where
        self.state()

    @property
    def revision(self) -> int:
        """Returns the number of the last revision."""
        return self.state().revision

    def state(self) -> State:
        """Returns where the store stands now."""
        with self.database.reading() as session:
            return read_state(session, self.database.name)

    def groups_by_key(self, keys: Sequence[int], revision: int | None = None) -> list[StoredGroup]:
        """Reads groups in the order of `keys`.

        Args:
            keys: Keys of groups.
            revision: The revision to read them at; the last one if None.

        Raises:
            KnowledgeBaseError: A key is unknown, or a row does not match its digest.
        """
        with self.database.reading() as session:
            found = {
                stored.key: stored
                for part in _parts(keys)
                for stored in self._groups(session, f"WHERE key IN ({_marks(part)})", part)
            }
            if revision is not None:
                newer = [key for key in keys if key not in found or found[key].revision > revision]
                found |= {key: self._earlier(session, key, revision) for key in newer}
        missing = [key for key in keys if key not in found]
        if missing:
            raise self._unknown(missing[0])
        return [found[key] for key in keys]

    def groups_by_id(self, ids: Sequence[str], session: Session | None = None) -> dict[str, StoredGroup]:
        """Reads the groups of these ids that there are, within `session` if one is given."""
        if session is None:
            with self.database.reading() as own:
                return self.groups_by_id(ids, own)
        found = (self._groups(session, f"WHERE id IN ({_marks(part)})", part) for part in _parts(ids))
        return {stored.group.id: stored for part in found for stored in part}

    def all_groups(self) -> Iterator[StoredGroup]:
        """Reads every group in key order.

        Raises:
            KnowledgeBaseError: The database is damaged.
        """
        return iter(self.whole()[1])

    def whole(self) -> tuple[State, list[StoredGroup]]:
        """Reads where the store stands and every group in key order, in one transaction."""
        with self.database.reading() as session:
            return read_state(session, self.database.name), self._groups(session, "ORDER BY key", ())

    def changes_since(self, number: int) -> tuple[State, list[Change]]:
        """Reads what changed after change `number`, and where the store stands, in one transaction.

        Raises:
            KnowledgeBaseError: A change is missing or does not match its digest.
        """
        with self.database.reading() as session:
            state = read_state(session, self.database.name)
            changes = self._changes(session, "WHERE number > ? ORDER BY number", [number])
        if [change.number for change in changes] != list(range(number + 1, state.changes + 1)):
            raise damaged(self.database.name, f"changes after {number} are missing")
        return state, changes

    def revisions(
        self,
        *,
        limit: int | None = None,
        group_id: str | None = None,
        number: int | None = None,
        action: str | None = None,
    ) -> list[Revision]:
        """Reads revisions with their changes, the newest first.

        Args:
            limit: How many at most.
            group_id: Only those that changed this group, with its changes alone.
            number: Only this one.
            action: Only those of this kind, for example "build".
        """
        clauses: list[str] = []
        parameters: list[object] = []
        if group_id is not None:
            clauses.append("number IN (SELECT revision FROM changes WHERE group_id = ?)")
            parameters.append(group_id)
        if number is not None:
            clauses.append("number = ?")
            parameters.append(number)
        if action is not None:
            clauses.append("action = ?")
            parameters.append(action)
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        most = f"LIMIT {int(limit)}" if limit is not None else ""
        statement = f"SELECT {REVISION_COLUMNS} FROM revisions {where} ORDER BY number DESC {most}"  # noqa: S608
        with self.database.reading() as session:
            return [self._revision(session, row, group_id) for row in session.rows(statement, parameters)]

    def check(self) -> None:
        """Reads everything and compares every digest.

        Raises:
            KnowledgeBaseError: Something does not match.
        """
        self.database.check()
        state, groups = self.whole()
        found = empty_state()
        for stored in groups:
            found = found.after(None, stored)
        if (found.content, found.groups) != (state.content, state.groups):
            raise damaged(self.database.name, "the groups do not match their common digest")
        self.changes_since(0)
        revisions = self.revisions()
        numbers = [revision.number for revision in revisions]
        whole = bool(revisions) and revisions[-1].action == "build"
        if not whole or numbers != list(range(state.revision, numbers[-1] - 1, -1)):
            raise damaged(self.database.name, "revisions are missing in the history, or one goes beyond the last")
        if sum(len(revision.changes) for revision in revisions) != state.changes:
            raise damaged(self.database.name, "changes of the history belong to no revision")

    def close(self) -> None:
        """Closes the database."""
        self.database.close()

    def _groups(self, session: Session, rest: str, parameters: Row) -> list[StoredGroup]:
        rows = session.rows(f"SELECT {GROUP_COLUMNS} FROM groups {rest}", parameters)  # noqa: S608 - our own clauses
        return [group_of_row(row, self.database.name) for row in rows]

    def _changes(self, session: Session, rest: str, parameters: Row) -> list[Change]:
        rows = session.rows(f"SELECT {CHANGE_COLUMNS} FROM changes {rest}", parameters)  # noqa: S608 - our own clauses
        return [change_of_row(row, self.database.name) for row in rows]

    def _revision(self, session: Session, row: Row, group_id: str | None) -> Revision:
        only, parameters = ("", [row[0]]) if group_id is None else ("AND group_id = ?", [row[0], group_id])
        changes = self._changes(session, f"WHERE revision = ? {only} ORDER BY number", parameters)
        return revision_of_row(row, tuple(changes), self.database.name)

    def _earlier(self, session: Session, key: int, revision: int) -> StoredGroup:
        """The group as it was at an earlier revision: what the first change after it found."""
        later = self._changes(session, "WHERE key = ? AND revision > ? ORDER BY number LIMIT 1", [key, revision])
        stored = Change(0, revision, key, None, later[0].before).stored() if later else None
        if stored is None:
            raise self._unknown(key)
        return stored

    def _unknown(self, key: int) -> KnowledgeBaseError:
        return KnowledgeBaseError(
            f"{self.database.name}: group key {key} stands in the index but not here; run `dobae index rebuild`"
        )


def open_database(path: Path) -> Database:
    """Opens the database with the groups of the base at `path`: its SQLite file, or the PostgreSQL it was moved to.

    Raises:
        KnowledgeBaseError: It is missing, damaged, cannot be reached, or holds another base.
    """
    places = read_places(path)
    if not places.truth:
        return SqliteDatabase(path / FILE_NAME)
    from index.postgres import PostgresDatabase

    database = PostgresDatabase(address_in(TRUTH_VARIABLE, path, "its groups", places.truth))
    with database.reading() as session:
        base = read_state(session, database.name).base
    if base != places.base:
        database.close()
        raise KnowledgeBaseError(
            f"{database.name}: holds the groups of another base than {path}; mend the address in {TRUTH_VARIABLE}"
        )
    return database


def open_store(path: Path) -> GroupStore:
    """Opens the groups of the base at `path`, wherever they lie.

    Raises:
        KnowledgeBaseError: They are missing, damaged, cannot be reached, or belong to another base.
    """
    check_there(path)
    return GroupStore(open_database(path))


def create_store(path: Path, groups: Sequence[QAGroup], medoids: Sequence[int], revision: int, author: str) -> State:
    """Writes a new store; the caller moves it into place.

    Args:
        path: Must not exist.
        groups: Groups with distinct ids, in the order they are to be listed.
        medoids: Position of each group's medoid answer.
        revision: Revision number of this content.
        author: Who builds it.

    Returns:
        Where it stands.
    """
    database = create_sqlite(path)
    try:
        return fill(database, groups, medoids, revision, author)
    finally:
        database.close()


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _marks(items: Sequence[object]) -> str:
    return ",".join("?" * len(items))
