"""Moves the parts of a base between its directory and servers, and compares what it moved.

Groups and their whole history go between SQLite and PostgreSQL, vectors between files and Milvus. Rows are copied as
they are, keys and digests included, in one transaction; the base then goes over to the copy, once both were read again
and found equal. Whoever reads the base takes the copy up by himself.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.errors import InputError, KnowledgeBaseError
from index.building import Choose, derive_again, in_milvus
from index.choosing import choose_index
from index.database import Database, Row, Session, create_sqlite
from index.encoders.base import Encoder, Progress, Vectors
from index.history import State
from index.knowledge_base import check_encoder
from index.locking import writing
from index.manifest import FILE_NAME as MANIFEST_FILE
from index.manifest import Manifest, read_manifest, sync
from index.milvus import parse_cluster
from index.places import FILE_NAME as PLACES_FILE
from index.places import TRUTH_VARIABLE, Places, address_in, read_places
from index.store import FILE_NAME as STORE_FILE
from index.store import GroupStore, open_database
from index.store_rows import CHANGE_COLUMNS, GROUP_COLUMNS, REVISION_COLUMNS, read_state
from index.vectors import VectorIndex

SET_ASIDE = "groups.before-migration.sqlite"

_AT_ONCE = 2_000
_COPIED = (
    ("groups", "key", GROUP_COLUMNS),
    ("revisions", "number", REVISION_COLUMNS),
    ("changes", "number", CHANGE_COLUMNS),
)


class Copied(NamedTuple):
    """What a store holds: its state, and for each table how many rows and a sha256 over all of them."""

    state: State
    tables: dict[str, tuple[int, str]]


def move_groups(path: Path, target: str) -> tuple[Copied, str]:
    """Moves the groups and the history of the base at `path`.

    Args:
        path: The base.
        target: A `postgresql://` address, or "sqlite" for a file in the directory.

    Returns:
        What was moved, and a sentence about what was left behind.

    Raises:
        InputError: They lie there already, or the target is not empty.
        KnowledgeBaseError: Either side cannot be read or written, or differs after copying; the base is unchanged.
    """
    path = path.resolve()
    with writing(path, "dobae index migrate"):
        places = read_places(path)
        if (target == "sqlite") == (not places.truth):
            where = places.truth or path / STORE_FILE
            raise InputError(f"{path}: its groups lie in {where} already; name another --truth")
        source = open_database(path)
        try:
            GroupStore(source).check()
            if target == "sqlite":
                return _to_sqlite(path, places, source)
            return _to_postgres(path, places, source, target)
        finally:
            source.close()


def move_vectors(
    path: Path, target: str, encoder: Encoder, *, progress: Progress | None = None
) -> tuple[Manifest, str]:
    """Moves the vectors of the base at `path`; the other index files are made again beside them.

    Args:
        path: The base.
        target: The address of a Milvus cluster, the path of a Milvus Lite folder, or "files" for the directory.
        encoder: The base's own; new vectors come from the cache, and what is missing there is encoded.
        progress: Told how many questions are encoded.

    Returns:
        The new manifest, and a sentence about what was left behind.

    Raises:
        InputError: They lie there already.
        KnowledgeBaseError: The cluster cannot be reached, or what it stored differs; the base is unchanged.
    """
    path = path.resolve()
    with writing(path, "dobae index migrate"):
        places = read_places(path)
        if (target == "files") == (not places.vectors):
            raise InputError(f"{path}: its vectors lie in {places.vectors or 'files'} already; name another --vectors")
        check_encoder(path, read_manifest(path), encoder)
        cluster = None if target == "files" else parse_cluster(target)
        place: Choose = choose_index if cluster is None else in_milvus(path, cluster)

        def choose(vectors: Vectors) -> tuple[VectorIndex, str]:
            index, why = place(vectors)
            if not np.array_equal(index.vectors(), vectors):
                index.discard()
                raise KnowledgeBaseError(f"{target}: the vectors differ after copying; the base is unchanged")
            return index, why

        manifest = derive_again(path, encoder, choose=choose, progress=progress)
        replace(places, vectors=cluster.shown if cluster else "").write(path)
        sync(path)
    left = f"the collections of this base in {places.vectors} are kept; drop them once no reader uses them"
    return manifest, left if places.vectors else ""


def attach_groups(path: Path, encoder: Encoder, *, progress: Progress | None = None) -> Manifest:
    """Makes a directory, with index files of its own, for the base that lies in PostgreSQL.

    Args:
        path: A directory to make, an empty one, or one whose `places.json` is lost or damaged.
        encoder: Encodes the questions.
        progress: Told how many questions are encoded.

    Raises:
        InputError: `path` holds something else.
        KnowledgeBaseError: The environment names no server, or it cannot be reached.
    """
    from index.postgres import PostgresDatabase

    path = path.resolve()
    if (path / STORE_FILE).exists() or path.is_file():
        raise InputError(f"{path}: holds a knowledge base of its own or is a file; name another directory")
    ours = (MANIFEST_FILE, PLACES_FILE)
    if path.is_dir() and any(path.iterdir()) and not any((path / name).exists() for name in ours):
        raise InputError(f"{path}: holds other files and no knowledge base; name another directory")
    database = PostgresDatabase(address_in(TRUTH_VARIABLE, path, "its groups", "PostgreSQL"))
    try:
        state = GroupStore(database).state()
    finally:
        database.close()
    with writing(path, "dobae index attach"):
        path.mkdir(parents=True, exist_ok=True)
        Places(base=state.base, truth=database.name).write(path)
        return derive_again(path, encoder, progress=progress)


def contents(session: Session, name: str) -> Copied:
    """Reads everything that a store holds, and digests it."""
    tables = {}
    for table, key, columns in _COPIED:
        digest, count = sha256(), 0
        for rows in _pages(session, table, key, columns):
            count += len(rows)
            for row in rows:
                digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        tables[table] = (count, digest.hexdigest())
    return Copied(read_state(session, name), tables)


def _to_postgres(path: Path, places: Places, source: Database, address: str) -> tuple[Copied, str]:
    from index.postgres import PostgresDatabase, creating_postgres, parse_address

    with source.writing() as session:
        before = contents(session, source.name)
        with creating_postgres(address) as target:
            _copy(session, target)
    database = PostgresDatabase(address)
    try:
        _compare(before, database)
    finally:
        database.close()
    replace(places, base=before.state.base, truth=parse_address(address).shown).write(path)
    source.close()
    (path / STORE_FILE).replace(path / SET_ASIDE)
    # SQLite's helper files; its log is empty once a transaction has ended.
    _remove(path / STORE_FILE)
    sync(path)
    return before, f"the SQLite file is kept as {SET_ASIDE}, which nothing reads any more"


def _to_sqlite(path: Path, places: Places, source: Database) -> tuple[Copied, str]:
    target, beside = path / STORE_FILE, path / f".{STORE_FILE}.migrating"
    if target.exists():
        raise InputError(f"{target}: is not empty; move it elsewhere")
    _remove(beside)
    try:
        # Writers on other machines wait until the base has gone over.
        with source.writing() as session:
            before = contents(session, source.name)
            database = create_sqlite(beside)
            try:
                with database.writing() as copy:
                    _copy(session, copy)
                _compare(before, database)
            finally:
                database.close()
            sync(beside)
            beside.rename(target)
            sync(path)
            replace(places, base="", truth="").write(path)
            sync(path)
    finally:
        _remove(beside)
    return before, f"the rows in {source.name} are kept; drop that schema once no other machine uses it"


def _copy(source: Session, target: Session) -> None:
    for table, key, columns in _COPIED:
        statement = f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"  # noqa: S608
        for rows in _pages(source, table, key, columns):
            target.many(statement, rows)
    target.many("INSERT INTO meta VALUES (?, ?)", source.rows("SELECT name, value FROM meta"))


def _compare(before: Copied, database: Database) -> None:
    with database.reading() as session:
        after = contents(session, database.name)
    GroupStore(database).check()
    if after != before:
        differing = [name for name, found in after.tables.items() if found != before.tables[name]] or ["state"]
        raise KnowledgeBaseError(
            f"{database.name}: differs from the original after copying ({', '.join(differing)}); the base is unchanged"
        )


def _pages(session: Session, table: str, key: str, columns: str) -> Iterator[list[Row]]:
    """All rows of a table in the order of their key, in parts, to spare memory."""
    last = 0
    place = columns.split(", ").index(key)
    while True:
        statement = f"SELECT {columns} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT {_AT_ONCE}"  # noqa: S608
        rows: list[Row] = [tuple(row) for row in session.rows(statement, [last])]
        if rows:
            yield rows
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1][place]


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
