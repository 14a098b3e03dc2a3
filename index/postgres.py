"""The rows of a knowledge base in PostgreSQL, through SQLAlchemy and psycopg: one truth for several machines.

A base takes one schema of a database, `dobae` or what `?schema=NAME` of the address says. Readers see one state whole
(repeatable read); a writer holds a lock on the table `meta`, which the server frees when its connection ends, however
it ends. The password may stand in the address, in PGPASSWORD or in ~/.pgpass; no message and no file repeats it.
"""

import os
import re
import socket
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from data.errors import InputError, KnowledgeBaseError, one_line
from index.database import TABLES, Row, Session, damaged, schema_statements
from index.locking import user_name

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.exc import SQLAlchemyError

DEFAULT_SCHEMA = "dobae"

CONNECT_SECONDS = 5
"""Longest wait for a server that does not answer."""

WRITER_SECONDS = 10
"""Longest wait for another writer, as SQLite's."""

PAUSE_SECONDS = 1.0
"""Pause after a server that could not be reached, before a search asks it for its revision again."""

_SHOWN = ("host", "port", "sslmode", "sslrootcert")
"""Parts of an address's query that hold no secret."""


class Address(NamedTuple):
    """A PostgreSQL address, taken apart: what SQLAlchemy connects to, the schema, what people see, and the secret."""

    url: "URL"
    schema: str
    shown: str
    secret: str


def parse_address(text: str) -> Address:
    """Reads `postgresql://USER@HOST:PORT/DATABASE?schema=NAME`.

    Raises:
        InputError: It is no such address.
        KnowledgeBaseError: SQLAlchemy or psycopg is not installed.
    """
    _require()
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Not chained: the cause may quote a part of the password.
        raise InputError(
            "the address of the groups cannot be read; write it as postgresql://USER@HOST:PORT/DATABASE"
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise InputError(
            f"the address of the groups begins with {url.get_backend_name()[:20]!r}; it must be a postgresql:// address"
        )
    query = {name: value if isinstance(value, str) else value[0] for name, value in url.query.items()}
    schema = query.pop("schema", DEFAULT_SCHEMA)
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema) or schema.startswith("pg_"):
        raise InputError("the schema of an address must be of small letters, digits and _, for example ?schema=kb2")
    secret = query.pop("password", None) or url.password or ""
    user = query.pop("user", None) or url.username
    place: dict[str, Any] = {"username": user, "host": url.host, "port": url.port, "database": url.database}
    full = URL.create("postgresql+psycopg", password=str(secret) or None, query=query, **place)
    public = {name: query[name] for name in _SHOWN if name in query}
    shown = URL.create("postgresql", query=public | {"schema": schema}, **place)
    return Address(full, schema, shown.render_as_string(), str(secret))


