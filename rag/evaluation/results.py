"""From scores to results: means with intervals, paired differences with p-values, refusals, curves, cases.

An arm with something random is asked every question with several seeds. Means and differences take the mean over them,
question by question; refusals and curves, which set a similarity or a confidence beside the score of the same answer,
take every answer as a line of its own, tied to the others of its group; cases show the first answer and its own score.

An interval of fewer groups than `LEAST_CLUSTERS` is not told (its ends are null), nor is such a difference tested.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from rag.evaluation.answering import Asking
from rag.evaluation.config import PROTOCOLS, StatisticsSettings
from rag.evaluation.journal import Record
from rag.evaluation.protocols import ANSWERABLE, UNANSWERABLE, AskedQuestion
from rag.evaluation.scoring import METRICS, QUALITY, DrawnScores, Scores, mean_scores
from rag.evaluation.statistics import (
    Floats,
    Interval,
    bootstrap_auroc,
    bootstrap_mean,
    bootstrap_quality_at,
    clusters_of,
    coverage_curve,
    holm,
    permutation_p,
)

Json = dict[str, Any]

COMPARED = (
    *QUALITY,
    "recall_1",
    "mrr",
    "ndcg_10",
    "citation_recall",
    "citation_precision",
    "support",
    "distinct_2",
    "longest_repeat",
    "characters",
)
"""Metrics of which differences between arms are tested."""

_OF_ONE_RANKING = ("mrr", "ndcg_10")
"""Of these a question asked whole and one split into parts have different definitions (`rag.evaluation.scoring`)."""

CURVE_POINTS = 200
"""Points kept of a curve at most."""

COVERAGES = tuple(tenth / 10 for tenth in range(1, 11))
"""Coverages at which a curve is told with its intervals."""


class _Line(NamedTuple):
    """One answer: its question, what was recorded of it, its own scores."""

    item: AskedQuestion
    record: Record
    scores: Scores


class Results:
    """Computes every part of a report from the scores of all questions.

    Attributes:
        protocols: The protocols asked, in order.
        scores: Scores by arm and question id, the mean over the seeds.
    """

    def __init__(
        self, questions: Sequence[AskedQuestion], drawn: DrawnScores, settings: StatisticsSettings, against: str
    ) -> None:
        self._by_id = {item.id: item for item in questions}
        self._drawn = drawn
        self.scores: dict[str, dict[str, Scores]] = {
            arm: {name: mean_scores(scores) for name, scores in of_question.items()}
            for arm, of_question in drawn.items()
        }
        self._settings = settings
        self._against = against
        self.protocols = [name for name in PROTOCOLS if any(item.protocol == name for item in questions)]

    def means(self) -> Json:
        """Returns means with intervals: arm, protocol, metric; the same by category for the quality metrics."""
        found: Json = {}
        for arm in self.scores:
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
                                (*QUALITY, "recall_1"),
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
                if protocol == "compound" and metric in _OF_ONE_RANKING:
                    continue
                family = []
                for first, second in combinations(self.scores, 2):
                    entry = self._difference(second, first, metric, protocol)
                    if entry:
                        family.append({"protocol": protocol, "category": "", "metric": metric, **entry})
                found += _adjusted(family)
        return found

    def category_differences(self) -> list[Json]:
        """Returns differences of the cosine from the reference arm, by category; adjusted within arm and protocol."""
        found: list[Json] = []
        for protocol in self.protocols:
            of_protocol = {item.category for item in self._by_id.values() if item.protocol == protocol} - {""}
            for arm in self.scores:
                family = []
                for category in sorted(of_protocol) if arm != self._against else ():
                    entry = self._difference(arm, self._against, "cosine", protocol, category)
                    if entry:
                        family.append({"protocol": protocol, "category": category, "metric": "cosine", **entry})
                found += _adjusted(family)
        return found

    def abstention(self, askings: Sequence[Asking], answers: Mapping[str, Record]) -> Json:
        """Returns how well similarity and confidence tell answerable questions from others, and what is refused.

        `refused_by_threshold` is what the base's own threshold would refuse, `refused_by_model` what the generator
        itself declined to answer, `empty` where it said nothing. Positives of the AUROC are the questions of all
        `ANSWERABLE` protocols together, counted by protocol in `positives`; negatives those of one unanswerable one.
        """
        found: Json = {}
        for arm, lines in self._lines(askings, answers).items():
            entry: Json = {"protocols": {}, "positives": {}, "auroc": {}, "auroc_confidence": {}}
            for protocol in self.protocols:
                asked = [line for line in lines if line.item.protocol == protocol]
                if asked:
                    entry["protocols"][protocol] = {
                        "questions": len({line.item.id for line in asked}),
                        "refused_by_threshold": self._share(asked, [line.record["below_threshold"] for line in asked]),
                        "refused_by_model": self._share(
                            asked, [line.record["refused_by"] == "model" for line in asked]
                        ),
                        "empty": self._share(asked, [line.record["refused_by"] == "empty" for line in asked]),
                    }
            sure = [line for line in lines if line.record["similarity"] is not None]
            real = [line for line in sure if line.item.protocol in ANSWERABLE]
            for protocol in ANSWERABLE:
                if questions := {line.item.id for line in real if line.item.protocol == protocol}:
                    entry["positives"][protocol] = len(questions)
            for protocol in UNANSWERABLE:
                other = [line for line in sure if line.item.protocol == protocol]
                if real and other:
                    entry["auroc"][protocol] = _interval(self._auroc(real, other, "similarity"))
                    entry["auroc_confidence"][protocol] = _interval(self._auroc(real, other, "confidence"))
            found[arm] = entry
        return found

    def curves(self, askings: Sequence[Asking], answers: Mapping[str, Record]) -> Json:
        """Returns cosine against coverage by arm and protocol, and its values with intervals at `COVERAGES`.

        A question that was not answered counts as the least sure of all.
        """
        found: Json = {}
        for arm, lines in self._lines(askings, answers).items():
            for protocol in self.protocols:
                asked = [
                    line
                    for line in lines
                    if line.item.protocol == protocol
                    and line.record["confidence"] is not None
                    and "cosine" in line.scores
                ]
                if not asked:
                    continue
                sure = np.array([_confidence(line.record) for line in asked])
                quality = np.array([line.scores["cosine"] for line in asked])
                clusters = _clusters_of_lines(asked)
                told = bootstrap_quality_at(
                    sure,
                    quality,
                    COVERAGES,
                    clusters=clusters,
                    samples=self._settings.bootstrap,
                    seed=self._settings.seed,
                )
                curve = coverage_curve(sure, quality)
                kept = curve[:: -(-len(curve) // CURVE_POINTS)]
                if kept[-1] != curve[-1]:
                    kept.append(curve[-1])
                found.setdefault(arm, {})[protocol] = {
                    "at": [
                        {"coverage": coverage, **_interval(interval.told_of(clusters))}
                        for coverage, interval in zip(COVERAGES, told, strict=True)
                    ],
                    "points": [[round(value, 6) for value in point] for point in kept],
                }
        return found

    def draws(self, askings: Sequence[Asking], answers: Mapping[str, Record]) -> dict[str, dict[str, list[Json]]]:
        """Returns similarity, confidence and cosine of every answer, or null, by question id and arm; one a seed."""
        found: dict[str, dict[str, list[Json]]] = {}
        for arm, lines in self._lines(askings, answers).items():
            for line in lines:
                drawn = {name: line.record[name] for name in ("similarity", "confidence")}
                drawn["cosine"] = line.scores.get("cosine")
                found.setdefault(line.item.id, {}).setdefault(arm, []).append(drawn)
        return found

    def cases(self, main: str, count: int) -> dict[str, list[Json]]:
        """Returns the questions on which the main arm gains and loses most against the reference arm, by cosine.

        Compares the first answer of both, which is the one shown. Questions on which both are equal are neither.
        """
        ours = self._first(main)
        theirs = dict.fromkeys(ours, 0.0) if main == self._against else self._first(self._against)
        gains = {name: round(ours[name] - theirs[name], 6) for name in ours if name in theirs}
        ordered = sorted(gains, key=lambda name: (-gains[name], name))
        best = [{"question": name, "gain": gains[name]} for name in ordered if gains[name] > 0]
        worst = [{"question": name, "gain": gains[name]} for name in reversed(ordered) if gains[name] < 0]
        return {"best": best[:count], "worst": worst[:count]}

    def _first(self, arm: str) -> dict[str, float]:
        """Cosine of the first answer to each question that has one."""
        return {name: drawn[0]["cosine"] for name, drawn in self._drawn[arm].items() if "cosine" in drawn[0]}

    def _lines(self, askings: Sequence[Asking], answers: Mapping[str, Record]) -> dict[str, list[_Line]]:
        """Every answer by arm, in the order asked."""
        scores = {(arm, name): iter(drawn) for arm, of in self._drawn.items() for name, drawn in of.items()}
        found: dict[str, list[_Line]] = {}
        for asking in askings:
            arm = asking.arm.settings.name
            line = _Line(asking.item, answers[asking.key], next(scores[arm, asking.item.id]))
            found.setdefault(arm, []).append(line)
        return found

    def _share(self, lines: Sequence[_Line], values: Sequence[bool | None]) -> Json | None:
        """Share of the answers for which a value is true, among those for which it is known."""
        known = [(line, value) for line, value in zip(lines, values, strict=True) if value is not None]
        if not known:
            return None
        shares = np.array([float(value) for _, value in known])
        return _interval(self._bootstrap(shares, _clusters_of_lines([line for line, _ in known])))

    def _auroc(self, real: Sequence[_Line], other: Sequence[_Line], by: str) -> Interval:
        ours, theirs = _clusters_of_lines(real), _clusters_of_lines(other)
        return bootstrap_auroc(
            np.array([line.record[by] for line in real]),
            np.array([line.record[by] for line in other]),
            positive_clusters=ours,
            negative_clusters=theirs,
            samples=self._settings.bootstrap,
            seed=self._settings.seed,
        ).told_of(ours, theirs)

    def _asked(self, arm: str, protocol: str, category: str = "") -> list[str]:
        return [
            name
            for name in self.scores[arm]
            if self._by_id[name].protocol == protocol and category in ("", self._by_id[name].category)
        ]

    def _metrics(self, arm: str, asked: Sequence[str], metrics: Sequence[str]) -> Json:
        found: Json = {}
        for metric in metrics:
            having = [name for name in asked if metric in self.scores[arm][name]]
            if having:
                values = np.array([self.scores[arm][name][metric] for name in having])
                found[metric] = {**_interval(self._bootstrap(values, self._clusters(having))), "questions": len(having)}
        return found

    def _difference(self, arm: str, other: str, metric: str, protocol: str, category: str = "") -> Json | None:
        ours, theirs = self.scores[arm], self.scores[other]
        both = [
            name
            for name in self._asked(arm, protocol, category)
            if metric in ours[name] and metric in theirs.get(name, {})
        ]
        if not both:
            return None
        values = np.array([ours[name][metric] - theirs[name][metric] for name in both])
        clusters = self._clusters(both)
        interval = self._bootstrap(values, clusters)
        p = None
        if interval.low is not None:
            flips, seed = self._settings.permutations, self._settings.seed
            p = round(permutation_p(values, clusters=clusters, flips=flips, seed=seed), 6)
        return {"arm": arm, "against": other, "questions": len(both), **_interval(interval), "p": p}

    def _clusters(self, asked: Sequence[str]) -> list[int]:
        return _clusters([self._by_id[name] for name in asked])

    def _bootstrap(self, values: Floats, clusters: Sequence[int]) -> Interval:
        drawn = bootstrap_mean(values, clusters=clusters, samples=self._settings.bootstrap, seed=self._settings.seed)
        return drawn.told_of(clusters)


def timings(askings: Sequence[Asking], answers: Mapping[str, Record]) -> Json:
    """Returns what each arm's answers took when they were computed; batched answers share their time evenly.

    Peaks of memory are those of the whole process while the arm answered: models of other arms that stay loaded count.
    """
    found: Json = {}
    of_arm: dict[str, list[Asking]] = {}
    for asking in askings:
        of_arm.setdefault(asking.arm.settings.name, []).append(asking)
    for arm, asked in of_arm.items():
        records = [answers[asking.key] for asking in asked]
        costs = [record["cost"] for record in records]
        seconds = np.array([cost["seconds"] for cost in costs])
        first = [cost["first_s"] for cost in costs if cost["first_s"] is not None]
        on_cuda = [cost["cuda_peak_mib"] for cost in costs if cost.get("cuda_peak_mib") is not None]
        tokens = [record["tokens"] for record in records if record["tokens"] is not None]
        found[arm] = {
            "answers": len(records),
            "batch": asked[0].arm.settings.batch,
            "seconds_median": round(float(np.median(seconds)), 4),
            "seconds_p95": round(float(np.percentile(seconds, 95)), 4),
            "seconds_total": round(float(seconds.sum()), 2),
            "first_text_median": round(float(np.median(first)), 4) if first else None,
            "tokens_per_second": round(sum(tokens) / float(seconds.sum()), 1) if tokens and seconds.sum() else None,
            "process_peak_mib": max(cost["peak_mib"] for cost in costs),
            "cuda_peak_mib": max(on_cuda) if on_cuda else None,
            "seconds": [round(float(value), 3) for value in seconds],
        }
    return found


def _adjusted(family: Sequence[Json]) -> list[Json]:
    """Adds the p-values adjusted by Holm; what was not tested is none of the family."""
    adjusted = iter(holm([entry["p"] for entry in family if entry["p"] is not None]))
    return [{**entry, "p_holm": None if entry["p"] is None else round(next(adjusted), 6)} for entry in family]


def _confidence(record: Record) -> float:
    return -1.0 if record["abstained"] else float(record["confidence"])


def _clusters(asked: Sequence[AskedQuestion]) -> list[int]:
    """Numbers what is drawn together; a question without groups is tied to itself alone, however often it is asked."""
    return clusters_of([item.targets or (item.id,) for item in asked])


def _clusters_of_lines(lines: Sequence[_Line]) -> list[int]:
    return _clusters([line.item for line in lines])


def _interval(interval: Interval) -> Json:
    return {name: None if value is None else round(value, 6) for name, value in interval._asdict().items()}
