"""From a question to a cited answer.

Split the question; search for each part; refuse a part that nothing fits; otherwise let the generator answer from the
examples found; drop markers that point at nothing; judge every sentence against what it cites.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter

from data.catalog import message
from data.errors import InputError
from data.prompts import REFUSAL
from data.text import check_question, comparable, on_one_line
from data.types import Hit, nearest_cosine
from index.retriever import Retriever
from rag.answer import Answer, Part, Timings
from rag.citations import checked_stream, without_markers
from rag.confidence import confidence
from rag.decompose import decompose
from rag.generators.base import DEFAULT_MAX_NEW_TOKENS, GenerationRequest, Generator
from rag.search import FoundPart, SearchResult, search_question
from rag.support import citations_of, judge

ANSWERING_VERSION = 5
"""Raised with every change after which the same question, base, model and settings may get another answer: in
splitting, searching, choosing examples, decoding, quoting, refusing or dropping markers. Kept answers of an earlier
version are not taken up. The prompts have a digest of their own."""

EXAMPLE_CHARS = 1_800
"""Characters of examples shown to the generator; the last examples give way, the first never does."""


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """How to answer.

    Attributes:
        top_k: Groups searched for each part and shown to the generator.
        split: Answer the parts of a compound question one by one.
        refuse: Give no answer where nothing fits.
        max_new_tokens: Upper bound on the length of one part's answer, in the model's tokens.
    """

    top_k: int = 3
    split: bool = True
    refuse: bool = True
    max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS


@dataclass(frozen=True, slots=True)
class PartStarted:
    """A part is about to be answered from these hits."""

    number: int
    text: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class TextChunk:
    """More text of a part's answer."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class PartEnded:
    """A part is answered; its text may differ from the chunks only where the model refused."""

    number: int
    part: Part


@dataclass(frozen=True, slots=True)
class AnswerEnded:
    """The last event: the whole answer."""

    answer: Answer


StreamEvent = PartStarted | TextChunk | PartEnded | AnswerEnded


class QAPipeline:
    """Answers questions from a knowledge base, or by the generator alone.

    Attributes:
        retriever: Finds examples; None for pure generation.
        generator: Writes the answers.
        settings: How to answer.
    """

    def __init__(
        self, retriever: Retriever | None, generator: Generator, settings: PipelineSettings | None = None
    ) -> None:
        """Joins a retriever and a generator.

        Raises:
            InputError: The generator only quotes examples, and there is no retriever to find any.
        """
        if retriever is None and generator.name == "extractive":
            raise InputError(
                "the extractive generator quotes retrieved examples and cannot answer without retrieval; "
                "leave --no-retrieval out, or choose a model with --generator"
            )
        self.retriever = retriever
        self.generator = generator
        self.settings = settings or PipelineSettings()

    def ask(self, question: str) -> Answer:
        """Answers a question.

        Raises:
            QuestionError: The question is empty, too long or holds no letter.
            GenerationError: The generator failed.
        """
        for event in self.stream(question):
            if isinstance(event, AnswerEnded):
                return event.answer
        raise AssertionError("a stream ends with AnswerEnded")

    def stream(self, question: str) -> Iterator[StreamEvent]:
        """Answers a question piece by piece.

        Yields:
            For each part `PartStarted`, `TextChunk`s and `PartEnded`; at the end `AnswerEnded`.

        Raises:
            QuestionError: The question is empty, too long or holds no letter.
            GenerationError: The generator failed.
        """
        found = self._find(question)
        parts: list[Part] = []
        generate_ms = 0.0
        for number, found_part in enumerate(found.parts, 1):
            yield PartStarted(number, found_part.text, found_part.hits)
            begin = perf_counter()
            for piece in self._answer_part(found_part):
                if isinstance(piece, Part):
                    parts.append(piece)
                else:
                    yield TextChunk(number, piece)
            generate_ms += (perf_counter() - begin) * 1e3
            yield PartEnded(number, parts[-1])
        timings = Timings(encode=found.encode_ms, search=found.search_ms, generate=generate_ms)
        yield AnswerEnded(Answer(found.query, tuple(parts), self.generator.name, timings))

    def _find(self, question: str) -> SearchResult:
        if self.retriever is not None:
            return search_question(self.retriever, question, top_k=self.settings.top_k, split=self.settings.split)
        text = check_question(question)
        parts = decompose(text) if self.settings.split else (text,)
        return SearchResult(on_one_line(text), tuple(FoundPart(on_one_line(part), ()) for part in parts))

    def _answer_part(self, found: FoundPart) -> Iterator[str | Part]:
        """Yields chunks of one part's answer, then the part."""
        shown = fitting_hits(found.hits) if self.retriever is not None else None
        part = Part(text=found.text, hits=found.hits, answer="", confidence=confidence(found.text, shown or ()))
        if self.retriever is not None:
            calibration = self.retriever.base.manifest.calibration
            best = nearest_cosine(found.hits)
            if self.settings.refuse and best < calibration.refuse_below:
                text = message("answer.refused", score=best, threshold=calibration.refuse_below)
                yield text
                yield replace(part, answer=text, abstained=True, refused_by="threshold")
                return
            part = replace(part, unsure=best < calibration.unsure_below)
        # Where the retriever is sure, a small model's refusals are slips: five in a hundred answerable questions.
        request = GenerationRequest.of(found.text, shown, self.settings.max_new_tokens, refusable=part.unsure)
        chunks: list[str] = []
        for chunk in checked_stream(self.generator.stream(request), len(request.examples)):
            chunks.append(chunk)
            yield chunk
        text = "".join(chunks).strip()
        if not text or is_refusal(text):
            explanation = message("answer.refused_by_model" if text else "answer.empty")
            yield replace(part, answer=explanation, abstained=True, refused_by="model" if text else "empty")
            return
        sentences = judge(text, request) if request.examples else ()
        yield replace(part, answer=text, sentences=sentences, citations=citations_of(sentences, request))


def fitting_hits(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """The leading hits whose questions and answers fit into `EXAMPLE_CHARS`, at least one."""
    total = 0
    for count, hit in enumerate(hits):
        total += len(hit.question) + len(hit.answer)
        if total > EXAMPLE_CHARS and count:
            return hits[:count]
    return hits


def is_refusal(text: str) -> bool:
    """Says whether a model's answer is the refusal it was taught."""
    return comparable(without_markers(text)).startswith(comparable(REFUSAL))