class PostgresSession:
    """One transaction on one connection."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Row = ()) -> list[Row]:
        """Runs a statement and returns its rows."""
        result = self._connection.exec_driver_sql(statement.replace("?", "%s"), tuple(parameters))
        return [tuple(row) for row in result.fetchall()] if result.returns_rows else []

    def many(self, statement: str, parameters: Sequence[Row]) -> None:
        """Runs a statement once for each row of parameters."""
        if parameters:
            self._connection.exec_driver_sql(statement.replace("?", "%s"), [tuple(row) for row in parameters])


class PostgresDatabase:
    """The schema of one base; safe to use from several threads."""

    def __init__(self, address: str) -> None:
        """Connects.

        Raises:
            InputError: The address cannot be read.
            KnowledgeBaseError: The server cannot be reached, or holds no base or what is not ours.
        """
        self._address = parse_address(address)
        self.name = self._address.shown
        self._engine = _engine(self._address)
        self._down: tuple[float, KnowledgeBaseError] | None = None
        # Whoever forgets a base leaves no connection open.
        self._finalizer = weakref.finalize(self, self._engine.dispose)
        with self.reading() as session:
            self._check_schema(session)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Opens a transaction that sees one state whole."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                with connection.begin():
                    yield PostgresSession(connection)
        except SQLAlchemyError as error:
            raise _failure(self._address, error) from None

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Opens a transaction; when the block has ended the server has written it down.

        Raises:
            KnowledgeBaseError: Another process is writing, or the server refuses or is lost.
        """
        from sqlalchemy.exc import SQLAlchemyError

        committing = False
        try:
            with self._engine.connect() as connection:
                transaction = connection.begin()
                try:
                    self._lock(connection)
                    yield PostgresSession(connection)
                    committing = True
                    transaction.commit()
                except BaseException:
                    with suppress(SQLAlchemyError):
                        transaction.rollback()
                    raise
        except SQLAlchemyError as error:
            if committing and _lost(error):
                raise KnowledgeBaseError(
                    f"{self.name}: the connection was lost while the change was being stored, and it may or may not "
                    "stand; see `dobae index history` before trying again"
                ) from None
            raise _failure(self._address, error, "; nothing was changed") from None

    def version(self) -> object:
        """Returns what differs once another connection has committed, or another base lies here."""
        from sqlalchemy.exc import SQLAlchemyError

        if self._down and time.monotonic() < self._down[0]:
            raise self._down[1]
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(isolation_level="AUTOCOMMIT")
                rows = PostgresSession(connection).rows(
                    "SELECT name, value FROM meta WHERE name IN ('base', 'revision') ORDER BY name"
                )
        except SQLAlchemyError as error:
            failure = _failure(self._address, error)
            self._down = time.monotonic() + PAUSE_SECONDS, failure
            raise failure from None
        self._down = None
        return tuple(rows)

    def check(self) -> None:
        """Checks that the tables are ours and plain; PostgreSQL guards its pages itself."""
        with self.reading() as session:
            self._check_schema(session)

    def close(self) -> None:
        """Closes every connection."""
        self._finalizer()

    def _lock(self, connection: "Connection") -> None:
        from sqlalchemy.exc import OperationalError

        run = connection.exec_driver_sql
        run(
            "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'",
        )
        run(f"SET LOCAL lock_timeout = '{WRITER_SECONDS}s'")
        try:
            # Keeps other writers out; readers go on.
            run("LOCK TABLE meta IN EXCLUSIVE MODE")
        except OperationalError as error:
            if _state(error) != "55P03":
                raise
            raise KnowledgeBaseError(
                f"{self.name}: another process is writing here{self._writer()}; wait for it to end"
            ) from None

    def _writer(self) -> str:
        """Who holds the lock, and since when."""
        statement = (
            "SELECT application_name, extract(epoch FROM clock_timestamp() - xact_start)::int FROM pg_stat_activity "
            "JOIN pg_locks USING (pid) WHERE relation = 'meta'::regclass AND mode = 'ExclusiveLock' AND granted"
        )
        with suppress(KnowledgeBaseError), self.reading() as session:
            for name, seconds in session.rows(statement):
                return f" ({one_line(name, 100)}, for {seconds} s)"
        return ""

    def _check_schema(self, session: Session) -> None:
        """Refuses a server that would change texts, and views, triggers and rules: they choose what statements do."""
        encoding = session.rows("SHOW server_encoding")[0][0]
        if encoding != "UTF8":
            raise KnowledgeBaseError(
                f"{self.name}: the database stores texts as {encoding}; make one with ENCODING 'UTF8' and migrate to it"
            )
        found = session.rows(
            "SELECT relname, relkind::text, relhastriggers, relhasrules, relrowsecurity FROM pg_class "
            "WHERE relnamespace = to_regnamespace(?) AND relkind NOT IN ('i', 't')",
            [self._address.schema],
        )
        if not {row[0] for row in found} >= TABLES.keys():
            raise KnowledgeBaseError(
                f"{self.name}: holds no knowledge base; move one there with `dobae index migrate`, or mend the address"
            )
        for name, kind, *special in found:
            if name not in TABLES or kind != "r" or any(special):
                raise damaged(self.name, f"{name[:40]!r} is not as dobae made it")


