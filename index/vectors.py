"""What an index over unit vectors is, and the exact one, through FAISS."""

import struct
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import faiss
import numpy as np
import numpy.typing as npt

from index.encoders.base import Vectors

# FAISS's type stubs describe the C++ signatures, not the keyword arguments its Python wrapper adds.
_native: Any = faiss

Positions = npt.NDArray[np.int64]


VECTORS_FILE = "questions.faiss"


class Neighbours(NamedTuple):
    """Positions of the nearest rows, nearest first, and their cosines."""

    positions: Positions
    cosines: Vectors


def cosines_of(rows: Vectors, query: Vectors) -> Vectors:
    """Returns the cosine of a query and each row; shape `(len(rows),)`.

    Summed in float64, so that a row's cosine is the same float32 wherever the row lies: sums in float32 depend on how
    many rows stand beside it.
    """
    cosines: Vectors = (rows.astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
    return cosines


class RowSearch(Protocol):
    """What ranking asks of an index over rows."""

    def search(self, query: Vectors, limit: int) -> Neighbours:
        """Finds the rows nearest to one query."""
        ...

    def rows(self, positions: Positions) -> Vectors:
        """Returns the vectors of the rows at `positions`; shape `(len(positions), dim)`."""
        ...


class VectorIndex(ABC):
    """An index over unit vectors; positions are row numbers of the vectors it was built from."""

    kind: str
    """What it is, for `dobae index info`."""

    @staticmethod
    def build(vectors: Vectors) -> "VectorIndex":
        """Indexes unit vectors of shape `(n, dim)`, exactly."""
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(vectors)
        return FlatIndex(flat)

    @property
    @abstractmethod
    def size(self) -> int:
        """Returns the number of vectors."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Returns the length of a vector."""

    @abstractmethod
    def search(self, query: Vectors, limit: int, alive: npt.NDArray[np.bool_] | None = None) -> Neighbours:
        """Finds the rows nearest to one query.

        Args:
            query: Unit vector of shape `(dim,)`.
            limit: Number of rows wanted; fewer come back when the index is smaller.
            alive: Rows that may be found, shape `(size,)`; all of them if None.
        """

    @abstractmethod
    def rows(self, positions: Positions) -> Vectors:
        """Returns the vectors of the rows at `positions`; shape `(len(positions), dim)`."""

    @abstractmethod
    def vectors(self) -> Vectors:
        """Returns all rows; shape `(size, dim)`."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes the index into a folder of derived files."""

    def check(self) -> None:
        """Checks what the digests of files do not cover.

        Raises:
            ValueError: It is not what was stored.
        """
        return

    def discard(self) -> None:
        """Takes back what building left outside of the folder that it was to be saved in."""
        return


class FlatIndex(VectorIndex):
    """Exact search by FAISS: every row is looked at."""

    kind = "exact"

    def __init__(self, flat: faiss.IndexFlatIP) -> None:
        self._flat = flat

    @property
    def size(self) -> int:
        """Returns the number of vectors."""
        return int(self._flat.ntotal)

    @property
    def dim(self) -> int:
        """Returns the length of a vector."""
        return int(self._flat.d)

    def search(self, query: Vectors, limit: int, alive: npt.NDArray[np.bool_] | None = None) -> Neighbours:
        """Finds the rows nearest to one query.

        Args:
            query: Unit vector of shape `(dim,)`.
            limit: Number of rows wanted; fewer come back when the index is smaller.
            alive: Rows that may be found, shape `(size,)`; all of them if None.
        """
        if limit < 1:
            return Neighbours(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        # FAISS parallelises over queries, so that one query needs no word about threads.
        if alive is None:
            cosines, positions = self._flat.search(query[None, :], min(limit, self.size))
            return Neighbours(positions[0], cosines[0])
        bits = np.packbits(alive, bitorder="little")
        parameters = _native.SearchParameters(sel=_native.IDSelectorBitmap(bits))
        cosines, positions = self._flat.search(query[None, :], min(limit, self.size), params=parameters)
        found = positions[0] >= 0
        return Neighbours(positions[0][found], cosines[0][found])

    def rows(self, positions: Positions) -> Vectors:
        """Returns the vectors of the rows at `positions`; shape `(len(positions), dim)`."""
        found: Vectors = self._flat.reconstruct_batch(positions)
        return found

    def vectors(self) -> Vectors:
        """Returns all rows; shape `(size, dim)`."""
        rows: Vectors = self._flat.reconstruct_n(0, self.size)
        return rows

    def save(self, folder: Path) -> None:
        """Writes the index file into a folder of derived files."""
        # In FAISS's own format, but not by its writer, which tells standard error of a full disk itself.
        words = self.dim * self.size
        header = _HEADER.pack(b"IxFI", self.dim, self.size, 1 << 20, 1 << 20, True, faiss.METRIC_INNER_PRODUCT, words)
        with (folder / VECTORS_FILE).open("wb") as file:
            file.write(header)
            self.vectors().astype("<f4", copy=False).tofile(file)

    @classmethod
    def load(cls, folder: Path) -> "FlatIndex":
        """Reads an index file whose digest the caller has verified: FAISS trusts what it reads.

        Raises:
            TypeError: The file holds another kind of index.
            ValueError: Its header does not fit its size.
        """
        path = folder / VECTORS_FILE
        _check_flat(path)
        flat = faiss.read_index(str(path))
        if not isinstance(flat, faiss.IndexFlatIP):
            raise TypeError(f"{path.name} holds a {type(flat).__name__}, not an IndexFlatIP")
        return cls(flat)


_HEADER = struct.Struct("<4siqqq?iQ")
"""What a flat FAISS file begins with: kind, dim, rows, two unused numbers, trained, metric, count of 4-byte words."""


def _check_flat(path: Path) -> None:
    """Reads the header as FAISS will, so that a forged one cannot make it take memory or read beyond the file."""
    with path.open("rb") as file:
        raw = file.read(_HEADER.size)
    if len(raw) < _HEADER.size:
        raise ValueError(f"{path.name} is cut off")
    kind, dim, rows, _, _, _, metric, words = _HEADER.unpack(raw)
    if kind != b"IxFI" or metric != faiss.METRIC_INNER_PRODUCT:
        raise TypeError(f"{path.name} holds an index of kind {kind!r}, not a flat one by inner product")
    if dim < 1 or rows < 0 or words != dim * rows or path.stat().st_size != _HEADER.size + 4 * words:
        raise ValueError(f"{path.name} declares {rows} vectors of {dim} numbers, which it does not hold")
