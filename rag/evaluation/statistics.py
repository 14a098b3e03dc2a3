"""How sure a number is: bootstrap intervals over groups, sign-flip permutation tests, AUROC, rank metrics.

Questions of one group succeed and fail together, so whole groups are drawn and flipped.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.ties import ties

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Ranks = npt.NDArray[np.int64]
"""Rank of the wanted group for each question, from 1; 0 where it was not found."""


LEAST_CLUSTERS = 5
"""Groups from which an interval is told; fewer say too little about how groups differ (one alone gives no width)."""


class Interval(NamedTuple):
    """An estimate and its 95% bootstrap interval; None for both ends where there are too few groups for one."""

    value: float
    low: float | None
    high: float | None

    def __format__(self, spec: str) -> str:
        """Formats all three numbers by `spec`."""
        if self.low is None or self.high is None:
            return f"{self.value:{spec}} [fewer than {LEAST_CLUSTERS} groups]"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def told_of(self, *clusters: Sequence[Hashable]) -> "Interval":
        """Returns this, without its ends if any of the samples it rests on has fewer than `LEAST_CLUSTERS` groups."""
        few = any(len(set(of_sample)) < LEAST_CLUSTERS for of_sample in clusters)
        return Interval(self.value, None, None) if few else self


def clusters_of(targets: Sequence[Sequence[str]]) -> list[int]:
    """Numbers what is drawn and flipped together: questions that share a group, or are tied by others that do.

    Args:
        targets: Ids of the groups that answer each question; one without any is tied to none.
    """
    group_named: dict[str, int] = {}
    links = [(number, group_named.setdefault(name, number)) for number, names in enumerate(targets) for name in names]
    found = {number: tie[0] for tie in ties(range(len(targets)), links) for number in tie}
    return [found[number] for number in range(len(targets))]


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


def bootstrap_rates(
    counts: Floats,
    rates: Callable[[Floats], Floats],
    *,
    clusters: Sequence[Hashable],
    samples: int = 2_000,
    seed: int = 0,
) -> list[Interval]:
    """Percentile intervals of what is worked out from summed counts, such as a precision.

    Args:
        counts: Counts of each item; shape `(n, cells)`.
        rates: From sums of shape `(m, cells)` to values of shape `(m, rates)`.
        clusters: Group of each item, as for `bootstrap_mean`.
        samples: Bootstrap samples.
        seed: Seed of the draws.
    """
    of_item = _one_hot(_numbered(clusters))
    drawn = _drawn(of_item.shape[1], samples, seed)
    ends = np.quantile(rates(drawn @ (of_item.T @ counts)), [0.025, 0.975], axis=0)  # (2, rates)
    values = rates(counts.sum(axis=0, keepdims=True))[0]
    found = [Interval(float(value), float(low), float(high)) for value, low, high in zip(values, *ends, strict=True)]
    return [interval.told_of(clusters) for interval in found]


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
    return float(_wins(positive, negative).mean())


def bootstrap_auroc(
    positive: Floats,
    negative: Floats,
    *,
    positive_clusters: Sequence[Hashable],
    negative_clusters: Sequence[Hashable],
    samples: int = 2_000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of `auroc`; groups of positives and of negatives are drawn apart, each as many as there are.

    Args:
        positive: Score of each positive; shape `(n,)`.
        negative: Score of each negative; shape `(m,)`.
        positive_clusters: Group of each positive.
        negative_clusters: Group of each negative; none of them among those of the positives.
        samples: Bootstrap samples.
        seed: Seed of the draws.
    """
    of_positive, of_negative = _numbered(positive_clusters), _numbered(negative_clusters)
    # Won pairs between each group of positives and each of negatives.
    wins = _one_hot(of_positive).T @ _wins(positive, negative) @ _one_hot(of_negative)
    drawn, against = _drawn(len(wins), samples, seed), _drawn(wins.shape[1], samples, seed + 1)
    pairs = (drawn @ np.bincount(of_positive)) * (against @ np.bincount(of_negative))
    low, high = np.quantile(((drawn @ wins) * against).sum(axis=1) / pairs, [0.025, 0.975])
    return Interval(auroc(positive, negative), float(low), float(high))


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


