"""The statistics are right: intervals cover, tests keep their level, metrics count."""

import numpy as np
import pytest

from rag.evaluation import statistics

RANKS = np.array([1, 2, 0, 5])


def test_recall_counts_only_found_ranks_within_depth() -> None:
    assert statistics.recall_at(RANKS, 1).tolist() == [1, 0, 0, 0]
    assert statistics.recall_at(RANKS, 5).tolist() == [1, 1, 0, 1]


def test_reciprocal_rank_of_the_unfound_is_zero() -> None:
    assert statistics.reciprocal_ranks(RANKS).tolist() == [1, 0.5, 0, 0.2]


def test_auroc_is_one_when_separate_and_half_when_equal() -> None:
    assert statistics.auroc(np.array([0.9, 0.8]), np.array([0.1, 0.7])) == 1.0
    assert statistics.auroc(np.array([0.5, 0.5]), np.array([0.5])) == 0.5
    assert statistics.auroc(np.array([0.2, 0.8]), np.array([0.5])) == 0.5


def test_bootstrap_interval_agrees_with_the_normal_one() -> None:
    values = np.repeat([0.0, 1.0], [100, 300])
    interval = statistics.bootstrap_mean(values, samples=4_000, seed=1)
    half_width = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert interval.value == 0.75
    # The Monte Carlo error of a quantile from 4,000 samples is a twentieth of the half-width.
    assert interval.low == pytest.approx(0.75 - half_width, abs=half_width / 5)
    assert interval.high == pytest.approx(0.75 + half_width, abs=half_width / 5)


def test_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    intervals = [statistics.bootstrap_mean(rng.normal(size=60), samples=400, seed=run) for run in range(300)]
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    # Nominal 0.95, percentile intervals of 60 values fall slightly short; 0.89 is four standard errors off.
    assert covered >= 0.89


def test_questions_of_one_group_count_as_one_draw() -> None:
    values = np.tile([0.0, 1.0], 50).repeat(4)
    clusters = [f"g{number // 4}" for number in range(400)]
    alone = statistics.bootstrap_mean(values, seed=0)
    tied = statistics.bootstrap_mean(values, clusters=clusters, seed=0)
    assert tied.value == alone.value
    # Four perfect copies carry no more evidence than one: the interval is twice as wide.
    assert (tied.high - tied.low) / (alone.high - alone.low) == pytest.approx(2, rel=0.15)


def test_questions_that_share_a_group_are_drawn_together_through_others_too() -> None:
    found = statistics.clusters_of([("a", "b"), (), ("c",), ("b", "d"), ("e",), ("d",), (), ("c", "e")])
    assert found == [0, 1, 2, 0, 2, 0, 6, 2]
    assert statistics.clusters_of([]) == []


def test_bootstrap_of_equal_values_has_no_width_and_repeats_by_seed() -> None:
    assert statistics.bootstrap_mean(np.ones(10)) == (1.0, 1.0, 1.0)
    values = np.random.default_rng(0).normal(size=50)
    assert statistics.bootstrap_mean(values, seed=4) == statistics.bootstrap_mean(values, seed=4)


def test_permutation_test_keeps_its_level_under_no_difference() -> None:
    rng = np.random.default_rng(5)
    p_values = [statistics.permutation_p(rng.normal(size=30), flips=400, seed=run) for run in range(300)]
    # At level 0.05 fifteen of 300 are expected; 32 is four and a half standard errors more.
    assert sum(p <= 0.05 for p in p_values) < 32


def test_permutation_test_finds_a_steady_difference_and_is_never_zero() -> None:
    p = statistics.permutation_p(np.full(20, 0.1), flips=1_000)
    assert 0 < p < 0.01


def test_permutation_test_flips_whole_groups() -> None:
    # One group asked forty times is one piece of evidence: nothing can be concluded from it.
    assert statistics.permutation_p(np.full(40, 0.1), clusters=["one"] * 40) == 1.0


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    assert statistics.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]


def test_coverage_curve_answers_the_surest_first_and_ties_together() -> None:
    curve = statistics.coverage_curve(np.array([0.2, 0.9, 0.5, 0.5]), np.array([0.0, 1.0, 0.5, 0.9]))
    assert [(point.coverage, point.threshold) for point in curve] == [(0.25, 0.9), (0.75, 0.5), (1.0, 0.2)]
    assert [point.quality for point in curve] == pytest.approx([1.0, 0.8, 0.6])


