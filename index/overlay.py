"""What changed since the derived files were made, kept in memory and laid over them.

An overlay only ever grows: a changed group gets a new place, its old place is dead. A reader of one revision therefore
keeps layers that say how far it reads and which places are dead, and stays right while the overlay grows on. Layers
score by the statistics of what lives, so that a search gives what it would give over files made again.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from index.encoders.base import Vectors
from index.group_words import answer_ngrams, group_heads
from index.history import StoredGroup
from index.korean import KoreanAnalyzer, spelling_ngrams
from index.lexical import LexicalIndex, Postings, Scores, WordIndexes, normalised, weights
from index.vectors import Neighbours, Positions, VectorIndex

Mask = npt.NDArray[np.bool_]


class AddedDocuments:
    """Documents added to one BM25 index, as postings: for each token, where it stands and how often.

    Attributes:
        base: The index they are added to.
        lengths: Number of tokens of each document, an empty one counting as one token.
    """

    def __init__(self, base: LexicalIndex) -> None:
        self.base = base
        self.lengths: list[int] = []
        self._postings: dict[str, tuple[list[int], list[int]]] = {}

    def add(self, tokens: Sequence[str]) -> None:
        """Adds one document."""
        for token, count in Counter(tokens).items():
            documents, counts = self._postings.setdefault(token, ([], []))
            counts.append(count)
            documents.append(len(self.lengths))
        self.lengths.append(max(1, len(tokens)))

    def postings(self, token: str, size: int) -> Postings:
        """Returns where a token stands among the first `size` documents."""
        documents, counts = self._postings.get(token, ((), ()))
        end = bisect_left(documents, size)
        return Postings(np.array(documents[:end], dtype=np.int64), np.array(counts[:end], dtype=np.uint32))


class Overlay:
    """Groups added or changed since the derived files were made; one thread grows it, many read it through layers.

    Attributes:
        groups: Each group by place.
        group_of_row: Place of the group of each question row.
        wordings: Position of each row's question in its group.
        morphemes: Morphemes of each row.
        spellings: Jamo n-grams of each row as it sounds.
        fragments: Jamo n-grams of each group's answers.
        heads: Word heads of each group's questions and answers.
    """

    def __init__(self, dim: int, words: WordIndexes) -> None:
        self.groups: list[StoredGroup] = []
        self.group_of_row: list[int] = []
        self.wordings: list[int] = []
        self.morphemes = AddedDocuments(words.morphemes)
        self.spellings = AddedDocuments(words.spellings)
        self.fragments = AddedDocuments(words.fragments)
        self.heads = AddedDocuments(words.heads)
        self._vectors = np.empty((16, dim), dtype=np.float32)

    def add(self, stored: StoredGroup, vectors: Vectors, analyzer: KoreanAnalyzer) -> None:
        """Adds a group, given a vector of each of its questions."""
        rows = len(self.group_of_row)
        if rows + len(vectors) > len(self._vectors):
            # Layers keep views of the old array, which nobody writes to any more.
            grown = np.empty((2 * (rows + len(vectors)), vectors.shape[1]), dtype=np.float32)
            grown[:rows] = self._vectors[:rows]
            self._vectors = grown
        self._vectors[rows : rows + len(vectors)] = vectors
        for question in stored.group.questions:
            self.morphemes.add(analyzer.morphemes(question))
            self.spellings.add(spelling_ngrams(question))
        self.fragments.add([gram for grams in answer_ngrams(stored.group) for gram in grams])
        self.heads.add(group_heads(stored.group))
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

    def rows(self, positions: Positions) -> Vectors:
        """Returns the vectors of the rows at `positions`; shape `(len(positions), dim)`."""
        rows = np.empty((len(positions), self.dim), dtype=np.float32)
        added = positions >= self.base.size
        rows[~added] = self.base.rows(positions[~added])
        rows[added] = self.added[positions[added] - self.base.size]
        return rows


class LayeredLexical:
    """The documents of a derived BM25 index, dead ones scoring 0, and the overlay's behind them.

    The number of documents, their mean length and how many hold a token are counted among the living, so that scores
    are those of an index over these alone.
    """

    def __init__(self, added: AddedDocuments, size: int, alive: Mask | None) -> None:
        """Lays the first `size` added documents over the index; `alive` marks those of both that count, None all."""
        self._added = added
        self._added_size = size
        self._base = added.base
        self.size = added.base.size + size
        self._unchanged = not size and (alive is None or bool(alive.all()))
        if self._unchanged:
            return
        self._alive = np.ones(self.size, dtype=bool) if alive is None else alive
        lengths = np.concatenate((self._base.lengths, np.array(added.lengths[:size], dtype=np.int64)))
        self._living = int(np.count_nonzero(self._alive))
        self._slopes = self._base.slopes(lengths, float(lengths[self._alive].mean()))

    def scores(self, tokens: Sequence[str]) -> Scores:
        """Scores every document for a query, the best one 1, as `LexicalIndex.scores`."""
        if self._unchanged:
            return self._base.scores(tokens)
        raw = np.zeros(self.size, dtype=np.float32)
        for token in filter(None, dict.fromkeys(tokens)):
            parts = [self._base.postings(token)]
            if self._added_size:
                added = self._added.postings(token, self._added_size)
                parts.append(Postings(added.documents + self._base.size, added.counts))
            holding = sum(int(np.count_nonzero(self._alive[part.documents])) for part in parts)
            if holding:
                for documents, counts in parts:
                    raw[documents] += weights(counts, self._slopes[documents], holding, self._living)
        raw[~self._alive] = 0
        return normalised(raw)
