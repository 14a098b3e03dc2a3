"""From scores to results: means with intervals, paired differences with p-values, refusals, curves, cases."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from rag.evaluation.answering import Asking
from rag.evaluation.config import PROTOCOLS, StatisticsSettings
from rag.evaluation.journal import Record
from rag.evaluation.protocols import ANSWERABLE, UNANSWERABLE, AskedQuestion
from rag.evaluation.scoring import METRICS, QUALITY, RETRIEVAL, Scores
from rag.evaluation.statistics import (
    Floats,
    Interval,
    auroc,
    bootstrap_mean,
    bootstrap_quality_at,
    coverage_curve,
    holm,
    permutation_p,
)

Json = dict[str, Any]
AllScores = Mapping[str, Mapping[str, Scores]]

COMPARED = (*QUALITY, *RETRIEVAL[:1], "mrr", "citation_recall", "support")
"""Metrics of which differences between arms are tested."""

CURVE_POINTS = 200
"""Points kept of a curve at most."""


class Results:
    """Computes every part of a report from the scores of all questions.

    Attributes:
        protocols: The protocols asked, in order.
    """

    def __init__(
        self, questions: Sequence[AskedQuestion], scores: AllScores, settings: StatisticsSettings, against: str
    ) -> None:
        self._by_id = {item.id: item for item in questions}
        self._scores = scores
        self._settings = settings
        self._against = against
        self.protocols = [name for name in PROTOCOLS if any(item.protocol == name for item in questions)]

    def means(self) -> Json:
        """Returns means with intervals: arm, protocol, metric; the same by category for the quality metrics."""
        found: Json = {}
        for arm in self._scores:
            found[arm] = {}
            for protocol in self.protocols:
                asked = self._asked(arm, protocol)
                if asked:
                    categories = sorted({self._by_id[name].category for name in asked} - {""})
                    found[arm][protocol] = {
                        "questions": len(asked),
                        "metrics": self._metrics(arm, asked, METRICS),
                        "categories": {
                            category: self._metrics(
                                arm,
                                self._asked(arm, protocol, category),
                                (*QUALITY, *RETRIEVAL[:1]),
                            )
                            for category in categories
                        },
                    }
        return found

    def differences(self) -> list[Json]:
        """Returns paired differences of all pairs of arms by protocol, p-values adjusted within protocol and metric."""
        found: list[Json] = []
        for protocol in self.protocols:
            for metric in COMPARED:
                family = []
                for first, second in combinations(self._scores, 2):
                    entry = self._difference(second, first, metric, protocol)
                    if entry:
                        family.append({"protocol": protocol, "category": "", "metric": metric, **entry})
                adjusted = holm([entry["p"] for entry in family])
                found += [{**entry, "p_holm": round(p, 6)} for entry, p in zip(family, adjusted, strict=True)]
        return found

    def category_differences(self) -> list[Json]:
        """Returns differences of the cosine from the reference arm, by category; adjusted within arm and protocol."""
        found: list[Json] = []
        for protocol in self.protocols:
            of_protocol = {item.category for item in self._by_id.values() if item.protocol == protocol} - {""}
            for arm in self._scores:
                family = []
                for category in sorted(of_protocol) if arm != self._against else ():
                    entry = self._difference(arm, self._against, "cosine", protocol, category)
                    if entry:
                        family.append({"protocol": protocol, "category": category, "metric": "cosine", **entry})
                adjusted = holm([entry["p"] for entry in family])
                found += [{**entry, "p_holm": round(p, 6)} for entry, p in zip(family, adjusted, strict=True)]
        return found

    def abstention(self, askings: Sequence[Asking], answers: Mapping[str, Record]) -> Json:
        """Returns how well each arm's confidence tells answerable questions from others, and what is refused.

        `refused_by_threshold` is what the base's own threshold would refuse, `refused_by_model` what the generator
        itself declined to answer, `empty` where it said nothing.
        """
        found: Json = {}
        for arm, records in _first_draws(askings, answers).items():
            confidence = {name: record["confidence"] for name, record in records.items()}
            entry: Json = {"protocols": {}, "auroc": {}}
            for protocol in self.protocols:
                asked = [name for name in records if self._by_id[name].protocol == protocol]
                if asked:
                    entry["protocols"][protocol] = {
                        "questions": len(asked),
                        "refused_by_threshold": _share([records[name]["below_threshold"] for name in asked]),
                        "refused_by_model": _share([records[name]["refused_by"] == "model" for name in asked]),
                        "empty": _share([records[name]["refused_by"] == "empty" for name in asked]),
                    }
            if all(value is not None for value in confidence.values()):
                real = [confidence[name] for name in records if self._by_id[name].protocol in ANSWERABLE]
                for protocol in UNANSWERABLE:
                    other = [confidence[name] for name in records if self._by_id[name].protocol == protocol]
                    if real and other:
                        entry["auroc"][protocol] = round(auroc(np.array(real), np.array(other)), 6)
            found[arm] = entry
        return found

    def curves(self, askings: Sequence[Asking], answers: Mapping[str, Record]) -> Json:
        """Returns cosine against coverage by arm and protocol, and its value with an interval at half coverage.

        A question that was not answered counts as the least sure of all.
        """
        found: Json = {}
        for arm, records in _first_draws(askings, answers).items():
            for protocol in self.protocols:
                asked = [
                    name
                    for name, record in records.items()
                    if self._by_id[name].protocol == protocol
                    and record["confidence"] is not None
                    and "cosine" in self._scores[arm][name]
                ]
                if not asked:
                    continue
                sure = np.array([-1.0 if records[name]["abstained"] else records[name]["confidence"] for name in asked])
                quality = np.array([self._scores[arm][name]["cosine"] for name in asked])
                half = bootstrap_quality_at(
                    sure,
                    quality,
                    0.5,
                    clusters=[self._by_id[name].cluster for name in asked],
                    samples=self._settings.bootstrap,
                    seed=self._settings.seed,
                )
                curve = coverage_curve(sure, quality)
                kept = curve[:: -(-len(curve) // CURVE_POINTS)]
                if kept[-1] != curve[-1]:
                    kept.append(curve[-1])
                found.setdefault(arm, {})[protocol] = {
                    "at_half": _interval(half),
                    "points": [[round(value, 6) for value in point] for point in kept],
                }
        return found

    def cases(self, main: str, count: int) -> dict[str, list[Json]]:
        """Returns the questions on which the main arm gains and loses most against the reference arm, by cosine."""
        ours, theirs = self._scores[main], self._scores[self._against]
        both = [name for name in ours if name in theirs and "cosine" in ours[name] and "cosine" in theirs[name]]
        if main == self._against:
            gains = {name: ours[name]["cosine"] for name in both}
        else:
            gains = {name: ours[name]["cosine"] - theirs[name]["cosine"] for name in both}
        ordered = sorted(both, key=lambda name: (-gains[name], name))
        lines = [{"question": name, "gain": round(gains[name], 6)} for name in ordered]
        return {"best": lines[:count], "worst": lines[::-1][:count]}

    def _asked(self, arm: str, protocol: str, category: str = "") -> list[str]:
        return [
            name
            for name in self._scores[arm]
            if self._by_id[name].protocol == protocol and category in ("", self._by_id[name].category)
        ]

    def _metrics(self, arm: str, asked: Sequence[str], metrics: Sequence[str]) -> Json:
        found: Json = {}
        for metric in metrics:
            having = [name for name in asked if metric in self._scores[arm][name]]
            if having:
                values = np.array([self._scores[arm][name][metric] for name in having])
                found[metric] = {**_interval(self._bootstrap(values, having)), "questions": len(having)}
        return found

    def _difference(self, arm: str, other: str, metric: str, protocol: str, category: str = "") -> Json | None:
        ours, theirs = self._scores[arm], self._scores[other]
        both = [
            name
            for name in self._asked(arm, protocol, category)
            if metric in ours[name] and metric in theirs.get(name, {})
        ]
        if len(both) < 2:
            return None
        values = np.array([ours[name][metric] - theirs[name][metric] for name in both])
        clusters = [self._by_id[name].cluster for name in both]
        p = permutation_p(values, clusters=clusters, flips=self._settings.permutations, seed=self._settings.seed)
        return {
            "arm": arm,
            "against": other,
            "questions": len(both),
            **_interval(self._bootstrap(values, both)),
            "p": round(p, 6),
        }

    def _bootstrap(self, values: Floats, asked: Sequence[str]) -> Interval:
        clusters = [self._by_id[name].cluster for name in asked]
        return bootstrap_mean(values, clusters=clusters, samples=self._settings.bootstrap, seed=self._settings.seed)


def timings(askings: Sequence[Asking], answers: Mapping[str, Record]) -> Json:
    """Returns what each arm's answers took when they were computed; batched answers share their time evenly."""
    found: Json = {}
    of_arm: dict[str, list[Asking]] = {}
    for asking in askings:
        of_arm.setdefault(asking.arm.settings.name, []).append(asking)
    for arm, asked in of_arm.items():
        records = [answers[asking.key] for asking in asked]
        costs = [record["cost"] for record in records]
        seconds = np.array([cost["seconds"] for cost in costs])
        first = [cost["first_s"] for cost in costs if cost["first_s"] is not None]
        tokens = [record["tokens"] for record in records if record["tokens"] is not None]
        found[arm] = {
            "answers": len(records),
            "batch": asked[0].arm.settings.batch,
            "seconds_median": round(float(np.median(seconds)), 4),
            "seconds_p95": round(float(np.percentile(seconds, 95)), 4),
            "seconds_total": round(float(seconds.sum()), 2),
            "first_text_median": round(float(np.median(first)), 4) if first else None,
            "tokens_per_second": round(sum(tokens) / float(seconds.sum()), 1) if tokens and seconds.sum() else None,
            "peak_memory_mib": max(cost["peak_mib"] for cost in costs),
            "seconds": [round(float(value), 3) for value in seconds],
        }
    return found


def _first_draws(askings: Sequence[Asking], answers: Mapping[str, Record]) -> dict[str, dict[str, Record]]:
    """Returns records by arm and question id, the first seed's where there are several."""
    found: dict[str, dict[str, Record]] = {}
    for asking in askings:
        found.setdefault(asking.arm.settings.name, {}).setdefault(asking.item.id, answers[asking.key])
    return found


def _interval(interval: Interval) -> Json:
    return {"value": round(interval.value, 6), "low": round(interval.low, 6), "high": round(interval.high, 6)}


def _share(values: Sequence[bool | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 6) if known else None