def test_a_coverage_that_ends_in_a_tie_takes_a_part_of_each_of_its_answers() -> None:
    sure, quality = np.array([0.2, 0.9, 0.5, 0.5]), np.array([0.0, 1.0, 0.5, 0.9])
    # Half of four answers: the surest, and half of each of the two that tie.
    assert statistics.quality_at(sure, quality, [0.25, 0.5, 0.75, 1.0]) == pytest.approx([1.0, 0.85, 0.8, 0.6])
    # In whichever order they stand.
    assert statistics.quality_at(sure[::-1], quality[::-1], [0.5]) == pytest.approx([0.85])


def test_the_quality_at_a_coverage_lies_in_its_interval_however_many_tie() -> None:
    rng = np.random.default_rng(2)
    for kinds in (1, 2, 3, 200):
        sure = rng.integers(kinds, size=200) / kinds
        # The sure answers of each tie stand first, so that taking whole questions in order would overstate.
        quality = np.sort(rng.random(200))[::-1] * 0.5 + sure * 0.5
        clusters = [str(number // 2) for number in range(200)]
        for interval in statistics.bootstrap_quality_at(sure, quality, [0.1, 0.5, 0.9], clusters=clusters):
            assert interval.low is not None
            assert interval.high is not None
            assert interval.low <= interval.value <= interval.high


def test_the_interval_of_the_whole_curve_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(6)
    quality, clusters = rng.random(80), [str(number // 4) for number in range(80)]
    (whole,) = statistics.bootstrap_quality_at(rng.random(80), quality, [1.0], clusters=clusters, seed=3)
    mean = statistics.bootstrap_mean(quality, clusters=clusters, seed=3)
    assert list(whole) == pytest.approx(list(mean))


def test_the_interval_at_half_coverage_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(8)
    covered = 0
    for run in range(200):
        # Ten levels of confidence, quality as high as the confidence and noise around it: the surer half has 0.7.
        sure = rng.integers(10, size=100) / 10
        quality = sure + rng.normal(scale=0.2, size=100)
        (found,) = statistics.bootstrap_quality_at(sure, quality, [0.5], clusters=range(100), samples=300, seed=run)
        covered += (found.low or 0) <= 0.7 <= (found.high or 0)
    # Nominal 0.95; 0.89 is four standard errors off.
    assert covered / 200 >= 0.89


def test_the_interval_of_an_auroc_is_as_wide_as_its_groups_make_it() -> None:
    rng = np.random.default_rng(4)
    positive, negative = rng.normal(1.0, size=60), rng.normal(0.0, size=40)

    def interval(copies: int) -> statistics.Interval:
        return statistics.bootstrap_auroc(
            np.repeat(positive, copies),
            np.repeat(negative, copies),
            positive_clusters=list(np.repeat(np.arange(60), copies)),
            negative_clusters=list(np.repeat(np.arange(40), copies)),
        )

    alone, copied = interval(1), interval(5)
    assert alone.value == statistics.auroc(positive, negative)
    # Copies within a group carry no more evidence.
    assert list(copied) == pytest.approx(list(alone))
    assert alone.low is not None
    assert alone.high is not None
    # Hanley and McNeil (1982): the standard error of this area with 60 and 40 is about 0.05.
    area = alone.value
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    error = np.sqrt((area * (1 - area) + 59 * (q1 - area**2) + 39 * (q2 - area**2)) / (60 * 40))
    assert (alone.high - alone.low) / 2 == pytest.approx(1.96 * error, rel=0.25)
    assert alone.low < area < alone.high


def test_fewer_than_five_groups_have_no_interval() -> None:
    interval = statistics.Interval(0.5, 0.4, 0.6)
    assert interval.told_of(["a", "b", "c", "d", "e"]) == interval
    assert interval.told_of(["a", "b", "c", "d", "d"]) == (0.5, None, None)
    assert interval.told_of(range(9), range(4)) == (0.5, None, None)
    assert f"{interval.told_of(range(4)):.2f}" == "0.50 [fewer than 5 groups]"


def test_a_rate_that_is_a_mean_has_the_interval_of_the_mean() -> None:
    rng = np.random.default_rng(5)
    hits, clusters = (rng.random(60) < 0.4).astype(float), [n // 3 for n in range(60)]
    counts = np.stack([hits, 1 - hits], axis=1)
    (found,) = statistics.bootstrap_rates(
        counts, lambda sums: sums[:, :1] / sums.sum(axis=1)[:, None], clusters=clusters
    )
    assert found == pytest.approx(statistics.bootstrap_mean(hits, clusters=clusters))
    (few,) = statistics.bootstrap_rates(counts[:6], lambda sums: sums[:, :1], clusters=clusters[:6])
    assert (few.low, few.high) == (None, None)
