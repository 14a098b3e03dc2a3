"""Compares two reports question by question, and says whether a change is a regression.

Knows only what stands in the reports: run them with the same questions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from data.errors import InputError
from data.settings import hint
from rag.evaluation.config import PROTOCOLS
from rag.evaluation.scoring import METRICS
from rag.evaluation.statistics import Interval, bootstrap_mean, clusters_of, holm, permutation_p

_RULE = re.compile(
    r"\s*(?P<arm>[\w+-]+)\.(?:(?P<protocol>\w+)\.)?(?P<metric>\w+)\s+(?P<way>drops|rises)\s+(?P<by>\d*\.?\d+)\s*"
)


class Change(NamedTuple):
    """How one metric of one arm changed.

    Attributes:
        arm: Name of the arm.
        protocol: Name of the protocol; empty for all of them together.
        metric: Name of the metric.
        before: Mean in the first report, over the questions that both hold.
        after: Mean in the second.
        difference: Second less first, with its interval.
        p: p-value of the difference; None where there are too few groups for an interval, and so for a test.
        questions: Questions compared.
        unpaired: Questions that both reports hold and one alone scores, for example because the other refused there;
            none of the compared.
        p_holm: The same, adjusted by Holm for all changes measured beside this one; None of a change measured alone.
    """

    arm: str
    protocol: str
    metric: str
    before: float
    after: float
    difference: Interval
    p: float | None
    questions: int
    unpaired: int = 0
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """When a comparison fails: "ARM[.PROTOCOL].METRIC drops|rises BY".

    Attributes:
        text: As given.
        arm: Name of the arm.
        protocol: Name of the protocol; empty for all of them together.
        metric: Name of the metric.
        drops: Whether a drop fails, rather than a rise.
        by: The change from which it fails.
    """

    text: str
    arm: str
    protocol: str
    metric: str
    drops: bool
    by: float

    def broken_by(self, change: Change) -> bool:
        """Says whether a change is as large as the rule forbids; no change breaks none."""
        moved = -change.difference.value if self.drops else change.difference.value
        return moved >= max(self.by - 1e-9, 1e-9)


def parse_rule(text: str) -> Rule:
    """Reads a rule such as "tuned+retrieval.cosine drops 0.01".

    Raises:
        InputError: It cannot be read, or names no metric or protocol that there is.
    """
    found = _RULE.fullmatch(text)
    if not found:
        raise InputError(f'{text!r} is no rule; write "ARM.METRIC drops 0.01" or "ARM.PROTOCOL.METRIC rises 0.01"')
    metric, protocol = found["metric"], found["protocol"] or ""
    if metric not in METRICS:
        raise InputError(f"{text!r}: metric {metric} is unknown" + hint(metric, dict.fromkeys(METRICS)))
    if protocol and protocol not in PROTOCOLS:
        raise InputError(f"{text!r}: protocol {protocol} is unknown" + hint(protocol, dict.fromkeys(PROTOCOLS)))
    return Rule(text.strip(), found["arm"], protocol, metric, found["way"] == "drops", float(found["by"]))


def check_comparable(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Says in what two reports differ beside their scores; refuses what cannot be compared.

    Raises:
        InputError: They were scored by different encoders, or share no question or no arm.
    """
    first, second = before["metric_encoder"], after["metric_encoder"]
    if first["fingerprint"] != second["fingerprint"]:
        raise InputError(
            f"the reports were scored by different encoders ({first['name']}; {second['name']}); "
            "run one of the evaluations again"
        )
    shared = {item["id"] for item in before["questions"]} & {item["id"] for item in after["questions"]}
    if not shared:
        raise InputError("the reports share no question; run both evaluations on the same files and seeds")
    if not set(before["arms"]) & set(after["arms"]):
        raise InputError("the reports share no arm")
    notes = []
    for report, name in ((before, "first"), (after, "second")):
        if len(shared) < len(report["questions"]):
            notes.append(
                f"{len(report['questions']) - len(shared)} questions of the {name} report are not in the other"
            )
    known = set(after["files"].values())  # the same file may be named otherwise
    notes += [f"file {name} differs" for name, digest in before["files"].items() if digest not in known]
    if before["prompt"] != after["prompt"]:
        notes.append("the prompts differ")
    # Reports made before these were recorded do not hold them.
    bases = [report.get("bases", {}) for report in (before, after)]
    notes += [f"base {name} differs" for name in bases[0] if name in bases[1] and bases[0][name] != bases[1][name]]
    if before.get("answering_version") != after.get("answering_version"):
        notes.append("the code that answers differs")
    for arm in (arm for arm in before["arms"] if arm in after["arms"]):
        devices = [report["arms"][arm].get("device", "") for report in (before, after)]
        if all(devices) and devices[0] != devices[1]:
            notes.append(f"arm {arm} ran on {devices[0]} and on {devices[1]}")
        if before["arms"][arm].get("digest") != after["arms"][arm].get("digest"):
            notes.append(f"arm {arm} has another model, another adapter or other settings")
    return notes


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], metrics: Sequence[str] = ("cosine", "recall_1", "support")
) -> list[Change]:
    """Compares the arms that both reports have, by protocol and over all protocols.

    Returns:
        Changes; p-values are adjusted by Holm over all of them that were tested.
    """
    changes = []
    for arm in before["arms"]:
        if arm in after["arms"]:
            for protocol in ("", *before["protocols"]):
                found = (measure_change(before, after, arm, protocol, metric) for metric in metrics)
                changes += [change for change in found if change is not None]
    adjusted = iter(holm([change.p for change in changes if change.p is not None]))
    return [change if change.p is None else change._replace(p_holm=next(adjusted)) for change in changes]


def apply_rule(rule: Rule, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, bool]:
    """Measures what a rule is about; says whether it is broken.

    Raises:
        InputError: The reports cannot be asked that.
    """
    for report in (before, after):
        if rule.arm not in report["arms"]:
            raise InputError(f"{rule.text!r}: arm {rule.arm} is not in both reports" + hint(rule.arm, report["arms"]))
    change = measure_change(before, after, rule.arm, rule.protocol, rule.metric)
    if change is None:
        raise InputError(f"{rule.text!r}: the reports share no question with this score")
    return change, rule.broken_by(change)


def measure_change(
    before: Mapping[str, Any], after: Mapping[str, Any], arm: str, protocol: str, metric: str
) -> Change | None:
    """Measures one change, paired by question; None where no question has the score in both reports."""
    old = {item["id"]: item for item in before["questions"]}
    pairs, unpaired = [], 0
    for item in after["questions"]:
        if item["id"] in old and protocol in ("", item["protocol"]):
            scores = [found["scores"].get(arm, {}).get(metric) for found in (old[item["id"]], item)]
            if None not in scores:
                pairs.append((*scores, item["targets"]))
            elif scores != [None, None]:
                unpaired += 1
    if not pairs:
        return None
    firsts = np.array([pair[0] for pair in pairs])
    seconds = np.array([pair[1] for pair in pairs])
    clusters = clusters_of([pair[2] for pair in pairs])
    difference = bootstrap_mean(seconds - firsts, clusters=clusters).told_of(clusters)
    p = None if difference.low is None else permutation_p(seconds - firsts, clusters=clusters)
    means = float(firsts.mean()), float(seconds.mean())
    return Change(arm, protocol, metric, *means, difference, p, len(pairs), unpaired)
