"""Asks every arm every question, once ever: what the journal holds is not asked again."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from data.text import check_question, on_one_line
from index.knowledge_base import KnowledgeBase
from rag.answer import Answer
from rag.citations import without_markers
from rag.decompose import decompose
from rag.evaluation.arms import (
    Arm,
    BatchGenerator,
    Loadable,
    Recorder,
    Replay,
    TokenCounter,
    WithoutInstruction,
    uninstructed,
)
from rag.evaluation.config import StatisticsSettings
from rag.evaluation.journal import AnswerJournal, Record
from rag.evaluation.protocols import AskedQuestion
from rag.evaluation.retrieval import ArmRetriever
from rag.generators.base import GenerationRequest, Generator
from rag.pipeline import PipelineSettings, QAPipeline

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class OpenBase:
    """A base that is asked.

    Attributes:
        base: The base.
        digest: Of everything in it that an answer may depend on.
        numbers: Position of each group by its id.
    """

    base: KnowledgeBase
    digest: str
    numbers: dict[str, int]


@dataclass(frozen=True, slots=True)
class Asking:
    """One question put to one arm with one seed.

    Attributes:
        arm: The arm.
        item: The question.
        seed: Seed of what the arm draws; empty where it draws nothing.
        together: Questions that a model generates in one batch, this one among them: how it rounds, and so what it
            says, may depend on the others. Empty where each is asked alone.
        key: Digest of everything that the answer depends on.
    """

    arm: Arm
    item: AskedQuestion
    seed: str
    together: tuple[str, ...]
    key: str


def plan_askings(
    arms: Sequence[Arm],
    questions: Sequence[AskedQuestion],
    bases: Mapping[str, OpenBase],
    settings: StatisticsSettings,
) -> list[Asking]:
    """Lists everything to be asked, arm by arm."""
    planned = []
    for arm in arms:
        items = [item for item in questions if arm.takes(item)]
        batches = _batches(items, arm.settings.batch)
        seeds = [f"{settings.seed}/{draw}" for draw in range(settings.draws)] if arm.settings.drawn else [""]
        for item in items:
            together = batches.get(item.question, ())
            planned += [
                Asking(arm, item, seed, together, _key(arm, item, bases[item.base], seed, together)) for seed in seeds
            ]
    return planned


def _batches(items: Sequence[AskedQuestion], size: int) -> dict[str, tuple[str, ...]]:
    """Returns the batch of each question, whatever of it was answered before; none where a batch is of one."""
    if size == 1:
        return {}
    texts = list(dict.fromkeys(item.question for item in items))
    batches = [tuple(texts[start : start + size]) for start in range(0, len(texts), size)]
    return {text: batch for batch in batches for text in batch}


def answer_all(
    askings: Sequence[Asking],
    bases: Mapping[str, OpenBase],
    journal: AnswerJournal,
    *,
    progress: Progress | None = None,
) -> None:
    """Answers what the journal does not hold yet.

    Args:
        askings: Everything to be asked.
        bases: The bases by name.
        journal: Where answers are kept.
        progress: Told (answered, to be answered) of what was missing.

    Raises:
        GenerationError: A generator failed.
    """
    pending: dict[str, Asking] = {asking.key: asking for asking in askings if asking.key not in journal.answers}
    by_arm: dict[str, list[Asking]] = {}
    for asking in pending.values():
        by_arm.setdefault(asking.arm.settings.name, []).append(asking)
    done = 0
    for group in by_arm.values():
        arm = group[0].arm
        if isinstance(arm.generator, Loadable):
            arm.generator.load()
        answered = _in_batches(arm, group) if arm.settings.batch > 1 else _one_by_one(arm, group, bases)
        for records in answered:
            journal.add(records)
            done += len(records)
            if progress:
                progress(done, len(pending))


def _key(arm: Arm, item: AskedQuestion, base: OpenBase, seed: str, together: Sequence[str]) -> str:
    retrieval = arm.settings.retrieval
    parts = (
        arm.digest,
        "" if retrieval == "none" else base.digest,
        item.question,
        "\x1e".join(item.targets) if retrieval == "oracle" else "",
        "" if retrieval == "none" else "\x1e".join(item.removed),
        seed,
        "\x1e".join(together),
    )
    return sha256("\x1f".join(parts).encode()).hexdigest()[:24]


def _one_by_one(arm: Arm, askings: Sequence[Asking], bases: Mapping[str, OpenBase]) -> Iterator[list[Record]]:
    recorder = Recorder(arm.generator)
    generator: Generator = recorder if arm.settings.instruction else WithoutInstruction(recorder)
    retrievers: dict[str, ArmRetriever | None] = {}
    for asking in askings:
        name = asking.item.base
        if name not in retrievers:
            opened = bases[name]
            needs_none = arm.settings.retrieval == "none"
            retrievers[name] = None if needs_none else ArmRetriever(opened.base, arm.settings, opened.numbers)
        retriever = retrievers[name]
        if retriever is not None:
            retriever.begin(asking.item.targets, asking.item.removed, f"{asking.seed}/{asking.item.question}")
        recorder.calls.clear()
        peak = PeakMemory()
        answer = QAPipeline(retriever, generator, _pipeline_settings(arm)).ask(asking.item.question)
        cost = {
            "first_s": round(sum(call.first_s for call in recorder.calls[:1]), 4),
            "seconds": round(sum(call.seconds for call in recorder.calls), 4),
            **peak.to_json(),
        }
        yield [_record(asking, answer, retriever, [call.raw for call in recorder.calls], cost)]


def _in_batches(arm: Arm, askings: Sequence[Asking]) -> Iterator[list[Record]]:
    """Answers without retrieval, several questions at once; the pipeline then reads what was written."""
    generator = cast(BatchGenerator, arm.generator)
    for together, members in groupby(askings, key=lambda asking: asking.together):
        requests = [request for question in together for request in _requests(arm, question)]
        peak = PeakMemory()
        begin = perf_counter()
        sent = requests if arm.settings.instruction else [uninstructed(request) for request in requests]
        texts = generator.generate_batch(sent)
        seconds = (perf_counter() - begin) / len(together)
        replay = Replay(
            arm.generator.name,
            {request.messages: text for request, text in zip(requests, texts, strict=True)},
        )
        cost = {"first_s": None, "seconds": round(seconds, 4), **peak.to_json()}
        records = []
        for asking in members:
            recorder = Recorder(replay)
            answer = QAPipeline(None, recorder, _pipeline_settings(arm)).ask(asking.item.question)
            records.append(_record(asking, answer, None, [call.raw for call in recorder.calls], cost))
        yield records


def _requests(arm: Arm, question: str) -> list[GenerationRequest]:
    """Renders the parts of a question as the pipeline does."""
    text = check_question(question)
    parts = decompose(text) if arm.settings.split else (text,)
    return [GenerationRequest.of(on_one_line(part), None, arm.settings.max_new_tokens) for part in parts]


def _pipeline_settings(arm: Arm) -> PipelineSettings:
    settings = arm.settings
    return PipelineSettings(settings.k, settings.split, settings.refuse, settings.max_new_tokens)


def _record(
    asking: Asking, answer: Answer, retriever: ArmRetriever | None, raw: Sequence[str], cost: dict[str, Any]
) -> Record:
    rankings = [list(ranking.group_ids) for ranking in retriever.rankings] if retriever else [None] * len(answer.parts)
    # A part below the threshold is refused without the generator being called.
    said = iter(raw)
    threshold = retriever.base.manifest.calibration.refuse_below if retriever else None
    best = [max((hit.score for hit in part.hits), default=-1.0) for part in answer.parts]
    counter = asking.arm.generator
    tokens = sum(counter.count_tokens(text) for text in raw) if isinstance(counter, TokenCounter) else None
    return {
        "key": asking.key,
        "text": " ".join(without_markers(part.answer) for part in answer.parts if not part.abstained).strip(),
        "shown": answer.text,
        "abstained": all(part.abstained for part in answer.parts),
        "refused_by": _refuser(answer),
        "confidence": None if threshold is None else round(min(best), 6),
        "below_threshold": None if threshold is None else all(score < threshold for score in best),
        "tokens": tokens,
        "parts": [
            {
                "text": part.text,
                "answer": "" if part.abstained else part.answer,
                "examples": [hit.answer for hit in part.hits],
                "example_ids": [hit.group.id for hit in part.hits],
                "ranking": ranking,
                "refused_by": part.refused_by,
                "raw": None if part.refused_by == "threshold" else next(said),
            }
            for part, ranking in zip(answer.parts, rankings, strict=True)
        ],
        "cost": cost,
    }


def _refuser(answer: Answer) -> str:
    """Returns who refused a question of which no part was answered: the model where it declined any part."""
    if not all(part.abstained for part in answer.parts):
        return ""
    refusers = {part.refused_by for part in answer.parts}
    return next(name for name in ("model", "empty", "threshold") if name in refusers)


class PeakMemory:
    """The process's largest resident memory since this was made; where the system cannot say, since it began.

    Beside it, where CUDA is in use, the most that torch had allocated on the current device since this was made.
    """

    def __init__(self) -> None:
        self._cuda = _cuda_in_use()
        if self._cuda is not None:
            self._cuda.reset_peak_memory_stats()
        if sys.platform == "linux":
            try:
                Path("/proc/self/clear_refs").write_text("5", "utf-8")
            except OSError:
                return

    def to_json(self) -> dict[str, float | None]:
        """Returns the peaks in MiB: `peak_mib` of the process, `cuda_peak_mib` or None without CUDA."""
        on_cuda = None if self._cuda is None else round(self._cuda.max_memory_allocated() / 2**20, 1)
        return {"peak_mib": _resident_peak(), "cuda_peak_mib": on_cuda}


def _cuda_in_use() -> Any:
    """`torch.cuda` if a model has been loaded to a GPU; torch is never imported for this."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _resident_peak() -> float:
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)
