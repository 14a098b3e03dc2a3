"""What a text is worth beside its references, and how much it repeats itself; all over Kiwi morphemes.

ROUGE-L is Google's `rouge-score`, chrF++ is `sacrebleu`'s; of several references the best counts, as both do it.
"""

from functools import lru_cache
from typing import Any

from index.korean import korean_analyzer

_SYMBOLS = frozenset(("SF", "SP", "SS", "SSO", "SSC", "SE", "SO", "SW"))


@lru_cache(maxsize=8192)
def morphemes(text: str) -> tuple[str, ...]:
    """Returns the forms of a text's morphemes, particles and endings included, punctuation left out."""
    return tuple(token.form for token in korean_analyzer().tokens(text) if token.tag not in _SYMBOLS)


class _Morphemes:
    """Kiwi in the form that `rouge_score` asks of a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return list(morphemes(text))


@lru_cache(maxsize=1)
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=_Morphemes())


@lru_cache(maxsize=1)
def _chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF(word_order=2)


@lru_cache(maxsize=65_536)
def rouge_l(text: str, references: tuple[str, ...]) -> float:
    """Returns the F-measure of the longest common subsequence of morphemes, in [0, 1] (Lin, 2004)."""
    score: float = _rouge().score_multi(list(references), text)["rougeL"].fmeasure
    return score


@lru_cache(maxsize=65_536)
def chrf(text: str, references: tuple[str, ...]) -> float:
    """Returns chrF++ with morphemes as words, in [0, 1] (Popović, 2017)."""
    if not text.strip():
        return 0.0
    spaced = [" ".join(morphemes(reference)) for reference in references]
    score: float = _chrf().sentence_score(" ".join(morphemes(text)), spaced).score
    return score / 100


def chrf_signature() -> str:
    """Returns sacrebleu's own description of how chrF++ is computed."""
    _chrf().sentence_score("가", ["가"])
    return str(_chrf().get_signature())


def distinct(text: str, size: int) -> float | None:
    """Returns the share of distinct n-grams among a text's morpheme n-grams (Li et al., 2016); None without any."""
    tokens = morphemes(text)
    grams = [tokens[start : start + size] for start in range(len(tokens) - size + 1)]
    return len(set(grams)) / len(grams) if grams else None


def longest_repeat(text: str) -> int:
    """Returns the length of the longest span that stands twice in a text without overlap, in characters."""
    # A span of a length that repeats holds shorter ones that do, so the length can be searched by halving.
    low, high = 0, len(text) // 2
    while low < high:
        middle = (low + high + 1) // 2
        if _repeats(text, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _repeats(text: str, size: int) -> bool:
    first: dict[str, int] = {}
    for start in range(len(text) - size + 1):
        if start - first.setdefault(text[start : start + size], start) >= size:
            return True
    return False
