"""Texts as sets of character trigrams, and which of many share most of theirs, without comparing each with each."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from math import ceil

from data.text import comparable


def trigrams(text: str) -> frozenset[str]:
    """Returns the character trigrams of a text, case, spaces and marks left out; a shorter text is one of its own."""
    plain = comparable(text)
    return frozenset(plain[i : i + 3] for i in range(len(plain) - 2)) or frozenset([plain])


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """Returns the share of two sets that is in both, in [0, 1]."""
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared)


class NearTexts:
    """Finds the texts, of those added so far, that nearly agree with another.

    Prefix filtering (Bayardo et al., WWW 2007): two sets of Jaccard >= t share one of the rarest n - ceil(t n) + 1
    elements of each, so only those postings are compared.

    Args:
        grams: The trigrams of all texts, known by their numbers below.
        threshold: Least Jaccard similarity.
        rivals: Tells of two texts whether it matters that they are near.
    """

    def __init__(
        self, grams: Sequence[frozenset[str]], threshold: float, rivals: Callable[[int, int], bool] = lambda *_: True
    ) -> None:
        self._grams = grams
        self._threshold = threshold
        self._rivals = rivals
        self._rarity: dict[str, int] = defaultdict(int)
        for each in grams:
            for gram in each:
                self._rarity[gram] += 1
        self._postings: dict[str, list[int]] = defaultdict(list)

    def add(self, number: int) -> None:
        """Adds a text."""
        for gram in self._prefix(number):
            self._postings[gram].append(number)

    def near(self, number: int) -> list[int]:
        """Returns the added texts that nearly agree with this one, in order."""
        met = {other for gram in self._prefix(number) for other in self._postings.get(gram, ())}
        own = self._grams[number]
        return sorted(
            other
            for other in met
            if self._rivals(number, other) and jaccard(own, self._grams[other]) >= self._threshold
        )

    def _prefix(self, number: int) -> list[str]:
        ordered = sorted(self._grams[number], key=lambda gram: (self._rarity[gram], gram))
        return ordered[: len(ordered) - ceil(self._threshold * len(ordered)) + 1]
