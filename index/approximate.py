"""Approximate search for large bases: inverted lists of 8-bit vectors, and the exact vectors on disk to score by.

A query visits the lists whose centres are nearest to it and takes a pool of candidates by their 8-bit vectors; the
pool is scored again with the exact ones, which stay in a memory-mapped file, so that a score is the true cosine and an
error of quantising costs no place within the pool. In memory a row takes its 8-bit vector and its number.

On disk lie plain NumPy arrays; the FAISS index is put together from them, and no native reader meets a file.
"""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from index.arrays import check_array, load_array
from index.encoders.base import Vectors
from index.threads import one_thread
from index.vectors import Neighbours, Positions, VectorIndex, cosines_of

FOLDER = "lists"
EXACT_FILE = "questions.npy"

VISITED = 48
"""Lists visited by a query; docs/results.md shows recall and time."""

RESCORED = 8
"""Candidates scored again for each row wanted."""

LEAST_RESCORED = 128

_TRAINED_ON = 64
"""Vectors for each list that the centres are learnt from."""

_native: Any = faiss


class InvertedIndex(VectorIndex):
    """FAISS inverted lists over 8-bit vectors (IVF, SQ8), scored again by exact vectors."""

    kind = "inverted lists of 8-bit vectors"

    def __init__(self, lists: Any, exact: Vectors) -> None:
        self._lists = lists
        self._lists.nprobe = min(VISITED, lists.nlist)
        self._exact = exact

    @classmethod
    def of(cls, vectors: Vectors, *, seed: int = 0) -> "InvertedIndex":
        """Indexes unit vectors of shape `(n, dim)`, at least some thousands."""
        count, dim = vectors.shape
        lists = int(2 ** round(np.log2(max(16.0, 4 * count**0.5))))
        index = _native.IndexIVFScalarQuantizer(
            _native.IndexFlatIP(dim), dim, lists, _native.ScalarQuantizer.QT_8bit, _native.METRIC_INNER_PRODUCT
        )
        index.cp.seed = seed
        index.cp.niter = 10
        sample = np.random.default_rng(seed).choice(count, min(count, _TRAINED_ON * lists), replace=False)
        index.train(np.ascontiguousarray(vectors[np.sort(sample)]))
        for start in range(0, count, 100_000):
            index.add(np.ascontiguousarray(vectors[start : start + 100_000]))
        return cls(index, vectors)

    @property
    def size(self) -> int:
        """Returns the number of vectors."""
        return len(self._exact)

    @property
    def dim(self) -> int:
        """Returns the length of a vector."""
        return int(self._exact.shape[1])

    @property
    def bytes_in_memory(self) -> int:
        """Returns the bytes that must lie in memory: codes, numbers and centres, not the exact vectors."""
        return int(self.size * (self._lists.code_size + 8) + self._lists.nlist * self.dim * 4)

    def search(self, query: Vectors, limit: int, alive: npt.NDArray[np.bool_] | None = None) -> Neighbours:
        """Finds the rows nearest to one query, as `VectorIndex.search`; a few of them may be missed."""
        if limit < 1:
            return Neighbours(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        parameters = None
        if alive is not None:
            bits = np.packbits(alive, bitorder="little")
            parameters = _native.SearchParametersIVF(sel=_native.IDSelectorBitmap(bits), nprobe=self._lists.nprobe)
        pool = min(max(LEAST_RESCORED, RESCORED * limit), self.size)
        with one_thread():
            _, found = self._lists.search(query[None, :], pool, params=parameters)
        positions = np.sort(found[0][found[0] >= 0])
        cosines = cosines_of(self.rows(positions), query)
        order = np.argsort(-cosines, kind="stable")[:limit]
        return Neighbours(positions[order], cosines[order])

    def rows(self, positions: Positions) -> Vectors:
        """Returns the vectors of the rows at `positions`; shape `(len(positions), dim)`."""
        return np.asarray(self._exact[positions])

    def vectors(self) -> Vectors:
        """Returns all rows; shape `(size, dim)`."""
        return self._exact

    def save(self, folder: Path) -> None:
        """Writes the exact vectors and the lists as NumPy arrays."""
        np.save(folder / EXACT_FILE, np.ascontiguousarray(self._exact, dtype=np.float32))
        target = folder / FOLDER
        target.mkdir()
        inverted, count, width = self._lists.invlists, self._lists.nlist, self._lists.code_size
        sizes = np.array([inverted.list_size(number) for number in range(count)], dtype=np.int64)
        ids = np.empty(int(sizes.sum()), dtype=np.int64)
        codes = np.empty((len(ids), width), dtype=np.uint8)
        end = 0
        for number, size in enumerate(sizes):
            begin, end = end, end + int(size)
            if size:
                ids[begin:end] = _native.rev_swig_ptr(inverted.get_ids(number), int(size))
                raw = _native.rev_swig_ptr(inverted.get_codes(number), int(size) * width)
                codes[begin:end] = raw.reshape(int(size), width)
        np.save(target / "sizes.npy", sizes)
        np.save(target / "ids.npy", ids)
        np.save(target / "codes.npy", codes)
        np.save(target / "centres.npy", self._lists.quantizer.reconstruct_n(0, count))
        np.save(target / "scales.npy", _native.vector_to_array(self._lists.sq.trained))

    @classmethod
    def load(cls, folder: Path) -> "InvertedIndex":
        """Reads the arrays and puts the index together.

        Raises:
            ValueError: They do not fit each other.
            OSError: One cannot be read.
        """
        check_array(folder / EXACT_FILE)
        exact = np.load(folder / EXACT_FILE, mmap_mode="r", allow_pickle=False)
        names = ("sizes", "ids", "codes", "centres", "scales")
        sizes, ids, codes, centres, scales = (load_array(folder / FOLDER / f"{name}.npy") for name in names)
        fits = (
            exact.dtype == centres.dtype == scales.dtype == np.float32
            and sizes.dtype == ids.dtype == np.int64
            and codes.dtype == np.uint8
            and exact.ndim == codes.ndim == centres.ndim == 2
            and sizes.ndim == ids.ndim == scales.ndim == 1
            and len(exact) == len(ids) == len(codes) == sizes.sum() > 0
            and len(sizes) == len(centres)
            and sizes.min() >= 0
            and codes.shape[1] == exact.shape[1] == centres.shape[1]
            and len(scales) == 2 * exact.shape[1]
            and np.array_equal(np.sort(ids), np.arange(len(ids)))
        )
        if not fits:
            raise ValueError("the arrays of the inverted lists do not fit each other")
        dim = int(exact.shape[1])
        quantizer = _native.IndexFlatIP(dim)
        quantizer.add(np.ascontiguousarray(centres))
        index = _native.IndexIVFScalarQuantizer(
            quantizer, dim, len(sizes), _native.ScalarQuantizer.QT_8bit, _native.METRIC_INNER_PRODUCT
        )
        _native.copy_array_to_vector(np.ascontiguousarray(scales), index.sq.trained)
        index.is_trained = True
        begin = 0
        for number, size in enumerate(sizes):
            end = begin + int(size)
            if size:
                part_ids, part_codes = np.ascontiguousarray(ids[begin:end]), np.ascontiguousarray(codes[begin:end])
                index.invlists.add_entries(number, int(size), _native.swig_ptr(part_ids), _native.swig_ptr(part_codes))
            begin = end
        index.ntotal = len(ids)
        return cls(index, exact)
