"""Vectors in Milvus, through pymilvus: an index on other machines, or a Milvus Lite folder for trials.

Each making of the derived files fills one collection, which is never changed; the folder of derived files remembers its
name and a digest. A search asks for more rows than wanted, with their vectors, and scores these itself: a score is the
true cosine whatever index the cluster chose. The address comes from DOBAE_MILVUS_URL, a token from DOBAE_MILVUS_TOKEN.
"""

import json
import logging
import os
import re
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from data.errors import InputError, KnowledgeBaseError, one_line
from index.choosing import MILVUS_FILE
from index.encoders.base import Vectors
from index.places import MILVUS_VARIABLE, TOKEN_VARIABLE, address_in, read_places
from index.vectors import Neighbours, Positions, VectorIndex, cosines_of

MOST_ROWS = 16_384
"""Rows that Milvus returns at most."""

_INSERTED_AT_ONCE = 2_000
_READ_AT_ONCE = 2_000
_SECONDS = 30.0


class Cluster(NamedTuple):
    """Where Milvus listens: what pymilvus connects to, the secret, and what people see."""

    uri: str
    token: str
    shown: str

    @property
    def lite(self) -> bool:
        """Returns whether this is a Milvus Lite folder, served by this very process."""
        return self.uri.endswith(".db")


def parse_cluster(text: str) -> Cluster:
    """Reads `http://HOST:19530`, or the path of a Milvus Lite folder, which ends in `.db`.

    Raises:
        InputError: It is neither.
    """
    if text.startswith(("http://", "https://")):
        parts = urlsplit(text)
        secret, _, host = parts.netloc.rpartition("@")
        uri = parts._replace(netloc=host).geturl()
        return Cluster(uri, os.environ.get(TOKEN_VARIABLE, "") or secret, uri)
    if text.endswith(".db") and "://" not in text:
        path = str(Path(text).resolve())
        return Cluster(path, "", path)
    raise InputError(
        "the address of the vectors cannot be read; write it as http://HOST:19530, or name a Milvus Lite folder NAME.db"
    )


@dataclass(frozen=True, slots=True)
class Record:
    """What a folder of derived files remembers of its collection.

    Attributes:
        collection: Its name, drawn at random: nobody can name it who has not seen it.
        rows: Number of vectors.
        dim: Length of a vector.
        digest: sha256 over all vectors.
        retired: Name of the collection before it, which readers may use until the files are made once more.
    """

    collection: str
    rows: int
    dim: int
    digest: str
    retired: str = ""

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """Reads the record in a folder of derived files.

        Raises:
            ValueError: It is no such record.
            TypeError: It has other fields.
            OSError: It cannot be read.
        """
        record = cls(**json.loads((folder / MILVUS_FILE).read_text("utf-8")))
        names = [name for name in (record.collection, record.retired) if name]
        if not all(re.fullmatch(r"dobae_[0-9a-f]{32}", name) for name in names) or record.rows < 1 or record.dim < 1:
            raise ValueError(f"{MILVUS_FILE} names no collection of dobae")
        return record


