"""Chooses a vector index by size, and reads back whichever was chosen."""

from pathlib import Path

from index.encoders.base import Vectors
from index.vectors import VECTORS_FILE, FlatIndex, VectorIndex

MILVUS_FILE = "milvus.json"

APPROXIMATE_FROM = 50_000
"""Rows from which approximate search is chosen; docs/results.md shows the times on either side."""


def choose_index(vectors: Vectors) -> tuple[VectorIndex, str]:
    """Indexes unit vectors of shape `(n, dim)` in the way that suits their number, and says why."""
    rows = len(vectors)
    if rows < APPROXIMATE_FROM:
        why = f"{rows:,} rows, exact search is fast enough below {APPROXIMATE_FROM:,}"
        return VectorIndex.build(vectors), why
    from index.approximate import InvertedIndex

    why = f"{rows:,} rows, from {APPROXIMATE_FROM:,} on exact search takes longer than the encoder's share allows"
    return InvertedIndex.of(vectors), why


def load_index(folder: Path) -> VectorIndex:
    """Reads the index in a folder of derived files whose digests the caller has checked.

    Raises:
        OSError: A file cannot be read.
        ValueError: Files do not fit each other.
        TypeError: A file holds another kind of index.
        KnowledgeBaseError: The vectors lie in Milvus, which cannot be reached.
    """
    if (folder / VECTORS_FILE).exists():
        return FlatIndex.load(folder)
    if (folder / MILVUS_FILE).exists():
        from index.milvus import MilvusIndex

        return MilvusIndex.load(folder)
    from index.approximate import InvertedIndex

    return InvertedIndex.load(folder)
