"""What all sessions share: the knowledge base and every generator in use, each loaded once, with its lane."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.generators.base import Generator
from rag.pipeline import PipelineSettings, QAPipeline, StreamEvent
from ui.app.jobs import Job, Lane
from ui.app.keeping import Keeping
from ui.cli.options import open_retriever

WORKERS = 2
"""Questions one generator answers at once; a local model takes turns between them, step by step."""


def models() -> list[str]:
    """Returns the language models that can answer here: the default one, once it has been fetched."""
    from rag.model_store import DEFAULT_MODEL, MANIFEST, model_dir

    return [DEFAULT_MODEL] if (model_dir() / MANIFEST).is_file() else []


@dataclass(frozen=True, slots=True)
class Choice:
    """How a reader wants to be answered.

    Attributes:
        generator: A spec of `rag.generators.spec`.
        adapter: "none" for the model as it comes; None for the shipped adapter.
        retrieval: Search for examples first.
        top_k: Groups found for each part.
    """

    generator: str = "extractive"
    adapter: str | None = None
    retrieval: bool = True
    top_k: int = 3


class Engine:
    """Answers the questions of all sessions of one process.

    Attributes:
        keeping: The base, for its keeper.

    Args:
        kb: Directory of the knowledge base.

    Raises:
        KnowledgeBaseError: The base cannot be opened.
    """

    def __init__(self, kb: Path) -> None:
        self._retriever = open_retriever(kb, None, None, 32)
        self.keeping = Keeping(self._retriever)
        self._lock = threading.Lock()
        self._setting_up = threading.Lock()
        self._lanes: dict[tuple[str, str | None], Lane] = {}
        self._generators: dict[tuple[str, str | None], Generator] = {}

    def ask(self, question: str, choice: Choice, language: str) -> tuple[Job, Lane]:
        """Queues a question; returns at once.

        Raises:
            QueueFullError: Too many are waiting.
        """
        job = Job(question, language, lambda: self._stream(question, choice))
        key = (choice.generator, choice.adapter)
        with self._lock:
            if key not in self._lanes:
                self._lanes[key] = Lane(WORKERS)
            lane = self._lanes[key]
        lane.put(job)
        return job, lane

    def _stream(self, question: str, choice: Choice) -> Iterator[StreamEvent]:
        retriever = self._retriever if choice.retrieval else None
        pipeline = QAPipeline(retriever, self._generator(choice), PipelineSettings(top_k=choice.top_k))
        return pipeline.stream(question)

    def _generator(self, choice: Choice) -> Generator:
        from rag.generators.spec import make_generator

        key = (choice.generator, choice.adapter)
        # Not the lanes' lock: setting up one model must not hold up the questions asked of another.
        with self._setting_up:
            if key not in self._generators:
                self._generators[key] = make_generator(choice.generator, adapter=choice.adapter)
            return self._generators[key]
