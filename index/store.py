"""The truth of a knowledge base: its groups, in SQLite.

Every row carries a digest of its content, so that a damaged database is noticed before a wrong answer is given.
Integer keys tie the derived index files to the rows; group ids are what people see.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from data.errors import KnowledgeBaseError
from data.types import QAGroup

FILE_NAME = "groups.sqlite"
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE groups (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    questions TEXT NOT NULL,
    answers TEXT NOT NULL,
    category TEXT NOT NULL,
    source TEXT NOT NULL,
    medoid INTEGER NOT NULL,
    digest TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group as the store holds it.

    Attributes:
        key: Integer key that the derived index files refer to.
        group: The group.
        medoid: Position of the medoid answer.
    """

    key: int
    group: QAGroup
    medoid: int


class GroupStore:
    """Read access to `groups.sqlite`; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Opens a store for reading.

        Raises:
            KnowledgeBaseError: The file is missing, damaged, or of another schema version.
        """
        self._path = path
        self._lock = threading.Lock()
        if not path.is_file():
            raise KnowledgeBaseError(f"{path}: is missing; build the knowledge base again with `dobae index build`")
        try:
            self._connection = _connect_to_read(path)
            meta = dict(self._connection.execute("SELECT name, value FROM meta"))
            self.revision = int(meta["revision"])
            self.content_digest = meta["content"]
            version = int(meta["schema"])
        except (sqlite3.Error, KeyError, ValueError) as error:
            if not os.access(path, os.R_OK):
                raise KnowledgeBaseError(f"{path}: may not be read; ask its owner for permission") from error
            raise _damaged(path, error) from error
        if version != SCHEMA_VERSION:
            raise KnowledgeBaseError(
                f"{path}: has schema version {version}, this dobae reads {SCHEMA_VERSION}; install a matching version"
            )

    def groups_by_key(self, keys: Sequence[int]) -> list[StoredGroup]:
        """Reads groups in the order of `keys`.

        Raises:
            KnowledgeBaseError: A key is unknown, or a row does not match its digest.
        """
        marks = ",".join("?" * len(keys))
        rows = self._rows(f"SELECT * FROM groups WHERE key IN ({marks})", keys)  # noqa: S608 - only question marks
        found = {stored.key: stored for stored in rows}
        missing = [key for key in keys if key not in found]
        if missing:
            raise KnowledgeBaseError(
                f"{self._path}: group key {missing[0]} stands in the index but not here; run `dobae index rebuild`"
            )
        return [found[key] for key in keys]

    def all_groups(self) -> Iterator[StoredGroup]:
        """Reads every group in key order.

        Raises:
            KnowledgeBaseError: The database is damaged.
        """
        return self._rows("SELECT * FROM groups ORDER BY key", ())

    def check(self) -> None:
        """Reads everything and compares every digest.

        Raises:
            KnowledgeBaseError: Something does not match.
        """
        with self._lock:
            try:
                problem = self._connection.execute("PRAGMA integrity_check").fetchone()[0]
            except sqlite3.Error as error:
                raise _damaged(self._path, error) from error
        if problem != "ok":
            raise _damaged(self._path, problem)
        if content_digest(stored.group for stored in self.all_groups()) != self.content_digest:
            raise _damaged(self._path, "the groups do not match their common digest")

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()

    def _rows(self, statement: str, parameters: Sequence[int]) -> Iterator[StoredGroup]:
        with self._lock:
            try:
                rows = self._connection.execute(statement, parameters).fetchall()
            except sqlite3.Error as error:
                raise _damaged(self._path, error) from error
        for row in rows:
            yield self._stored(row)

    def _stored(self, row: Sequence[Any]) -> StoredGroup:
        key, identifier, questions, answers, category, source, medoid, digest = row
        try:
            group = QAGroup(
                id=identifier,
                questions=tuple(json.loads(questions)),
                answers=tuple(json.loads(answers)),
                category=category,
                source=source,
            )
        except (ValueError, TypeError) as error:
            raise _damaged(self._path, error) from error
        if group_digest(group) != digest or not 0 <= medoid < len(group.answers):
            raise _damaged(self._path, f"group {identifier!r} does not match its digest")
        return StoredGroup(key, group, medoid)


def create_store(path: Path, groups: Sequence[QAGroup], medoids: Sequence[int], revision: int) -> None:
    """Writes a new store; the caller moves it into place.

    Args:
        path: Must not exist.
        groups: Groups with distinct ids, in the order they are to be listed.
        medoids: Position of each group's medoid answer.
        revision: Revision number of this content.
    """
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)
        rows = [
            (
                key,
                group.id,
                json.dumps(group.questions, ensure_ascii=False),
                json.dumps(group.answers, ensure_ascii=False),
                group.category,
                group.source,
                medoid,
                group_digest(group),
            )
            for key, (group, medoid) in enumerate(zip(groups, medoids, strict=True), 1)
        ]
        with connection:
            connection.executemany("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany(
                "INSERT INTO meta VALUES (?, ?)",
                [("schema", str(SCHEMA_VERSION)), ("revision", str(revision)), ("content", content_digest(groups))],
            )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def group_digest(group: QAGroup) -> str:
    """Returns a sha256 over every field of a group."""
    fields = [group.id, list(group.questions), list(group.answers), group.category, group.source]
    return sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()


def content_digest(groups: Iterable[QAGroup]) -> str:
    """Returns a sha256 over groups in order."""
    digest = sha256()
    for group in groups:
        digest.update(group_digest(group).encode())
    return digest.hexdigest()


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Opens read-only; on a read-only medium without the WAL's helper files, as immutable."""
    address = f"file:{quote(str(path.resolve()))}"
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM meta").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        connection = sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    return connection


def _damaged(path: Path, reason: object) -> KnowledgeBaseError:
    detail = " ".join(str(reason).split())
    return KnowledgeBaseError(
        f"{path}: damaged ({detail}); restore it from a copy, or build the base again with `dobae index build`"
    )
