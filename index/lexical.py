"""BM25 over whatever tokens it is given, through `bm25s`, normalised so that scores of two queries compare.

Three of these serve a knowledge base: Kiwi morphemes of the stored questions, jamo n-grams of the stored answers, and
word heads of both. The second finds the answer that names the asker's symptom even where every word is misspelt.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path

import bm25s
import numpy as np
import numpy.typing as npt

from index.arrays import check_array

# The library logs at DEBUG whatever the root logger says.
logging.getLogger("bm25s").setLevel(logging.WARNING)

Scores = npt.NDArray[np.float32]

STATISTICS_FILE = "statistics.json"


class LexicalIndex:
    """A BM25 index (Lucene variant) over tokenised documents."""

    def __init__(self, bm25: bm25s.BM25, mean_length: float) -> None:
        self._bm25 = bm25
        self._mean_length = mean_length

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
        return cls(bm25, sum(map(len, tokens)) / len(tokens))

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
        return normalised(self.raw_scores(tokens))

    def raw_scores(self, tokens: Sequence[str]) -> Scores:
        """Scores every document for a query; float32 array of shape `(size,)`, 0 where no token is known."""
        known = self._bm25.get_tokens_ids([token for token in dict.fromkeys(tokens) if token])
        if not known:
            return np.zeros(self.size, dtype=np.float32)
        raw: Scores = self._bm25.get_scores_from_ids(known)
        return raw

    def weights(self, document: Sequence[str]) -> Mapping[str, float]:
        """Returns what each token of a document that is not in the index would score, by the index's statistics.

        Lucene's BM25 (Kamphuis et al., 2020): idf * tf / (tf + k1 * (1 - b + b * length / mean length)).
        """
        k1, b = self._bm25.k1, self._bm25.b
        slope = k1 * (1 - b + b * max(1, len(document)) / max(self._mean_length, 1e-9))
        return {token: self._idf(token) * count / (count + slope) for token, count in Counter(document).items()}

    def _idf(self, token: str) -> float:
        number = self._bm25.vocab_dict.get(token)
        starts = self._bm25.scores["indptr"]
        holding = int(starts[number + 1] - starts[number]) if number is not None and number + 1 < len(starts) else 0
        return log(1 + (self.size - holding + 0.5) / (holding + 0.5))

    def save(self, folder: Path) -> None:
        """Writes the index into `folder`, which is made: NumPy arrays and JSON, no pickle."""
        folder.mkdir(parents=True)
        self._bm25.save(folder, show_progress=False)
        (folder / STATISTICS_FILE).write_text(json.dumps({"mean_length": self._mean_length}), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> "LexicalIndex":
        """Reads an index whose files' digests the caller has verified."""
        for array in sorted(folder.glob("*.npy")):
            check_array(array)
        statistics = json.loads((folder / STATISTICS_FILE).read_text("utf-8"))
        bm25 = bm25s.BM25.load(folder, load_corpus=False, show_progress=False, auto_compile=False)
        index = cls(bm25, float(statistics["mean_length"]))
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
        ):
            raise ValueError("the BM25 arrays do not fit each other")


def normalised(raw: Scores) -> Scores:
    """Divides scores by the best one; all 0 where none is positive."""
    best = float(raw.max(initial=0.0))
    return raw / best if best > 0 else np.zeros_like(raw)
