"""One evaluation from settings to report: draw, build, ask, score, compare."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from data.errors import InputError
from data.prompts import PROMPT_VERSION, prompt_digest
from index.encoders.base import Encoder, EncoderSettings, make_encoder
from index.encoders.cache import CachedEncoder, EmbeddingCache
from rag.evaluation.answering import Asking, OpenBase, answer_all, plan_askings
from rag.evaluation.arms import Arm, prepare_arms
from rag.evaluation.bases import base_digest, open_bases
from rag.evaluation.config import EvaluationConfig
from rag.evaluation.journal import AnswerJournal
from rag.evaluation.metric_encoders import SHIPPED, MetricEncoder, make_metric_encoder
from rag.evaluation.protocols import QuestionSet, draw_questions
from rag.evaluation.results import Results, timings
from rag.evaluation.scoring import DrawnScores, Scorer, score_all
from rag.evaluation.text_metrics import chrf_signature
from rag.pipeline import ANSWERING_VERSION

SCHEMA = "dobae.evaluation/4"
CACHE = "cache"
JOURNAL = "answers.jsonl"
PACKAGES = ("faiss-cpu", "bm25s", "kiwipiepy", "numpy", "rouge-score", "sacrebleu", "torch", "transformers", "peft")

Step = Callable[[str, int, int], None]
"""Told (what is done, done, total)."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        report: The report as JSON values; everything that a second run may find otherwise stands under "timings".
        computed: Answers computed in this run; the others were taken up.
        notes: What a person should know beside the numbers.
    """

    report: dict[str, Any]
    computed: int
    notes: tuple[str, ...]


def evaluate(
    config: EvaluationConfig,
    out: Path,
    *,
    progress: Step | None = None,
    encoder: Encoder | None = None,
    metric: MetricEncoder | None = None,
) -> Evaluation:
    """Runs an evaluation, taking up what an earlier run in the same folder finished.

    Args:
        config: What to do.
        out: Folder of answers, encodings and bases.
        progress: Told how far each step is.
        encoder: Encoder of the bases, in place of the configured one.
        metric: Encoder of the cosine with the references, in place of the configured one.

    Raises:
        InputError: Something given cannot be used, for example an adapter that does not exist.
        GenerationError: A generator failed.
    """
    begin = perf_counter()
    if metric is None and config.metrics.encoder not in SHIPPED:
        metric = make_metric_encoder(config.metrics.encoder)  # a mistaken name is no news for after the answers
    arms = prepare_arms(config.arms)
    questions = draw_questions(config, frozenset().union(*(arm.trained or () for arm in arms)))
    _check_asked(config, arms, questions)
    cache = EmbeddingCache(out / CACHE / "embeddings.sqlite")
    inner = encoder or make_encoder(EncoderSettings(spec=config.source.encoder))
    bases = _open(questions, CachedEncoder(inner, cache), out / CACHE, _bar(progress, "building bases"))
    askings = plan_askings(arms, questions.questions, bases, config.statistics)
    with AnswerJournal(out / JOURNAL) as journal:
        answer_all(askings, bases, journal, progress=_bar(progress, "answering"))
        metric = metric or make_metric_encoder(config.metrics.encoder)
        scorer = Scorer(metric, EmbeddingCache(out / CACHE / "metric.sqlite"))
        scores = score_all(
            askings,
            journal.answers,
            scorer,
            encoding=_bar(progress, "encoding answers"),
            progress=_bar(progress, "scoring"),
        )
        report = _report(config, arms, questions, bases, askings, journal, metric, scores)
        report["timings"]["seconds"] = round(perf_counter() - begin, 1)
        report["timings"]["computed"] = journal.written
        return Evaluation(report, journal.written, tuple(report["notes"]))


def _idle(arms: list[Arm], questions: QuestionSet) -> list[str]:
    """Names of the arms that take none of the questions."""
    return [arm.settings.name for arm in arms if not any(map(arm.takes, questions.questions))]


def _check_asked(config: EvaluationConfig, arms: list[Arm], questions: QuestionSet) -> None:
    for name in _idle(arms, questions):
        if name in (config.main, config.against):
            asked = ", ".join(dict.fromkeys(item.protocol for item in questions.questions))
            raise InputError(
                f"arm {name} takes part in no protocol that is asked ({asked}); change its protocols, "
                "or name other arms in [report] main and against"
            )


def _open(questions: QuestionSet, encoder: Encoder, folder: Path, bar: Any) -> dict[str, OpenBase]:
    opened = open_bases(questions.bases, encoder, folder / "bases", bar)
    return {
        name: OpenBase(
            base,
            base_digest(base, questions.bases[name]),
            {group.id: number for number, group in enumerate(questions.bases[name])},
        )
        for name, base in opened.items()
    }


def _report(
    config: EvaluationConfig,
    arms: list[Arm],
    questions: QuestionSet,
    bases: dict[str, OpenBase],
    askings: list[Asking],
    journal: AnswerJournal,
    metric: MetricEncoder,
    scores: DrawnScores,
) -> dict[str, Any]:
    results = Results(questions.questions, scores, config.statistics, config.against)
    cases = results.cases(config.main, config.report.cases)
    return {
        "schema": SCHEMA,
        "name": config.name,
        "config": config.to_json(),
        "config_digest": config.digest(),
        "main": config.main,
        "against": config.against,
        "metric_encoder": {
            "name": metric.name,
            "proxy": metric.proxy,
            "fingerprint": metric.encoder.fingerprint,
            "chrf": chrf_signature(),
        },
        "answering_version": ANSWERING_VERSION,
        "prompt": {"version": PROMPT_VERSION, "digest": prompt_digest()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "files": questions.files,
        "notes": _notes(arms, questions, metric),
        "bases": _bases(questions, bases),
        "held_out_groups": questions.held_out,
        "protocols": _protocols(questions, results),
        "arms": _arms(arms),
        "means": results.means(),
        "differences": results.differences(),
        "category_differences": results.category_differences(),
        "abstention": results.abstention(askings, journal.answers),
        "coverage": results.curves(askings, journal.answers),
        "cases": cases,
        "questions": _questions(questions, results, cases, askings, journal),
        "timings": {"environment": environment(), "arms": timings(askings, journal.answers)},
    }


def _bases(questions: QuestionSet, bases: dict[str, OpenBase]) -> dict[str, Any]:
    return {
        name: {
            "groups": len(questions.bases[name]),
            "questions": opened.base.manifest.questions,
            "digest": opened.digest,
            "refuse_below": opened.base.manifest.calibration.refuse_below,
        }
        for name, opened in bases.items()
    }


def _protocols(questions: QuestionSet, results: Results) -> dict[str, Any]:
    return {
        name: {
            "available": questions.available[name],
            "asked": sum(item.protocol == name for item in questions.questions),
            "left_out": [leak.reason for leak in questions.leaks if leak.protocol == name],
        }
        for name in results.protocols
    }


def _arms(arms: list[Arm]) -> dict[str, Any]:
    return {
        arm.settings.name: {
            "generator": arm.generator.name,
            "model": arm.model,
            "device": arm.device,
            "adapter": arm.adapter,
            "digest": arm.digest,
            "trained_groups": None if arm.trained is None else len(arm.trained),
        }
        for arm in arms
    }


def _questions(
    questions: QuestionSet,
    results: Results,
    cases: dict[str, list[dict[str, Any]]],
    askings: list[Asking],
    journal: AnswerJournal,
) -> list[dict[str, Any]]:
    """Every question with its scores; those shown as cases with references and each arm's first answer."""
    draws = results.draws(askings, journal.answers)
    shown = {line["question"] for side in cases.values() for line in side}
    first: dict[str, dict[str, str]] = {}
    for asking in askings:
        first.setdefault(asking.item.id, {}).setdefault(asking.arm.settings.name, asking.key)
    found = []
    for item in questions.questions:
        entry = {
            "id": item.id,
            "protocol": item.protocol,
            "question": item.question,
            "category": item.category,
            "targets": list(item.targets),
            "scores": {arm: of[item.id] for arm, of in results.scores.items() if item.id in of},
            "draws": draws.get(item.id, {}),
        }
        if item.id in shown:
            keys = first.get(item.id, {})
            entry["references"] = list(item.references)
            entry["answers"] = {arm: journal.answers[keys[arm]]["shown"] for arm in results.scores if arm in keys}
        found.append(entry)
    return found


def environment() -> dict[str, Any]:
    """Returns what the times depend on: the machine and its load in the last minute."""
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "machine": platform.machine(),
    }


def _notes(arms: list[Arm], questions: QuestionSet, metric: MetricEncoder) -> list[str]:
    notes = list(questions.notes)
    if metric.proxy:
        notes.append(f"cosine is measured with {metric.name}: not DACON's own encoder")
    if questions.leaks:
        first = questions.leaks[0]
        notes.append(f"{len(questions.leaks)} questions left out; first, of {first.protocol}: it {first.reason}")
    for arm in arms:
        asked = {name for item in questions.questions if item.in_base and arm.takes(item) for name in item.targets}
        if seen := asked & (arm.trained or frozenset()):
            notes.append(
                f"arm {arm.settings.name} was trained on {len(seen)} of the {len(asked)} groups asked in the base"
            )
    notes += [f"arm {name} takes part in no protocol that is asked" for name in _idle(arms, questions)]
    unknown = [arm.settings.name for arm in arms if arm.trained is None]
    if unknown:
        notes.append(f"the adapter of {', '.join(unknown)} does not say what it was trained on; unseen is not checked")
    return notes


def _bar(progress: Step | None, what: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(what, done, total)
