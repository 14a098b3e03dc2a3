"""Comparisons pair questions, and the gate closes on what it was told to watch."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError
from index.encoders.base import HashEncoder
from rag.evaluation.comparing import apply_rule, check_comparable, compare, parse_rule
from rag.evaluation.config import EvaluationConfig
from rag.evaluation.metric_encoders import MetricEncoder
from rag.evaluation.running import evaluate
from rag.evaluation.statistics import holm


@pytest.fixture
def report(config: EvaluationConfig, tmp_path: Path, metric: MetricEncoder) -> dict[str, Any]:
    return evaluate(config, tmp_path, encoder=HashEncoder(), metric=metric).report


def lowered(report: dict[str, Any], by: float) -> dict[str, Any]:
    copy = deepcopy(report)
    for item in copy["questions"]:
        if "cosine" in item["scores"].get("extractive", {}):
            item["scores"]["extractive"]["cosine"] -= by
    return copy


def test_a_report_does_not_differ_from_itself(report: dict[str, Any]) -> None:
    assert check_comparable(report, report) == []
    changes = compare(report, report)
    tested = [change for change in changes if change.p is not None]
    assert all(change.difference == (0.0, 0.0, 0.0) and change.p == change.p_holm == 1.0 for change in tested)
    # Of fewer than five groups neither interval nor p is told.
    untested = {change.protocol for change in changes if change not in tested}
    assert untested == {"unseen", "compound", "noisy", "unanswerable", "out_of_domain"}
    assert all(change.difference == (0.0, None, None) for change in changes if change not in tested)


def test_p_values_are_adjusted_over_everything_that_was_compared(report: dict[str, Any]) -> None:
    changes = [change for change in compare(report, lowered(report, 0.05)) if change.p is not None]
    assert [change.p_holm for change in changes] == holm([change.p for change in changes])
    moved = [change for change in changes if change.difference.value]
    assert {(change.arm, change.metric) for change in moved} == {("extractive", "cosine")}
    assert all(change.p_holm > change.p for change in moved)
    # A rule is about one change alone.
    assert apply_rule(parse_rule("extractive.cosine drops 0.01"), report, report)[0].p_holm is None


def test_other_code_and_another_device_are_told(report: dict[str, Any]) -> None:
    other = deepcopy(report)
    other["answering_version"] += 1
    report["arms"]["extractive"]["device"], other["arms"]["extractive"]["device"] = "cpu", "cuda"
    assert check_comparable(report, other) == [
        "the code that answers differs",
        "arm extractive ran on cpu and on cuda",
    ]


def test_a_report_from_before_devices_were_recorded_is_compared(report: dict[str, Any]) -> None:
    older = deepcopy(report)
    del older["answering_version"], older["arms"]["extractive"]["device"], older["arms"]["extractive"]["model"]
    assert check_comparable(older, report) == ["the code that answers differs"]
    assert compare(older, report)


def test_a_file_of_another_name_is_the_same_and_another_model_is_told(report: dict[str, Any]) -> None:
    other = deepcopy(report)
    other["files"] = {f"elsewhere/{name}": digest for name, digest in other["files"].items()}
    assert check_comparable(report, other) == []
    other["arms"]["extractive"]["digest"] = other["bases"]["full"]["digest"] = "another"
    assert check_comparable(report, other) == [
        "base full differs",
        "arm extractive has another model, another adapter or other settings",
    ]


def test_scores_that_one_report_lacks_are_counted(report: dict[str, Any]) -> None:
    other = deepcopy(report)
    having = [item for item in other["questions"] if "support" in item["scores"]["extractive"]]
    for item in having[:2]:
        del item["scores"]["extractive"]["support"]
    rule = parse_rule("extractive.support drops 0.01")
    for before, after in ((report, other), (other, report)):
        change, _ = apply_rule(rule, before, after)
        assert (change.questions, change.unpaired) == (len(having) - 2, 2)
    assert apply_rule(rule, report, report)[0].unpaired == 0


@pytest.mark.parametrize("way", ["drops", "rises"])
def test_no_change_breaks_no_rule(report: dict[str, Any], way: str) -> None:
    assert not apply_rule(parse_rule(f"extractive.cosine {way} 0"), report, report)[1]
    assert apply_rule(parse_rule("extractive.cosine drops 0"), report, lowered(report, 0.001))[1]


@pytest.mark.parametrize(("by", "broken"), [(0.02, True), (0.01, True), (0.009, False), (-0.05, False)])
def test_a_drop_closes_the_gate_from_its_size_on(report: dict[str, Any], by: float, broken: bool) -> None:
    change, fails = apply_rule(parse_rule("extractive.cosine drops 0.01"), report, lowered(report, by))
    assert fails is broken
    assert change.difference.value == pytest.approx(-by)


def test_a_rise_is_watched_for_as_well(report: dict[str, Any]) -> None:
    rule = parse_rule("extractive.paraphrase.cosine rises 0.01")
    assert apply_rule(rule, report, lowered(report, -0.05))[1]
    assert not apply_rule(rule, report, lowered(report, 0.05))[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("extractive.cosine falls 0.01", "is no rule"),
        ("extractive.cosin drops 0.01", "did you mean cosine"),
        ("extractive.unsen.cosine drops 0.01", "did you mean unseen"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        parse_rule(text)


def test_an_arm_that_is_missing_is_no_pass(report: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="arm extractiv is not in both reports"):
        apply_rule(parse_rule("extractiv.cosine drops 0.01"), report, report)


def test_scores_of_different_encoders_are_not_compared(report: dict[str, Any]) -> None:
    other = deepcopy(report)
    other["metric_encoder"]["fingerprint"] = "another"
    with pytest.raises(InputError, match="different encoders"):
        check_comparable(report, other)
