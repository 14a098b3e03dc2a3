"""Asks every arm every question, once ever: what the journal holds is not asked again."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from data.types import nearest_cosine
from index.knowledge_base import KnowledgeBase
from rag.answer import Answer
from rag.citations import without_markers
from rag.evaluation.arms import (
    Arm,
    BatchGenerator,
    Collector,
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
from rag.evaluation.retrieval import ArmRetriever, Ranking
from rag.generators.base import Generator
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
        together: What stands for each of the questions that a model generates in one batch, this one among them: how it
            rounds, and so what it says, may depend on the others. Empty where each is asked alone.
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
        seeds = [f"{settings.seed}/{draw}" for draw in range(settings.draws)] if arm.settings.drawn else [""]
        asked = [(item, seed) for item in questions if arm.takes(item) for seed in seeds]
        keys = [_key(arm, item, bases[item.base], seed) for item, seed in asked]
        batches = _batches(keys, arm.settings.batch)
        for (item, seed), key in zip(asked, keys, strict=True):
            together = batches.get(key, ())
            planned.append(Asking(arm, item, seed, together, _digest(key, *together) if together else key))
    return planned


def _batches(keys: Sequence[str], size: int) -> dict[str, tuple[str, ...]]:
    """Returns the batch of each question, whatever of it was answered before; none where a batch is of one."""
    if size == 1:
        return {}
    distinct = list(dict.fromkeys(keys))
    batches = [tuple(distinct[start : start + size]) for start in range(0, len(distinct), size)]
    return {key: batch for batch in batches for key in batch}


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
        answer = _in_batches if arm.settings.batch > 1 else _one_by_one
        for records in answer(arm, group, _Retrievers(arm, bases)):
            journal.add(records)
            done += len(records)
            if progress:
                progress(done, len(pending))


def _key(arm: Arm, item: AskedQuestion, base: OpenBase, seed: str) -> str:
    """Returns a digest of everything the answer depends on when the question is asked alone."""
    retrieval = arm.settings.retrieval
    return _digest(
        arm.digest,
        "" if retrieval == "none" else base.digest,
        item.question,
        "\x1e".join(("each part its own", *item.targets)) if retrieval == "oracle" else "",
        "" if retrieval == "none" else "\x1e".join(item.removed),
        seed,
    )


def _digest(*parts: str) -> str:
    return sha256("\x1f".join(parts).encode()).hexdigest()[:24]


class _Retrievers:
    """Retrievers of one arm, one for each base it is asked about."""

    def __init__(self, arm: Arm, bases: Mapping[str, OpenBase]) -> None:
        self._arm = arm
        self._bases = bases
        self._made: dict[str, ArmRetriever] = {}

    def begin(self, asking: Asking) -> ArmRetriever | None:
        """Returns the retriever for a question, ready to search as if for the first time; None without retrieval."""
        item = asking.item
        if self._arm.settings.retrieval == "none":
            return None
        if item.base not in self._made:
            opened = self._bases[item.base]
            self._made[item.base] = ArmRetriever(opened.base, self._arm.settings, opened.numbers)
        retriever = self._made[item.base]
        retriever.begin(item.targets, item.removed, f"{asking.seed}/{item.question}")
        return retriever


def _one_by_one(arm: Arm, askings: Sequence[Asking], retrievers: _Retrievers) -> Iterator[list[Record]]:
    recorder = Recorder(arm.generator)
    generator: Generator = recorder if arm.settings.instruction else WithoutInstruction(recorder)
    for asking in askings:
        retriever = retrievers.begin(asking)
        recorder.calls.clear()
        peak = PeakMemory()
        answer = _ask(asking, retriever, generator)
        cost = {
            "first_s": round(sum(call.first_s for call in recorder.calls[:1]), 4),
            "seconds": round(sum(call.seconds for call in recorder.calls), 4),
            **peak.to_json(),
        }
        yield [_record(asking, answer, retriever, [call.raw for call in recorder.calls], cost)]


def _in_batches(arm: Arm, askings: Sequence[Asking], retrievers: _Retrievers) -> Iterator[list[Record]]:
    """Answers several questions at once.

    The pipeline is run twice for each: first to learn what it would have the model say, then to read what was written.
    """
    generator = cast(BatchGenerator, arm.generator)
    for _, group in groupby(askings, key=lambda asking: asking.together):
        members = list(group)
        collector = Collector(arm.generator.name)
        for asking in members:
            _ask(asking, retrievers.begin(asking), collector)
        requests = collector.requests
        peak = PeakMemory()
        begin = perf_counter()
        sent = requests if arm.settings.instruction else [uninstructed(request) for request in requests]
        texts = generator.generate_batch(sent) if sent else []
        seconds = (perf_counter() - begin) / len(members)
        replay = Replay(
            arm.generator.name,
            {request.messages: text for request, text in zip(requests, texts, strict=True)},
        )
        cost = {"first_s": None, "seconds": round(seconds, 4), **peak.to_json()}
        records = []
        for asking in members:
            recorder = Recorder(replay)
            retriever = retrievers.begin(asking)
            answer = _ask(asking, retriever, recorder)
            records.append(_record(asking, answer, retriever, [call.raw for call in recorder.calls], cost))
        yield records


def _ask(asking: Asking, retriever: ArmRetriever | None, generator: Generator) -> Answer:
    settings = asking.arm.settings
    pipeline = PipelineSettings(
        top_k=settings.k, split=settings.split, refuse=settings.refuse, max_new_tokens=settings.max_new_tokens
    )
    return QAPipeline(retriever, generator, pipeline).ask(asking.item.question)


def _record(
    asking: Asking, answer: Answer, retriever: ArmRetriever | None, raw: Sequence[str], cost: dict[str, Any]
) -> Record:
    found: Sequence[Ranking | None] = retriever.rankings if retriever else [None] * len(answer.parts)
    # A part below the threshold is refused without the generator being called.
    called = [place for place, part in enumerate(answer.parts) if part.refused_by != "threshold"]
    said = dict(zip(called, raw, strict=True))
    threshold = retriever.base.manifest.calibration.refuse_below if retriever else None
    best = [nearest_cosine(part.hits) for part in answer.parts]
    sure = [ranking.confidence for ranking in found if ranking is not None and ranking.confidence is not None]
    counter = asking.arm.generator
    tokens = sum(counter.count_tokens(text) for text in raw) if isinstance(counter, TokenCounter) else None
    return {
        "key": asking.key,
        "text": " ".join(without_markers(part.answer) for part in answer.parts if not part.abstained).strip(),
        "shown": answer.text,
        "abstained": all(part.abstained for part in answer.parts),
        "refused_by": _refuser(answer),
        "similarity": None if threshold is None else round(min(best), 6),
        "confidence": round(min(sure), 6) if sure else None,
        "below_threshold": None if threshold is None else all(score < threshold for score in best),
        "tokens": tokens,
        "parts": [
            {
                "text": part.text,
                "answer": "" if part.abstained else part.answer,
                "examples": [hit.answer for hit in part.hits],
                "example_ids": [hit.group.id for hit in part.hits],
                "ranking": None if ranking is None else list(ranking.group_ids),
                "refused_by": part.refused_by,
                "raw": said.get(place),
            }
            for place, (part, ranking) in enumerate(zip(answer.parts, found, strict=True))
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
