"""Whether a group's answers agree, by the cosine of their jamo n-grams.

Letters, not vectors: five references of one group share their terms, and an answer that shares none belongs elsewhere.
Answers in doubt are then held against their own questions by the encoder (`index.audit.mismatch`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import median

import numpy as np

from data.types import QAGroup
from index.audit.evidence import Evidence
from index.audit.findings import FEWEST_FOR_SPREAD, Finding, robust_z, shortened
from index.audit.raw import RawFile
from index.audit.similarity import grams_of

FEWEST_ANSWERS = 3
"""Of two answers neither is the outlier."""

FAR = 3.0
"""Robust standard deviations from which a value is reported."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one group's answers agree.

    Attributes:
        group: Number of the group.
        medoid: Position of the answer nearest to the others.
        score: Mean cosine of the medoid and the others, in [0, 1].
        each: Mean cosine of each answer and the others.
    """

    group: int
    medoid: int
    score: float
    each: tuple[float, ...]


def agreements(groups: Sequence[QAGroup]) -> list[Agreement]:
    """Measures every group; a group of one answer agrees with itself at 1."""
    measured = []
    for number, group in enumerate(groups):
        each = _with_the_others(group.answers)
        medoid = max(range(len(each)), key=lambda position: (each[position], -position)) if len(each) > 2 else 0
        measured.append(Agreement(number, medoid, each[medoid], each))
    return measured


def _with_the_others(answers: Sequence[str]) -> tuple[float, ...]:
    """Returns the mean cosine of each answer and the others: its product with their sum, so that no pair is formed."""
    if len(answers) == 1:
        return (1.0,)
    units = [{gram: count / grams.norm for gram, count in grams.counts.items()} for grams in map(grams_of, answers)]
    total: dict[str, float] = defaultdict(float)
    for unit in units:
        for gram, weight in unit.items():
            total[gram] += weight
    products = (sum(weight * (total[gram] - weight) for gram, weight in unit.items()) for unit in units)
    # Equal answers differ in the last digits only, by the order of the sums.
    return tuple(round(max(0.0, product) / (len(units) - 1), 12) for product in products)


def find_disagreement(file: RawFile, measured: Sequence[Agreement]) -> list[Finding]:
    """Reports groups whose medoid agrees with the others far less than is usual in this file."""
    judged = [item for item in measured if len(item.each) >= FEWEST_ANSWERS]
    findings = []
    for item, z in zip(judged, robust_z(item.score for item in judged), strict=True):
        if z <= -FAR:
            group = file.result.groups[item.group]
            least = min(range(len(item.each)), key=lambda position: item.each[position])
            findings.append(
                Finding(
                    group.id,
                    "answers_disagree",
                    file.group_field(group.id),
                    Evidence.of(
                        "answers_disagree",
                        shortened(group.answers[item.medoid], 80),
                        shortened(group.answers[least], 80),
                        score=item.score,
                    ),
                    extremity=float(-z),
                )
            )
    return findings


def answers_in_doubt(groups: Sequence[QAGroup], measured: Sequence[Agreement]) -> list[tuple[int, int, float]]:
    """Finds answers that agree with the others far less than answers of their length do.

    A short answer among long ones has a lower cosine for its length alone, so what its length explains is taken away
    first: a parabola over the logarithm of its length relative to the group's median, fitted over the whole file.

    Returns:
        Group number, answer position and robust standard deviations below the usual.
    """
    judged: list[tuple[int, int]] = []
    ratios: list[float] = []
    sizes: list[float] = []
    for item in measured:
        if len(item.each) < FEWEST_ANSWERS:
            continue
        lengths = [len(answer) for answer in groups[item.group].answers]
        for position, score in enumerate(item.each):
            judged.append((item.group, position))
            ratios.append(score / item.score if item.score else 1.0)
            sizes.append(log(lengths[position] / median(lengths)))
    if len(judged) < FEWEST_FOR_SPREAD:
        return []
    expected = np.poly1d(np.polyfit(sizes, ratios, 2) if np.ptp(sizes) > 0.1 else [float(np.median(ratios))])(sizes)
    doubts = robust_z((np.asarray(ratios) - expected).tolist())
    return [(*place, float(-z)) for place, z in zip(judged, doubts, strict=True) if z <= -FAR]
