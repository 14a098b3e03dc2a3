"""BM25 over whatever tokens it is given, through `bm25s`, normalised so that scores of two queries compare.

Four of these serve a knowledge base: Kiwi morphemes and sounded-out spellings of the stored questions, jamo n-grams of
the stored answers, and word heads of both. The third finds the answer that names the asker's symptom even where every
word is misspelt.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import bm25s
import numpy as np
import numpy.typing as npt

# The library logs at DEBUG whatever the root logger says.
logging.getLogger("bm25s").setLevel(logging.WARNING)

Scores = npt.NDArray[np.float32]


class LexicalIndex:
    """A BM25 index (Lucene variant) over tokenised documents."""

    def __init__(self, bm25: bm25s.BM25) -> None:
        self._bm25 = bm25

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
        return cls(bm25)

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
        best = float(raw.max(initial=0.0))
        return raw / best if best > 0 else np.zeros(self.size, dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Writes the index into `folder`, which is made: NumPy arrays and JSON, no pickle."""
        folder.mkdir(parents=True)
        self._bm25.save(folder, show_progress=False)

    @classmethod
    def load(cls, folder: Path) -> "LexicalIndex":
        """Reads an index whose files' digests the caller has verified."""
        return cls(bm25s.BM25.load(folder, load_corpus=False, show_progress=False, auto_compile=False))
