"""BM25 over whatever tokens it is given, through `bm25s`, normalised so that scores of two queries compare.

Four of these serve a knowledge base: Kiwi morphemes and sounded-out spellings of the stored questions, jamo n-grams of
the stored answers, and word heads of both. The third finds the answer that names the asker's symptom even where every
word is misspelt.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path
from typing import Any, NamedTuple

import bm25s
import numpy as np
import numpy.typing as npt

from index.arrays import check_array, load_array

# The library logs at DEBUG whatever the root logger says.
logging.getLogger("bm25s").setLevel(logging.WARNING)

Scores = npt.NDArray[np.float32]
Counts = npt.NDArray[np.unsignedinteger[Any]]
Lengths = npt.NDArray[np.int64]

COUNTS_FILE = "counts.npy"
LENGTHS_FILE = "lengths.npy"

_AT_ONCE = 1 << 21
"""Postings looked at together, so that a large index needs no second copy of itself."""


class Postings(NamedTuple):
    """Documents that hold a token, ascending, and how often each does."""

    documents: npt.NDArray[np.signedinteger[Any]]
    counts: Counts


class LexicalIndex:
    """A BM25 index (Lucene variant) over tokenised documents.

    Attributes:
        lengths: Number of tokens of each document, an empty one counting as one token; shape `(size,)`.
    """

    def __init__(self, bm25: bm25s.BM25, lengths: Lengths, counts: Counts) -> None:
        self._bm25 = bm25
        self._counts = counts
        self.lengths = lengths

    @classmethod
    def build(cls, documents: Sequence[Sequence[str]], *, k1: float = 1.2, b: float = 0.75) -> "LexicalIndex":
        """Indexes documents given as tokens.

        Args:
            documents: One token list a document; a list may be empty.
            k1: Term-frequency saturation.
            b: Length normalisation, from 0 (none) to 1.
        """
        bm25 = bm25s.BM25(k1=k1, b=b, method="lucene", auto_compile=False)
        # bm25s needs at least one token in the whole corpus; the empty token never stands in a query.
        tokens = [list(document) or [""] for document in documents]
        bm25.index(tokens, show_progress=False)
        lengths = np.array([len(document) for document in tokens], dtype=np.int64)
        return cls(bm25, lengths, _counts(bm25, lengths, tokens))

    @property
    def size(self) -> int:
        """Returns the number of documents."""
        return int(self._bm25.scores["num_docs"])

    def scores(self, tokens: Sequence[str]) -> Scores:
        """Scores every document for a query, the best document 1.

        Dividing by the best score makes queries of different length comparable; where no token is known all are 0.

        Args:
            tokens: The query's tokens; repetitions count once.

        Returns:
            float32 array of shape `(size,)` in [0, 1].
        """
        known = self._bm25.get_tokens_ids([token for token in dict.fromkeys(tokens) if token])
        if not known:
            return np.zeros(self.size, dtype=np.float32)
        raw: Scores = self._bm25.get_scores_from_ids(known)
        return normalised(raw)

    def postings(self, token: str) -> Postings:
        """Returns where a token stands."""
        starts = self._bm25.scores["indptr"]
        number = self._bm25.vocab_dict.get(token)
        begin, end = (starts[number], starts[number + 1]) if number is not None and number + 1 < len(starts) else (0, 0)
        return Postings(self._bm25.scores["indices"][begin:end], self._counts[begin:end])

    def slopes(self, lengths: Lengths, mean: float) -> npt.NDArray[np.float64]:
        """Returns what `weights` needs of documents: k1, made longer or shorter as they are beside the mean length."""
        k1, b = self._bm25.k1, self._bm25.b
        slopes: npt.NDArray[np.float64] = k1 * ((1 - b) + b * lengths / mean)
        return slopes

    def save(self, folder: Path) -> None:
        """Writes the index into `folder`, which is made: NumPy arrays and JSON, no pickle."""
        folder.mkdir(parents=True)
        self._bm25.save(folder, show_progress=False)
        np.save(folder / COUNTS_FILE, self._counts)
        np.save(folder / LENGTHS_FILE, self.lengths)

    @classmethod
    def load(cls, folder: Path) -> "LexicalIndex":
        """Reads an index whose files' digests the caller has verified."""
        for array in sorted(folder.glob("*.npy")):
            check_array(array)
        bm25 = bm25s.BM25.load(folder, load_corpus=False, show_progress=False, auto_compile=False)
        index = cls(bm25, load_array(folder / LENGTHS_FILE), load_array(folder / COUNTS_FILE))
        index._check()
        return index

    def _check(self) -> None:
        """Refuses arrays that point outside each other."""
        starts, documents = self._bm25.scores["indptr"], self._bm25.scores["indices"]
        tokens = self._bm25.vocab_dict.values()
        if not (
            len(starts) > 0
            and starts[0] == 0
            and starts[-1] == len(documents) == len(self._bm25.scores["data"])
            and (np.diff(starts) >= 0).all()
            and (not len(documents) or (documents.min() >= 0 and documents.max() < self.size))
            and all(isinstance(token, int) and 0 <= token <= len(starts) for token in tokens)
            and self._counts.shape == documents.shape
            and self._counts.dtype.kind == "u"
            and self.lengths.shape == (self.size,)
            and self.lengths.dtype == np.int64
            and (not self.size or self.lengths.min() > 0)
        ):
            raise ValueError("the BM25 arrays do not fit each other")


