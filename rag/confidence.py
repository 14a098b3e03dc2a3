"""How good an answer from these examples is likely to be; known before any is given.

The cosine of the first example's question says whether it asks the same, and hardly anything more: among
questions that no group answers it does not tell good guesses from bad ones. Three things do: whether the examples'
answers agree with one another, whether the first of them has the question's own words, and how far it ranks before
the next. The weights are those that `benchmarks/tune_confidence.py` found on the starter base; docs/results.md has
what they are worth there and on a file that they were not fitted to.
"""

from collections.abc import Sequence
from typing import NamedTuple

from data.types import Hit
from index.korean import NgramVector, jamo_ngrams, ngram_cosine, ngram_vector


class Signs(NamedTuple):
    """What speaks for an answer.

    Attributes:
        similarity: Cosine of the first example's question.
        agreement: Mean similarity of its answer with the others', in [0, 1]; 0 where there are no others.
        overlap: Similarity of its answer with the question, in [0, 1].
        lead: How far it ranks before the second, in units of `Hit.behind`; 0 where there is none.
    """

    similarity: float
    agreement: float
    overlap: float
    lead: float


WEIGHTS = Signs(similarity=1.0, agreement=1.0, overlap=0.4, lead=0.05)
"""What each sign counts; only their proportions order anything."""


def signs(question: str, hits: Sequence[Hit]) -> Signs:
    """Returns what speaks for an answer from these hits, best first and at least one.

    Similarities of answers are cosines of jamo n-grams.
    """
    first, *others = (_vector(hit.answer) for hit in hits)
    agreement = sum(ngram_cosine(first, other) for other in others) / len(others) if others else 0.0
    lead = hits[1].behind - hits[0].behind if others else 0.0
    return Signs(hits[0].score, agreement, ngram_cosine(_vector(question), first), lead)


def confidence(question: str, hits: Sequence[Hit]) -> float | None:
    """Returns a value that is larger the better an answer from these hits is likely to be.

    The sum of their `Signs`, each times its weight in `WEIGHTS`. Only its order means something, and only among
    questions asked of one base with the same number of hits.

    Args:
        question: One question.
        hits: What was found for it, best first.

    Returns:
        None where nothing was found.
    """
    if not hits:
        return None
    return sum(weight * sign for weight, sign in zip(WEIGHTS, signs(question, hits), strict=True))


def _vector(text: str) -> NgramVector:
    return ngram_vector(jamo_ngrams(text))
