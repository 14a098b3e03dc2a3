"""Where the rows of a knowledge base lie: the few things the store asks of a database, and SQLite's way of doing them.

Statements carry `?` for parameters. A transaction that reads sees one state whole, whatever writers do meanwhile.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from data.errors import KnowledgeBaseError

Row = Sequence[Any]

TABLES = {
    "meta": "name TEXT PRIMARY KEY, value TEXT NOT NULL",
    "groups": (
        "key BIGINT PRIMARY KEY, id TEXT NOT NULL UNIQUE, questions TEXT NOT NULL, answers TEXT NOT NULL, "
        "category TEXT NOT NULL, source TEXT NOT NULL, medoid BIGINT NOT NULL, digest TEXT NOT NULL, "
        "revision BIGINT NOT NULL"
    ),
    "revisions": (
        "number BIGINT PRIMARY KEY, author TEXT NOT NULL, time TEXT NOT NULL, action TEXT NOT NULL, undoes BIGINT, "
        "digest TEXT NOT NULL"
    ),
    "changes": (
        "number BIGINT PRIMARY KEY, revision BIGINT NOT NULL, key BIGINT NOT NULL, group_id TEXT NOT NULL, "
        "before_json TEXT, after_json TEXT, digest TEXT NOT NULL"
    ),
}
INDEXES = {
    "changes_by_revision": "changes (revision)",
    "changes_by_key": "changes (key, number)",
    "changes_by_group": "changes (group_id, number)",
}

MAX_CELL_BYTES = 256 << 20
"""Longest value that SQLite may hand out: a forged length must not take all memory."""


class Session(Protocol):
    """One transaction."""

    def rows(self, statement: str, parameters: Row = ()) -> list[Row]:
        """Runs a statement and returns its rows."""
        ...

    def many(self, statement: str, parameters: Sequence[Row]) -> None:
        """Runs a statement once for each row of parameters."""
        ...


class Database(Protocol):
    """What a store needs; safe to use from several threads.

    Attributes:
        name: Path or address, for messages; without password.
    """

    name: str

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Opens a transaction that sees one state whole."""
        ...

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Opens a transaction that is durable when the block ends, and undone when it raises."""
        ...

    def version(self) -> object:
        """Returns something that differs once another connection has committed; cheap enough for every search."""
        ...

    def check(self) -> None:
        """Lets the database check itself.

        Raises:
            KnowledgeBaseError: It is damaged.
        """
        ...

    def close(self) -> None:
        """Closes the database."""
        ...


def damaged(name: object, reason: object) -> KnowledgeBaseError:
    """Returns the error for a database that cannot be trusted."""
    detail = " ".join(str(reason).split())
    return KnowledgeBaseError(
        f"{name}: damaged ({detail}); restore it from a copy, or build the base again with `dobae index build`"
    )


class SqliteSession:
    """A transaction on one SQLite connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Row = ()) -> list[Row]:
        """Runs a statement and returns its rows."""
        return self._connection.execute(statement, parameters).fetchall()

    def many(self, statement: str, parameters: Sequence[Row]) -> None:
        """Runs a statement once for each row of parameters."""
        self._connection.executemany(statement, parameters)


