"""Arms made ready: each with its generator, its adapter, and a digest of everything its answers depend on."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Protocol, runtime_checkable

from data.errors import DobaeError, InputError
from data.prompts import prompt_digest
from data.settings import plain, project_path
from data.training_report import SeenGroups, seen_groups
from data.types import Message
from rag.evaluation.config import SHIPPED_ADAPTER, ArmSettings
from rag.evaluation.protocols import AskedQuestion
from rag.generators.adapters import NO_ADAPTER, default_adapter
from rag.generators.base import GenerationRequest, Generator
from rag.generators.digests import LocalModel, adapter_digest, model_digest
from rag.generators.spec import make_generator
from rag.pipeline import ANSWERING_VERSION

RECORD_VERSION = 4
"""Raised whenever answering changes what it records, so that older records are not taken up."""

_NOT_ANSWERING = {"name", "protocols"}


@runtime_checkable
class BatchGenerator(Protocol):
    """A generator that can answer several requests at once."""

    def generate_batch(self, requests: Sequence[GenerationRequest]) -> list[str]:
        """Answers several requests, all with the same `max_new_tokens`."""
        ...


@runtime_checkable
class TokenCounter(Protocol):
    """A generator that knows how many of its tokens a text takes."""

    def count_tokens(self, text: str) -> int:
        """Returns how many tokens a text takes."""
        ...


@runtime_checkable
class Loadable(Protocol):
    """A generator that can load its model ahead of the first question, so that loading is not timed as answering."""

    def load(self) -> None:
        """Loads the model."""
        ...


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm, ready to answer.

    Attributes:
        settings: As configured.
        generator: Loads its model at the first question only; shared by arms that use the same.
        digest: Of everything an answer depends on but the question and the base.
        model: Digest of a local model's files; empty for any other generator.
        device: Where a local model runs; empty for any other generator.
        adapter: Digest of the adapter; empty without one.
        trained: Ids of the groups the adapter was trained on; None where it does not say.
    """

    settings: ArmSettings
    generator: Generator
    digest: str
    model: str = ""
    device: str = ""
    adapter: str = ""
    trained: frozenset[str] | None = frozenset()

    def takes(self, item: AskedQuestion) -> bool:
        """Whether the arm is asked a question: one of its protocols, and for the oracle one that has an answer."""
        if self.settings.protocols and item.protocol not in self.settings.protocols:
            return False
        return self.settings.retrieval != "oracle" or item.in_base


def prepare_arms(settings: Sequence[ArmSettings]) -> list[Arm]:
    """Makes every arm's generator, loading no weights.

    Raises:
        DobaeError: A model or an adapter is missing or does not fit; says which arm.
    """
    made: dict[tuple[object, ...], Generator] = {}
    models: dict[Path, str] = {}
    return [_prepared(arm, made, models) for arm in settings]


def _prepared(arm: ArmSettings, made: dict[tuple[object, ...], Generator], models: dict[Path, str]) -> Arm:
    try:
        folder = _adapter_folder(arm)
        key = (arm.generator, folder, arm.base_url, arm.device, arm.quantization, arm.wording)
        if key not in made:
            made[key] = make_generator(
                arm.generator,
                adapter=folder or NO_ADAPTER,
                base_url=arm.base_url or None,
                device=arm.device or None,
                quantization=arm.quantization or None,
                quote=None if arm.wording == "auto" else arm.wording == "quoted",
            )
        generator = made[key]
        adapter = adapter_digest(folder) if folder else ""
        seen = seen_groups(folder) if folder else SeenGroups(frozenset(), frozenset())
        trained = None if seen is None else seen.train
        model = device = ""
        if isinstance(generator, LocalModel):
            device = generator.device
            if generator.folder not in models:
                models[generator.folder] = model_digest(generator.folder)
            model = models[generator.folder]
    except DobaeError as error:
        raise type(error)(f"arm {arm.name}: {error}") from error
    if arm.batch > 1 and not isinstance(generator, BatchGenerator):
        raise InputError(f"arm {arm.name}: {arm.generator} answers one question at a time; leave batch out")
    if arm.batch > 1 and arm.retrieval != "none" and isinstance(generator, LocalModel) and generator.quotes:
        raise InputError(f"arm {arm.name}: examples are quoted one question at a time; leave batch out")
    kept = {name: value for name, value in plain(asdict(arm)).items() if name not in _NOT_ANSWERING}
    kept |= {"model": model, "device": device, "adapter": adapter}
    text = json.dumps([RECORD_VERSION, ANSWERING_VERSION, prompt_digest(), kept], sort_keys=True)
    digest = sha256(text.encode()).hexdigest()[:16]
    return Arm(arm, generator, digest, model=model, device=device, adapter=adapter, trained=trained)


def _adapter_folder(arm: ArmSettings) -> Path | None:
    if not arm.adapter:
        return None
    return default_adapter(arm.generator) if arm.adapter == SHIPPED_ADAPTER else project_path(arm.adapter)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a generator.

    Attributes:
        raw: What it said, markers out of range included.
        first_s: Seconds to the first text.
        seconds: Seconds in all.
    """

    raw: str
    first_s: float
    seconds: float


class Recorder:
    """Passes requests on to a generator, and keeps what it said and how long it took.

    Attributes:
        calls: One a request since they were last cleared.
    """

    def __init__(self, inner: Generator) -> None:
        self._inner = inner
        self.calls: list[Call] = []

    @property
    def name(self) -> str:
        """Returns the inner generator's name."""
        return self._inner.name

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        """Yields the inner generator's answer in its chunks."""
        begin = perf_counter()
        first = 0.0
        chunks: list[str] = []
        for chunk in self._inner.stream(request):
            first = first or perf_counter() - begin
            chunks.append(chunk)
            yield chunk
        seconds = perf_counter() - begin
        self.calls.append(Call("".join(chunks), first or seconds, seconds))


class WithoutInstruction:
    """Passes requests on without their system message."""

    def __init__(self, inner: Generator) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        """Returns the inner generator's name."""
        return self._inner.name

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        """Yields the inner generator's answer in its chunks."""
        return self._inner.stream(uninstructed(request))


class Collector:
    """Answers nothing, and keeps what it was asked.

    Attributes:
        requests: In the order of asking.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[GenerationRequest] = []

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        """Keeps a request; there is no text."""
        self.requests.append(request)
        return iter(())


class Replay:
    """Says what was generated before, in a batch."""

    def __init__(self, name: str, texts: dict[tuple[Message, ...], str]) -> None:
        self._name = name
        self._texts = texts

    @property
    def name(self) -> str:
        """Returns the name of the generator that wrote the texts."""
        return self._name

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        """Yields the text of a request as one chunk."""
        yield self._texts[request.messages]


def uninstructed(request: GenerationRequest) -> GenerationRequest:
    """Returns a request without its system message."""
    return replace(request, messages=tuple(message for message in request.messages if message.role != "system"))