class MilvusIndex(VectorIndex):
    """One collection of a Milvus cluster."""

    kind = "Milvus"

    def __init__(self, cluster: Cluster, record: Record) -> None:
        """Connects.

        Raises:
            KnowledgeBaseError: pymilvus is not installed, or the cluster cannot be reached.
        """
        self.cluster = cluster
        self.record = record
        self._client = connect(cluster)
        self._finalizer = weakref.finalize(self, _close, self._client)

    @classmethod
    def of(cls, vectors: Vectors, cluster: Cluster, before: Record | None = None) -> "MilvusIndex":
        """Stores unit vectors of shape `(n, dim)` as a new collection.

        Args:
            vectors: The vectors.
            cluster: Where to.
            before: The collection in use until now; the one before that is dropped.

        Raises:
            KnowledgeBaseError: The cluster cannot be reached, or refuses.
        """
        digest = _digest([vectors])
        rows, dim = vectors.shape
        retired = before.collection if before else ""
        index = cls(cluster, Record(f"dobae_{uuid4().hex}", rows, dim, digest, retired))
        try:
            index._fill(vectors)
        except BaseException:
            index.discard()
            raise
        if before and before.retired:
            index._drop(before.retired)
        return index

    @property
    def size(self) -> int:
        """Returns the number of vectors."""
        return self.record.rows

    @property
    def dim(self) -> int:
        """Returns the length of a vector."""
        return self.record.dim

    def search(self, query: Vectors, limit: int, alive: npt.NDArray[np.bool_] | None = None) -> Neighbours:
        """Finds the rows nearest to one query, as `VectorIndex.search`; at most 16,384, and a few may be missed."""
        wanted = min(limit, self.size if alive is None else int(alive.sum()), MOST_ROWS)
        if wanted < 1:
            return Neighbours(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        near = self._nearest(query, min(2 * wanted, self.size, MOST_ROWS), "")
        if alive is None:
            return _first(near, wanted)
        kept = alive[near.positions]
        near = Neighbours(near.positions[kept], near.cosines[kept])
        if len(near.positions) < wanted:
            # Too many of the nearest are dead: let Milvus leave them out, named by whichever list is shorter.
            named = np.flatnonzero(alive if 2 * int(alive.sum()) <= self.size else ~alive)
            word = "in" if alive[named[0]] else "not in"
            near = self._nearest(query, wanted, f"row {word} {named.tolist()}")
        return _first(near, wanted)

    def rows(self, positions: Positions) -> Vectors:
        """Returns the vectors of the rows at `positions`; shape `(len(positions), dim)`."""
        rows = np.empty((len(positions), self.dim), dtype=np.float32)
        for start, end in _parts(len(positions), _READ_AT_ONCE):
            wanted = positions[start:end].tolist()
            with self._reaching():
                found = self._client.get(self.record.collection, ids=wanted, output_fields=["vector"], timeout=_SECONDS)
            vectors = {entity["row"]: entity["vector"] for entity in found}
            if missing := set(wanted) - vectors.keys():
                raise KnowledgeBaseError(
                    f"{self.cluster.shown}: row {min(missing)} is missing in {self.record.collection}; "
                    "run `dobae index rebuild`"
                )
            rows[start:end] = [vectors[row] for row in wanted]
        return rows

    def vectors(self) -> Vectors:
        """Returns all rows; shape `(size, dim)`."""
        return self.rows(np.arange(self.size))

    def save(self, folder: Path) -> None:
        """Writes the name of the collection into a folder of derived files."""
        (folder / MILVUS_FILE).write_text(json.dumps(asdict(self.record), indent=2) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> "MilvusIndex":
        """Opens the collection that a folder of derived files names.

        Raises:
            ValueError: It is not there, or is another one.
            KnowledgeBaseError: The cluster cannot be reached, or the environment names none.
        """
        record = Record.read(folder)
        address = address_in(
            MILVUS_VARIABLE, folder.parent, "its vectors", read_places(folder.parent).vectors or "Milvus"
        )
        index = cls(parse_cluster(address), record)
        name = record.collection
        with index._reaching():
            if not index._client.has_collection(name, timeout=_SECONDS):
                raise ValueError(f"the collection {name} is not there")
            index._client.load_collection(name, timeout=_SECONDS)
            counted = index._client.query(
                name, filter="", output_fields=["count(*)"], consistency_level="Strong", timeout=_SECONDS
            )
        if counted[0]["count(*)"] != record.rows:
            raise ValueError(f"the collection {name} holds {counted[0]['count(*)']} vectors, not {record.rows}")
        return index

    def check(self) -> None:
        """Reads every vector and compares their digest.

        Raises:
            ValueError: They are others.
        """
        parts = (self.rows(np.arange(start, end)) for start, end in _parts(self.size, _READ_AT_ONCE))
        if _digest(parts) != self.record.digest:
            raise ValueError(f"the vectors in {self.record.collection} do not match their digest")

    def discard(self) -> None:
        """Drops the collection, which nobody uses yet."""
        with suppress(KnowledgeBaseError):
            self._drop(self.record.collection)

    def _fill(self, vectors: Vectors) -> None:
        from pymilvus import DataType

        name = self.record.collection
        with self._reaching():
            schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("row", DataType.INT64, is_primary=True)
            schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.dim)
            index = self._client.prepare_index_params()
            index.add_index("vector", index_type="AUTOINDEX", metric_type="IP")
            self._client.create_collection(
                name, schema=schema, index_params=index, consistency_level="Strong", timeout=_SECONDS
            )
            for start, end in _parts(self.size, _INSERTED_AT_ONCE):
                rows = [{"row": row, "vector": vectors[row]} for row in range(start, end)]
                self._client.insert(name, rows, timeout=_SECONDS)
            self._client.flush(name)
            self._client.load_collection(name)

    def _nearest(self, query: Vectors, limit: int, condition: str) -> Neighbours:
        with self._reaching():
            found = self._client.search(
                self.record.collection,
                data=[query],
                limit=limit,
                filter=condition,
                anns_field="vector",
                output_fields=["row", "vector"],
                timeout=_SECONDS,
            )[0]
        positions = np.array([hit["row"] for hit in found], dtype=np.int64)
        if not len(positions):
            return Neighbours(positions, np.empty(0, dtype=np.float32))
        cosines = cosines_of(np.array([hit["entity"]["vector"] for hit in found], dtype=np.float32), query)
        order = np.lexsort((positions, -cosines))
        return Neighbours(positions[order], cosines[order])

    def _drop(self, name: str) -> None:
        with self._reaching():
            if self._client.has_collection(name, timeout=_SECONDS):
                self._client.drop_collection(name, timeout=_SECONDS)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        with _reaching(self.cluster):
            yield


def connect(cluster: Cluster) -> Any:
    """Returns a `pymilvus.MilvusClient` that may lie idle for as long as it likes.

    Raises:
        KnowledgeBaseError: pymilvus is not installed, or the cluster cannot be reached.
    """
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise KnowledgeBaseError(
            f"vectors in Milvus need pymilvus ({one_line(error, 80)}); install it with `pip install '.[milvus]'`"
        ) from error
    # It tells the log of every failure that it also raises.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    if cluster.lite:
        # Milvus Lite lacks calls that pymilvus does without, and its server tells the log of each.
        logging.getLogger("grpc._server").setLevel(logging.CRITICAL)
    with _reaching(cluster):
        return MilvusClient(uri=cluster.uri, token=cluster.token, timeout=10, grpc_options=_channel_options(cluster))


@contextmanager
def _reaching(cluster: Cluster) -> Iterator[None]:
    """Turns what pymilvus raises into one line without the token."""
    from grpc import RpcError
    from pymilvus import MilvusException

    try:
        yield
    except (MilvusException, RpcError, OSError) as error:
        reason = one_line(getattr(error, "message", "") or error, 200)
        if cluster.token:
            reason = reason.replace(cluster.token, "***")
        raise KnowledgeBaseError(
            f"{cluster.shown}: Milvus cannot be reached or refuses ({reason}); start it, mend {MILVUS_VARIABLE} or "
            f"{TOKEN_VARIABLE}, or run `dobae index rebuild` where its collection was dropped"
        ) from None


def _channel_options(cluster: Cluster) -> dict[str, int]:
    """Returns what the channel needs beside pymilvus' own options.

    pymilvus pings every ten seconds, idle or not. Milvus Lite's server keeps gRPC's defaults: it throws a client out
    that pings more often than every five minutes without a call (`too_many_pings`), so an idle base would fail.
    """
    return {"grpc.keepalive_permit_without_calls": 0} if cluster.lite else {}


def _close(client: Any) -> None:
    with suppress(Exception):
        client.close()


def _first(near: Neighbours, count: int) -> Neighbours:
    return Neighbours(near.positions[:count], near.cosines[:count])


def _parts(count: int, at_once: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, at_once):
        yield start, min(count, start + at_once)


def _digest(parts: Iterator[Vectors] | Sequence[Vectors]) -> str:
    digest = sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part, dtype="<f4").tobytes())
    return digest.hexdigest()
