"""Encodes each distinct text once, ever: vectors are kept by encoder fingerprint and text.

The cache is derived data. It may be deleted at any time, and a damaged one is set aside and begun anew.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote
from zlib import crc32

import numpy as np

from index.encoders.base import Encoder, Progress, Vectors

CACHE_FILE = "embeddings.sqlite"

CHUNK = 64
"""Texts encoded between two reports of progress."""

_SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"


class EmbeddingCache:
    """Vectors of texts encoded as queries, in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def encode_queries(self, encoder: Encoder, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Encodes texts, taking from the cache what was encoded before.

        Args:
            encoder: Encodes what is missing.
            texts: May repeat; each distinct text is encoded once.
            progress: Told how many of the missing texts are done.

        Returns:
            float32 array of shape `(len(texts), encoder.dim)`, rows in the order of `texts`.
        """
        try:
            return self._encode(encoder, texts, progress)
        except sqlite3.OperationalError:
            # Busy, or on a full or read-only disk: what it holds is worth keeping.
            return self.read_queries(encoder, texts)
        except sqlite3.DatabaseError:
            # Damage may show only when a page is read.
            self._path.unlink(missing_ok=True)
            return self._encode(encoder, texts, progress)

    def read_queries(self, encoder: Encoder, texts: Sequence[str]) -> Vectors:
        """Encodes texts as `encode_queries` does, but never writes: for readers, beside whom another process writes."""
        keys = {text: _key(encoder, text) for text in texts}
        known: dict[str, Vectors] = {}
        if keys and self._path.is_file():
            address = f"file:{quote(str(self._path.resolve()))}?mode=ro"
            # What a damaged or busy cache does not give is encoded.
            with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True, timeout=1)) as connection:
                known = _lookup(connection, keys, encoder.dim)
        missing = [text for text in keys if text not in known]
        if missing:
            known.update(zip(missing, encoder.encode_queries(missing), strict=True))
        if not texts:
            return np.empty((0, encoder.dim), dtype=np.float32)
        return np.stack([known[text] for text in texts])

    def _encode(self, encoder: Encoder, texts: Sequence[str], progress: Progress | None) -> Vectors:
        keys = {text: _key(encoder, text) for text in texts}
        with closing(_connect(self._path)) as connection:
            known = _lookup(connection, keys, encoder.dim)
            missing = [text for text in keys if text not in known]
            for start in range(0, len(missing), CHUNK):
                chunk = missing[start : start + CHUNK]
                vectors = encoder.encode_queries(chunk)
                known.update(zip(chunk, vectors, strict=True))
                connection.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                    [(keys[text], _packed(vector)) for text, vector in zip(chunk, vectors, strict=True)],
                )
                # A kill while the next chunk is encoded loses nothing of this one.
                connection.commit()
                if progress:
                    progress(min(start + CHUNK, len(missing)), len(missing))
        if not texts:
            return np.empty((0, encoder.dim), dtype=np.float32)
        return np.stack([known[text] for text in texts])


class CachedEncoder:
    """An encoder that remembers: what it encoded before, in any process, comes from a cache.

    Args:
        encoder: Encodes what is missing.
        cache: Where vectors are kept.
    """

    def __init__(self, encoder: Encoder, cache: EmbeddingCache) -> None:
        self._queries = encoder
        self._passages = AsPassages(encoder)
        self._cache = cache
        self.spec = encoder.spec
        self.dim = encoder.dim
        self.fingerprint = encoder.fingerprint

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encodes questions as the encoder does; shape `(len(texts), dim)`."""
        return self._cache.encode_queries(self._queries, texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encodes passages as the encoder does; shape `(len(texts), dim)`."""
        return self._cache.encode_queries(self._passages, texts)


class AsPassages:
    """An encoder whose queries are another's passages: the cache knows queries only."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.spec = encoder.spec
        self.dim = encoder.dim
        self.fingerprint = f"{encoder.fingerprint}/passages"

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encodes passages; shape `(len(texts), dim)`."""
        return self._encoder.encode_passages(texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encodes passages; shape `(len(texts), dim)`."""
        return self._encoder.encode_passages(texts)


def _key(encoder: Encoder, text: str) -> bytes:
    return blake2b(f"query\x1f{encoder.fingerprint}\x1f{text}".encode(), digest_size=16).digest()


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    try:
        # Losing the last seconds of a cache in a power cut costs only encoding them again.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(_SCHEMA)
        connection.execute("SELECT count(*) FROM (SELECT key FROM vectors LIMIT 1)").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _lookup(connection: sqlite3.Connection, keys: dict[str, bytes], dim: int) -> dict[str, Vectors]:
    found: dict[str, Vectors] = {}
    for text, key in keys.items():
        row = connection.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
        vector = _unpacked(row[0], dim) if row else None
        if vector is not None:
            found[text] = vector
    return found


def _packed(vector: Vectors) -> bytes:
    raw = vector.tobytes()
    return raw + crc32(raw).to_bytes(4, "little")


def _unpacked(blob: bytes, dim: int) -> Vectors | None:
    """The vector in a cell, or None where the cell is damaged: then the text is encoded again."""
    raw, check = blob[:-4], blob[-4:]
    if len(raw) != 4 * dim or crc32(raw).to_bytes(4, "little") != check:
        return None
    return np.frombuffer(raw, dtype=np.float32)