class WordIndexes(NamedTuple):
    """The lexical indexes of a knowledge base: the first two over question rows, the others over groups.

    Attributes:
        morphemes: Over the morphemes of each question row.
        spellings: Over the jamo n-grams of each question row as it sounds.
        fragments: Over the jamo n-grams of each group's answers; document i is group number i.
        heads: Over the word heads of each group's questions and answers, likewise.
    """

    morphemes: LexicalIndex
    spellings: LexicalIndex
    fragments: LexicalIndex
    heads: LexicalIndex


def weights(counts: Counts, slopes: npt.NDArray[np.float64], holding: int, size: int) -> Scores:
    """Returns what a token scores in documents: idf * count / (count + slope), Lucene's BM25 (Kamphuis et al., 2020).

    The arithmetic is bm25s's own, operation by operation, so that a score is the same number wherever it is computed.

    Args:
        counts: How often the token stands in each document.
        slopes: `LexicalIndex.slopes` of these documents.
        holding: Number of all documents that hold the token.
        size: Number of all documents.
    """
    frequencies = counts.astype(np.float32)
    scores: Scores = (np.float32(_idf(holding, size)) * (frequencies / (slopes + frequencies))).astype(np.float32)
    return scores


def normalised(raw: Scores) -> Scores:
    """Divides scores by the best one; all 0 where none is positive."""
    best = float(raw.max(initial=0.0))
    return raw / best if best > 0 else np.zeros_like(raw)


def _idf(holding: int, size: int) -> float:
    return log(1 + (size - holding + 0.5) / (holding + 0.5))


def _counts(bm25: bm25s.BM25, lengths: Lengths, tokens: Sequence[Sequence[str]]) -> Counts:
    """Returns how often each posting's token stands in its document, which bm25s keeps as a score alone.

    The score gives the count back, but for enormous ones; these are counted again.
    """
    starts, documents, data = (bm25.scores[name] for name in ("indptr", "indices", "data"))
    size, mean = len(lengths), lengths.mean()
    slopes = bm25.k1 * ((1 - bm25.b) + bm25.b * lengths / mean)
    idf = np.array([_idf(holding, size) for holding in np.diff(starts).tolist()], dtype=np.float32)
    counts = np.empty(len(data), dtype=np.uint32)
    names = {number: token for token, number in bm25.vocab_dict.items()}
    recounted: dict[int, Counter[str]] = {}
    for begin, end in _spans(len(data)):
        numbers = np.searchsorted(starts, np.arange(begin, end), side="right") - 1
        holders = documents[begin:end]
        share = data[begin:end] / idf[numbers].astype(np.float64)
        frequencies = np.rint(slopes[holders] * share / np.maximum(1 - share, 1e-9)).astype(np.float32)
        again = (idf[numbers] * (frequencies / (slopes[holders] + frequencies))).astype(np.float32)
        # A count beyond this may be rounded to a neighbour that scores the same.
        for place in np.flatnonzero((again != data[begin:end]) | (frequencies > 1_000)):
            document = int(holders[place])
            words = recounted.setdefault(document, Counter(tokens[document]))
            frequencies[place] = words[names[int(numbers[place])]]
        counts[begin:end] = frequencies
    return counts.astype(np.min_scalar_type(int(counts.max(initial=1))))


def _spans(count: int) -> Iterator[tuple[int, int]]:
    for begin in range(0, count, _AT_ONCE):
        yield begin, min(begin + _AT_ONCE, count)
