"""Questions that exist already, compared with by their trigrams and by their vectors."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from data.trigrams import trigrams
from index.encoders.base import Encoder, Vectors
from index.threads import one_thread


class KnownQuestions:
    """A growing set of questions.

    Args:
        encoder: Gives the vectors.
        questions: The first of them.
    """

    def __init__(self, encoder: Encoder, questions: Sequence[str]) -> None:
        self._encoder = encoder
        self._texts: list[str] = []
        self._trigrams: list[frozenset[str]] = []
        self._postings: dict[str, list[int]] = {}
        self._vectors: Vectors = np.zeros((0, encoder.dim), np.float32)  # more rows than texts, so that it seldom grows
        self.add(questions)

    def add(self, questions: Sequence[str]) -> None:
        """Adds questions."""
        if not questions:
            return
        before = len(self._texts)
        for question in questions:
            grams = trigrams(question)
            for gram in grams:
                self._postings.setdefault(gram, []).append(len(self._texts))
            self._texts.append(question)
            self._trigrams.append(grams)
        if len(self._texts) > len(self._vectors):
            grown = np.zeros((2 * len(self._texts), self._encoder.dim), np.float32)
            grown[:before] = self._vectors[:before]
            self._vectors = grown
        with one_thread():
            self._vectors[before : len(self._texts)] = self._encoder.encode_queries(questions)

    def twin(self, question: str, vector: Vectors, *, jaccard: float, cosine: float) -> str:
        """Returns a known question that asks the same thing, or the empty string.

        Args:
            question: What is compared.
            vector: Its unit vector; shape `(dim,)`.
            jaccard: Least similarity of the trigrams that makes a twin.
            cosine: Least cosine that makes a twin.
        """
        grams = trigrams(question)
        shared: Counter[int] = Counter()
        for gram in grams:
            shared.update(self._postings.get(gram, ()))
        for position, count in shared.most_common():
            if count >= jaccard * (len(grams) + len(self._trigrams[position]) - count):
                return self._texts[position]
        if self._texts:
            cosines = self._vectors[: len(self._texts)] @ vector
            nearest = int(cosines.argmax())
            if cosines[nearest] >= cosine:
                return self._texts[nearest]
        return ""