class SqliteDatabase:
    """One SQLite file in WAL mode: readers go on while one writes."""

    def __init__(self, path: Path) -> None:
        """Opens the file for reading.

        Raises:
            KnowledgeBaseError: It is missing, damaged, or holds what is not ours.
        """
        self.path = path
        self.name = str(path)
        self._lock = threading.RLock()
        if not path.is_file():
            raise KnowledgeBaseError(f"{path}: is missing; build the knowledge base again with `dobae index build`")
        try:
            extent = _extent(path)
            self._connection, immutable = _connect_to_read(path)
            # An immutable connection never notices a writer: what the file was like is compared instead.
            self._extent = extent if immutable else None
            self._openings = 1
            self._file = _identity(path)
            _check_schema(self._connection)
        except (sqlite3.Error, ValueError) as error:
            if not os.access(path, os.R_OK):
                raise KnowledgeBaseError(f"{path}: may not be read; ask its owner for permission") from error
            raise damaged(path, error) from error

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Opens a transaction that sees one state whole."""
        with self._lock:
            try:
                self._notice_writers()
                self._connection.execute("BEGIN")
                yield SqliteSession(self._connection)
            except sqlite3.Error as error:
                raise damaged(self.path, error) from error
            finally:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Opens a transaction; when the block has ended it lies on the disk.

        Raises:
            KnowledgeBaseError: The disk is full, the file may not be written or is damaged; nothing was changed.
        """
        try:
            with closing(_connect_to_write(self.path)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield SqliteSession(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                    raise
                # The change is safe in the write-ahead log already; at rest all of it lies in the main file.
                with suppress(sqlite3.Error):
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise _not_written(self.path, error) from error

    def version(self) -> object:
        """Returns what differs once another connection has committed, or another file lies here."""
        with self._lock:
            try:
                self._notice_writers()
                row = self._connection.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error as error:
                raise damaged(self.path, error) from error
            return self._openings, row[0]

    def replaced(self) -> bool:
        """Tells whether another file has taken this one's place."""
        return _identity(self.path) != self._file

    def check(self) -> None:
        """Runs SQLite's own check of pages and indexes."""
        with self.reading() as session:
            problem = session.rows("PRAGMA integrity_check")[0][0]
        if problem != "ok":
            raise damaged(self.path, problem)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _notice_writers(self) -> None:
        """Opens an immutable file again once somebody has written to it."""
        if self._extent is None or self.replaced() or (extent := _extent(self.path)) == self._extent:
            return
        connection, immutable = _connect_to_read(self.path)
        self._connection.close()
        self._connection, self._extent = connection, extent if immutable else None
        self._openings += 1


def create_sqlite(path: Path) -> SqliteDatabase:
    """Makes an empty database; `path` must not exist."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        for statement in schema_statements():
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return SqliteDatabase(path)


def schema_statements() -> Iterator[str]:
    """Yields what makes the tables and indexes."""
    for name, columns in TABLES.items():
        yield f"CREATE TABLE IF NOT EXISTS {name} ({columns})"
    for name, columns in INDEXES.items():
        yield f"CREATE INDEX IF NOT EXISTS {name} ON {columns}"


def _connect_to_read(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Opens read-only; where the WAL's helper files are missing and may not be made, as immutable, and says so."""
    address = f"file:{quote(str(path.resolve()))}"
    connection = _guarded(f"{address}?mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        # An immutable database is read without its log, and the log may hold the last changes.
        if log.is_file() and log.stat().st_size:
            raise
        return _guarded(f"{address}?mode=ro&immutable=1"), True
    return connection, False


def _connect_to_write(path: Path) -> sqlite3.Connection:
    connection = _guarded(f"file:{quote(str(path.resolve()))}?mode=rw")
    try:
        connection.execute("PRAGMA synchronous = FULL")
        _check_schema(connection)
    except (sqlite3.Error, ValueError) as error:
        connection.close()
        if isinstance(error, ValueError):
            raise damaged(path, error) from error
        raise
    return connection


def _guarded(address: str) -> sqlite3.Connection:
    """Connects so that nothing in the file can run code or ask for all memory; extensions are off by default."""
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL_BYTES)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _check_schema(connection: sqlite3.Connection) -> None:
    """Refuses views, triggers and tables of others: a stranger's database must not choose what a statement does."""
    for kind, name in connection.execute("SELECT type, name FROM sqlite_master"):
        ours = (kind == "table" and name in TABLES) or (kind == "index" and name in INDEXES)
        if not ours and not str(name).startswith("sqlite_autoindex_"):
            raise ValueError(f"it holds a {kind} {str(name)[:40]!r} that dobae did not make")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _extent(path: Path) -> tuple[int, int, int] | None:
    """Size and times of a file and its log, which every write changes."""
    try:
        status = path.stat()
        log = path.with_name(f"{path.name}-wal")
        return status.st_size, status.st_mtime_ns, log.stat().st_mtime_ns if log.is_file() else 0
    except OSError:
        return None


def _not_written(path: Path, error: sqlite3.Error) -> KnowledgeBaseError:
    reason = " ".join(str(error).split())
    if any(word in reason for word in ("malformed", "not a database", "corrupt")):
        return damaged(path, reason)
    mend = "free some space" if "full" in reason or "disk I/O" in reason else "mend its permissions or choose another"
    return KnowledgeBaseError(f"{path}: cannot be written ({reason}); {mend}; nothing was changed")
