"""How sure a number is: bootstrap intervals over groups, sign-flip permutation tests, AUROC, rank metrics.

Questions of one group succeed and fail together, so whole groups are drawn and flipped.
"""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int64]
"""Rank of the wanted group for each question, from 1; 0 where it was not found."""


class Interval(NamedTuple):
    """An estimate and its 95% bootstrap interval."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """Formats all three numbers by `spec`."""
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def bootstrap_mean(
    values: Floats, *, clusters: Sequence[Hashable] | None = None, samples: int = 2_000, seed: int = 0
) -> Interval:
    """Percentile interval of a mean; give differences of paired values for a paired interval.

    Args:
        values: One value a question; shape `(n,)`.
        clusters: Group of each question. Questions of one group succeed and fail together, so whole groups are drawn.
        samples: Bootstrap samples.
        seed: Seed of the draws.
    """
    sums, counts = _by_cluster(values, clusters)
    drawn = _drawn(len(sums), samples, seed)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def permutation_p(
    differences: Floats, *, clusters: Sequence[Hashable] | None = None, flips: int = 10_000, seed: int = 0
) -> float:
    """Two-sided p-value of a mean paired difference, by flipping signs of whole groups.

    The observed signs count as one flip, so that p is never 0 (Phipson and Smyth, 2010).

    Args:
        differences: One paired difference a question; shape `(n,)`.
        clusters: Group of each question, as for `bootstrap_mean`.
        flips: Random sign assignments.
        seed: Seed of the flips.
    """
    sums, _ = _by_cluster(differences, clusters)
    # A hair of tolerance: equal sums in another order differ by rounding.
    reached = int((np.abs(_signs(len(sums), flips, seed) @ sums) >= abs(sums.sum()) - 1e-9).sum())
    return (reached + 1) / (flips + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p-values for having tested several differences (Holm, 1979); in the order given."""
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, position in enumerate(order):
        largest = max(largest, min(1.0, p_values[position] * (len(p_values) - place)))
        adjusted[position] = largest
    return adjusted


def auroc(positive: Floats, negative: Floats) -> float:
    """Probability that a positive scores above a negative, ties counted half (Mann-Whitney U)."""
    above = (positive[:, None] > negative[None, :]).mean()
    equal = (positive[:, None] == negative[None, :]).mean()
    return float(above + equal / 2)


def recall_at(ranks: Ranks, depth: int) -> Floats:
    """1 where the wanted group is among the first `depth`, else 0; one value a question."""
    return ((ranks > 0) & (ranks <= depth)).astype(np.float64)


def reciprocal_ranks(ranks: Ranks) -> Floats:
    """1 / rank, 0 where nothing was found; their mean is the MRR."""
    return np.where(ranks > 0, 1.0 / np.maximum(ranks, 1), 0.0)


class CoveragePoint(NamedTuple):
    """Mean quality of the answers kept when only the surest are given.

    Attributes:
        coverage: Share of the questions answered, in (0, 1].
        quality: Mean score of those.
        threshold: Confidence of the least sure of them.
    """

    coverage: float
    quality: float
    threshold: float


def coverage_curve(confidence: Floats, quality: Floats) -> list[CoveragePoint]:
    """Draws quality against coverage (El-Yaniv and Wiener, 2010): answers are given surest first.

    Questions of equal confidence are answered together, so that the curve does not depend on their order.

    Args:
        confidence: One value a question; larger is surer; shape `(n,)`.
        quality: Score of each answer; shape `(n,)`.
    """
    order = np.argsort(-confidence, kind="stable")
    ends = [end for end in range(1, len(order) + 1) if _is_last_of_ties(confidence[order], end)]
    return [
        CoveragePoint(end / len(order), float(quality[order[:end]].mean()), float(confidence[order[end - 1]]))
        for end in ends
    ]


def bootstrap_quality_at(
    confidence: Floats,
    quality: Floats,
    coverage: float,
    *,
    clusters: Sequence[Hashable],
    samples: int = 2_000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of the quality at a coverage, the surest answers being chosen anew in every sample."""
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    of_question = np.array([names[name] for name in clusters])
    order = np.argsort(-confidence, kind="stable")
    ordered, sure_first = quality[order], of_question[order]
    weights = _drawn(len(names), samples, seed)[:, sure_first]  # (samples, n)
    before = np.cumsum(weights, axis=1) - weights
    wanted = coverage * weights.sum(axis=1, keepdims=True)
    # The last question drawn may be kept in part.
    kept = np.clip(wanted - before, 0.0, weights)
    values = (kept @ ordered) / kept.sum(axis=1)
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(quality_at(coverage_curve(confidence, quality), coverage), float(low), float(high))


def quality_at(curve: Sequence[CoveragePoint], coverage: float) -> float:
    """Returns the quality at the smallest coverage on the curve that is at least `coverage`."""
    return next(point.quality for point in curve if point.coverage >= coverage - 1e-9)


def _is_last_of_ties(ordered: Floats, end: int) -> bool:
    return end == len(ordered) or bool(ordered[end] != ordered[end - 1])


# Hundreds of numbers of one report are drawn over the same questions.
@lru_cache(maxsize=8)
def _drawn(clusters: int, samples: int, seed: int) -> Floats:
    """How often each cluster is drawn in each bootstrap sample; shape `(samples, clusters)`."""
    chances = np.full(clusters, 1 / clusters)
    return np.random.default_rng(seed).multinomial(clusters, chances, size=samples).astype(np.float64)


@lru_cache(maxsize=2)
def _signs(clusters: int, flips: int, seed: int) -> Floats:
    """Random signs; shape `(flips, clusters)`."""
    return np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), size=(flips, clusters))


def _by_cluster(values: Floats, clusters: Sequence[Hashable] | None) -> tuple[Floats, Floats]:
    """Sums the values of each cluster, and counts them."""
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters or range(len(values))))}
    of_value = np.array([names[name] for name in clusters or range(len(values))])
    sums: Floats = np.bincount(of_value, weights=values, minlength=len(names)).astype(np.float64)
    counts: Floats = np.bincount(of_value, minlength=len(names)).astype(np.float64)
    return sums, counts
