"""How good an answer from these examples is likely to be; known before any is given.

The cosine of the first example's question says whether it asks the same, and hardly anything more: among
questions that no group answers it does not tell good guesses from bad ones. Two things do: whether the examples'
answers agree with one another, and whether the first of them has the question's own words. Measured in
docs/results.md.
"""

from collections.abc import Sequence

from data.types import Hit
from index.korean import NgramVector, jamo_ngrams, ngram_cosine, ngram_vector

AGREEMENT = 0.5
"""Weight of the agreement of the examples' answers, beside the cosine."""

OVERLAP = 0.2
"""Weight of the question's letters found in the first example's answer."""


def confidence(question: str, hits: Sequence[Hit]) -> float | None:
    """Returns a value that is larger the better an answer from these hits is likely to be.

    The cosine of the first hit, plus `AGREEMENT` times the mean similarity of its answer with the others', plus
    `OVERLAP` times the similarity of its answer with the question; similarities are cosines of jamo n-grams. From -1 to
    1.7; only its order means something, and only among questions asked of one base with the same number of hits.

    Args:
        question: One question.
        hits: What was found for it, best first.

    Returns:
        None where nothing was found.
    """
    if not hits:
        return None
    first, *others = (_vector(hit.answer) for hit in hits)
    agreement = sum(ngram_cosine(first, other) for other in others) / len(others) if others else 0.0
    return hits[0].score + AGREEMENT * agreement + OVERLAP * ngram_cosine(_vector(question), first)


def _vector(text: str) -> NgramVector:
    return ngram_vector(jamo_ngrams(text))