def quality_at(confidence: Floats, quality: Floats, coverages: Sequence[float]) -> Floats:
    """Returns the mean quality of the surest share of the answers; one value a coverage.

    Where a coverage ends among answers of equal confidence, each of them counts in part and all alike: what is
    expected of drawing among them.

    Args:
        confidence: One value an answer; larger is surer; shape `(n,)`.
        quality: Score of each answer; shape `(n,)`.
        coverages: Shares of the answers kept, in (0, 1].
    """
    found: Floats = _quality_of_surest(confidence, quality, coverages, np.ones((1, len(quality))))[0]
    return found


def bootstrap_quality_at(
    confidence: Floats,
    quality: Floats,
    coverages: Sequence[float],
    *,
    clusters: Sequence[Hashable],
    samples: int = 2_000,
    seed: int = 0,
) -> list[Interval]:
    """Percentile intervals of `quality_at`, the surest answers being chosen anew in every sample.

    Args:
        confidence: As for `quality_at`.
        quality: As for `quality_at`.
        coverages: As for `quality_at`.
        clusters: Group of each answer, as for `bootstrap_mean`.
        samples: Bootstrap samples.
        seed: Seed of the draws.
    """
    of_answer = _numbered(clusters)
    weights = _drawn(int(of_answer.max()) + 1, samples, seed)[:, of_answer]  # (samples, n)
    values = _quality_of_surest(confidence, quality, coverages, weights)
    ends = np.quantile(values, [0.025, 0.975], axis=0)  # (2, coverages)
    points = quality_at(confidence, quality, coverages)
    return [Interval(float(value), float(low), float(high)) for value, low, high in zip(points, *ends, strict=True)]


def _quality_of_surest(confidence: Floats, quality: Floats, coverages: Sequence[float], weights: Floats) -> Floats:
    """Mean quality of the surest answers, each counted as often as a sample holds it; shape `(samples, coverages)`."""
    order = np.argsort(-confidence, kind="stable")
    ends = [end - 1 for end in range(1, len(order) + 1) if _is_last_of_ties(confidence[order], end)]
    weights = weights[:, order]
    from_zero = ((0, 0), (1, 0))
    counts = np.pad(np.cumsum(weights, axis=1)[:, ends], from_zero)
    sums = np.pad(np.cumsum(weights * quality[order], axis=1)[:, ends], from_zero)
    wanted = counts[:, -1:] * np.asarray(coverages)
    # The sum grows evenly from the start of a tie to its end.
    kept = [np.interp(*of_sample) for of_sample in zip(wanted, counts, sums, strict=True)]
    found: Floats = np.array(kept) / wanted
    return found


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
    of_value = _numbered(clusters or range(len(values)))
    sums: Floats = np.bincount(of_value, weights=values).astype(np.float64)
    counts: Floats = np.bincount(of_value).astype(np.float64)
    return sums, counts


def _numbered(clusters: Sequence[Hashable]) -> Numbers:
    """Numbers the clusters from 0 in the order they come; the number of each value's; shape `(n,)`."""
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    return np.array([names[name] for name in clusters], dtype=np.int64)


def _one_hot(numbers: Numbers) -> Floats:
    """1 in the column of each value's number, else 0; shape `(n, numbers)`."""
    found: Floats = np.eye(int(numbers.max()) + 1)[numbers]
    return found


def _wins(positive: Floats, negative: Floats) -> Floats:
    """1 where a positive scores above a negative, 0.5 where they are equal, else 0; shape `(n, m)`."""
    above, equal = positive[:, None] > negative[None, :], positive[:, None] == negative[None, :]
    found: Floats = above + equal / 2
    return found
