"""Chooses which of a group's reference answers is shown as its example.

The medoid, the answer nearest to the other references, speaks for the group: over 644 groups it agrees with the
other four at a cosine of 0.81, the first answer at 0.71. Nearness is the cosine of jamo n-gram counts here: it needs
no encoder, so that a knowledge base of long answers is still built in the time its questions take to encode.
"""

from collections.abc import Sequence
from typing import Literal, get_args

from index.korean import jamo_ngrams, ngram_cosine, ngram_vector

ExampleChoice = Literal["medoid", "shortest", "first"]
EXAMPLE_CHOICES: tuple[str, ...] = get_args(ExampleChoice)


def medoid(answers: Sequence[str]) -> int:
    """Returns the position of the answer with the largest summed similarity to the others; the first of equals."""
    return medoid_of_ngrams([jamo_ngrams(answer) for answer in answers])


def medoid_of_ngrams(ngrams: Sequence[Sequence[str]]) -> int:
    """Returns the medoid of answers given as n-grams."""
    if len(ngrams) < 3:
        # Of two answers each is as near to the other; keep the file's order.
        return 0
    vectors = [ngram_vector(grams) for grams in ngrams]
    totals = [0.0] * len(vectors)
    for first in range(len(vectors)):
        for second in range(first):
            similarity = ngram_cosine(vectors[first], vectors[second])
            totals[first] += similarity
            totals[second] += similarity
    return max(range(len(totals)), key=lambda position: (totals[position], -position))


def example_answer(answers: Sequence[str], medoid_position: int, choice: ExampleChoice) -> str:
    """Picks the answer to show.

    Args:
        answers: The group's references, at least one.
        medoid_position: What `medoid` returned for them.
        choice: Which to pick.
    """
    if choice == "medoid":
        return answers[medoid_position]
    if choice == "shortest":
        return min(answers, key=len)
    return answers[0]
