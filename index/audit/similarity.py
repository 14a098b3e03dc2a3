"""Similarities of texts without an encoder, and what a question asks, stripped of how it asks."""

from collections import Counter
from math import sqrt
from typing import NamedTuple

from data.trigrams import jaccard, trigrams
from index.korean import KoreanAnalyzer, jamo_ngrams

# Words that change with the register, not with the question.
_WAYS_OF_ASKING = frozenset(
    """
    뭐 뭣 무엇 무슨 어떤 어떻 어떻게 어떠하 어찌 알 알리 말 말하 설명 설명하 주 있 하 되 이 그 것 거 수 점 좀 더 보
    싶 궁금 가지 대하 대해 관하 사용 사용하 쓰 경우 때 자세히 자세하 정도 무언가 부탁 문의
    """.split()  # noqa: SIM905 - a list of forty quoted words is harder to read
)


class Grams(NamedTuple):
    """Jamo n-gram counts of a text and their L2 norm."""

    counts: Counter[str]
    norm: float


def grams_of(text: str) -> Grams:
    """Counts a text's jamo n-grams."""
    counts = Counter(jamo_ngrams(text))
    return Grams(counts, sqrt(sum(count * count for count in counts.values())) or 1.0)


def cosine(first: Grams, second: Grams) -> float:
    """Returns the cosine of two texts' n-gram counts, in [0, 1]."""
    small, large = sorted((first, second), key=lambda grams: len(grams.counts))
    return sum(count * large.counts[gram] for gram, count in small.counts.items()) / (first.norm * second.norm)


def trigram_jaccard(first: str, second: str) -> float:
    """Returns the Jaccard similarity of two texts' character trigrams, spaces and marks ignored."""
    return jaccard(trigrams(first), trigrams(second))


def asked_about(analyzer: KoreanAnalyzer, question: str) -> frozenset[str]:
    """Returns the content morphemes of a question, without those that only say that something is asked.

    Two questions with the same set ask the same; "장점" and "단점" stay, so their questions differ however near their
    letters and vectors are.
    """
    forms = (morpheme.rpartition("/")[0] for morpheme in analyzer.morphemes(question))
    return frozenset(form for form in forms if form not in _WAYS_OF_ASKING)
