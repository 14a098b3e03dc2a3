"""What changed since the derived files were made, kept in memory and laid over them.

An overlay only ever grows: a changed group gets a new place, its old place is dead. A reader of one revision therefore
keeps a `Layer`, which says how far it reads and which places are dead, and stays right while the overlay grows on.
BM25 statistics are those of the derived files until the base is compacted.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from index.encoders.base import Vectors
from index.history import StoredGroup
from index.lexical import LexicalIndex, Scores, normalised
from index.vectors import Neighbours, Positions, VectorIndex

Mask = npt.NDArray[np.bool_]


class AddedDocuments:
    """Documents added to one BM25 index, as postings: for each token, where it stands and what it scores there."""

    def __init__(self, base: LexicalIndex) -> None:
        self.base = base
        self.size = 0
        self._postings: dict[str, list[tuple[int, float]]] = {}

    def add(self, tokens: Sequence[str]) -> None:
        """Adds one document."""
        for token, weight in self.base.weights(tokens).items():
            self._postings.setdefault(token, []).append((self.size, weight))
        self.size += 1

    def raw_scores(self, tokens: Sequence[str], size: int) -> Scores:
        """Scores the first `size` documents; float32 array of shape `(size,)`."""
        scores = np.zeros(size, dtype=np.float32)
        for token in dict.fromkeys(tokens):
            for document, weight in self._postings.get(token, ()):
                if document >= size:
                    break
                scores[document] += weight
        return scores


class Overlay:
    """Groups added or changed since the derived files were made; one thread grows it, many read it through layers.

    Attributes:
        groups: Each group by place.
        group_of_row: Place of the group of each question row.
        wordings: Position of each row's question in its group.
        morphemes: BM25 postings of each row.
        fragments: BM25 postings of each group's answers.
        heads: BM25 postings of each group's questions and answers.
    """

    def __init__(self, dim: int, morphemes: LexicalIndex, fragments: LexicalIndex, heads: LexicalIndex) -> None:
        self.groups: list[StoredGroup] = []
        self.group_of_row: list[int] = []
        self.wordings: list[int] = []
        self.morphemes = AddedDocuments(morphemes)
        self.fragments = AddedDocuments(fragments)
        self.heads = AddedDocuments(heads)
        self._vectors = np.empty((16, dim), dtype=np.float32)

    def add(
        self,
        stored: StoredGroup,
        vectors: Vectors,
        morphemes: Sequence[Sequence[str]],
        fragments: Sequence[str],
        heads: Sequence[str],
    ) -> None:
        """Adds a group: a vector and the morphemes of each question, n-grams of its answers, heads of all its words."""
        rows = len(self.group_of_row)
        if rows + len(vectors) > len(self._vectors):
            # Layers keep views of the old array, which nobody writes to any more.
            grown = np.empty((2 * (rows + len(vectors)), vectors.shape[1]), dtype=np.float32)
            grown[:rows] = self._vectors[:rows]
            self._vectors = grown
        self._vectors[rows : rows + len(vectors)] = vectors
        for tokens in morphemes:
            self.morphemes.add(tokens)
        self.fragments.add(fragments)
        self.heads.add(heads)
        self.group_of_row += [len(self.groups)] * len(vectors)
        self.wordings += range(len(vectors))
        self.groups.append(stored)

    def vectors(self, rows: int) -> Vectors:
        """Returns the vectors of the first `rows` rows."""
        return self._vectors[:rows]


class LayeredVectors:
    """The rows of the derived index, less dead ones, and the overlay's behind them; searched as one.

    Attributes:
        base: The derived index.
        added: Vectors of the overlay's rows.
        alive: True for each row, of both, that counts.
    """

    def __init__(self, base: VectorIndex, added: Vectors, alive: Mask) -> None:
        self.base = base
        self.added = added
        self._alive_added = np.flatnonzero(alive[base.size :])
        base_alive = alive[: base.size]
        self._base_rows = int(base_alive.sum())
        self._alive_base = None if self._base_rows == base.size else base_alive
        self.size = base.size + len(added)
        self.dim = base.dim

    def search(self, query: Vectors, limit: int) -> Neighbours:
        """Finds the living rows nearest to one query, as `VectorIndex.search`."""
        near = self.base.search(query, min(limit, self._base_rows), self._alive_base)
        if not len(self._alive_added):
            return near
        cosines = np.concatenate((near.cosines, (self.added @ query)[self._alive_added]))
        positions = np.concatenate((near.positions, self._alive_added + self.base.size))
        order = np.argsort(-cosines, kind="stable")[:limit]
        return Neighbours(positions[order], cosines[order])

    def cosines(self, query: Vectors, positions: Positions) -> Vectors:
        """Returns the cosine of one query and each row at `positions`."""
        cosines = np.empty(len(positions), dtype=np.float32)
        added = positions >= self.base.size
        cosines[~added] = self.base.cosines(query, positions[~added])
        cosines[added] = self.added[positions[added] - self.base.size] @ query
        return cosines


class LayeredLexical:
    """The documents of a derived BM25 index, dead ones scoring 0, and the overlay's behind them."""

    def __init__(self, added: AddedDocuments, size: int, alive: Mask | None) -> None:
        """Lays the first `size` added documents over the index; `alive` marks those of both that count, None all."""
        self._added = added
        self._added_size = size
        self._alive = alive
        self.size = added.base.size + size

    def scores(self, tokens: Sequence[str]) -> Scores:
        """Scores every document for a query, the best one 1, as `LexicalIndex.scores`."""
        raw = self._added.base.raw_scores(tokens)
        if self._added_size:
            raw = np.concatenate((raw, self._added.raw_scores(tokens, self._added_size)))
        if self._alive is not None:
            raw[~self._alive] = 0
        return normalised(raw)