@contextmanager
def creating_postgres(address: str) -> Iterator[Session]:
    """Makes the empty tables of a base, and opens the transaction that makes them: all of it is stored, or nothing.

    Raises:
        InputError: The schema holds something already.
        KnowledgeBaseError: The server cannot be reached or refuses.
    """
    from sqlalchemy.exc import SQLAlchemyError

    parsed = parse_address(address)
    engine = _engine(parsed)
    try:
        with engine.begin() as connection:
            session = PostgresSession(connection)
            if not session.rows("SELECT to_regnamespace(?)::text", [parsed.schema])[0][0]:
                session.rows(f"CREATE SCHEMA {parsed.schema}")
            held = session.rows(
                "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(?) LIMIT 1", [parsed.schema]
            )
            if held:
                raise InputError(
                    f"{parsed.shown}: is not empty (it holds {held[0][0][:40]!r}); "
                    "name another schema with ?schema=NAME, or drop this one"
                )
            for statement in schema_statements():
                session.rows(statement)
            yield session
    except SQLAlchemyError as error:
        raise _failure(parsed, error, "; nothing was changed") from None
    finally:
        engine.dispose()


def _engine(address: Address) -> "Engine":
    from sqlalchemy import create_engine

    query = address.url.query
    given = query.get("options", "")
    options = f"{given if isinstance(given, str) else ' '.join(given)} -c search_path={address.schema}"
    own: dict[str, Any] = {"options": options.strip(), "client_encoding": "utf8"}
    own["application_name"] = f"dobae {user_name()}@{socket.gethostname()}, process {os.getpid()}"[:63]
    patience = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": 1_000 * WRITER_SECONDS}
    own |= {name: value for name, value in patience.items() if name not in query}
    # Answers and questions belong in no log either.
    return create_engine(
        address.url, connect_args=own, pool_pre_ping=True, pool_size=5, max_overflow=20, hide_parameters=True
    )


def _failure(address: Address, error: "SQLAlchemyError", consequence: str = "") -> KnowledgeBaseError:
    """Says what went wrong on one line, without statement, values or password."""
    reason = one_line(getattr(error, "orig", None) or type(error).__name__, 300)
    if address.secret:
        reason = reason.replace(address.secret, "***")
    state = _state(error)
    if _lost(error):
        return KnowledgeBaseError(
            f"{address.shown}: cannot be reached ({reason}); start the server, or mend the address or the password "
            f"(PGPASSWORD or ~/.pgpass){consequence}"
        )
    if state.startswith("XX"):
        return damaged(address.shown, reason)
    if state == "42501":
        return KnowledgeBaseError(f"{address.shown}: {reason}; ask the owner of the database{consequence}")
    return KnowledgeBaseError(f"{address.shown}: the database refuses ({reason}){consequence}")


def _state(error: "SQLAlchemyError") -> str:
    """The five characters by which PostgreSQL names a failure; empty where no server answered."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def _lost(error: "SQLAlchemyError") -> bool:
    """Tells whether the server was not reached, let nobody in, or went away."""
    from sqlalchemy.exc import DBAPIError

    state = _state(error)
    gone = isinstance(error, DBAPIError) and (error.connection_invalidated or not state)
    return gone or state.startswith(("08", "28", "3D", "53", "57P"))


def _require() -> None:
    try:
        import psycopg  # noqa: F401 - only whether it is there
        import sqlalchemy  # noqa: F401
    except ImportError as error:
        raise KnowledgeBaseError(
            f"groups in PostgreSQL need SQLAlchemy and psycopg ({one_line(error, 80)}); "
            "install them with `pip install '.[postgres]'`"
        ) from error
