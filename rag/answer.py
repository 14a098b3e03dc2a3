"""What the pipeline returns: an answer in parts, each with its hits and checked citations."""

from dataclasses import dataclass
from typing import Any, Literal

from data.catalog import message
from data.types import Hit, nearest_cosine


@dataclass(frozen=True, slots=True)
class Citation:
    """One example that an answer points at.

    Attributes:
        marker: Number in the text, "[1]"; it is the rank of the hit within its part.
        group_id: The group behind the marker.
        supported: Every sentence that carries the marker is supported by the example.
    """

    marker: int
    group_id: str
    supported: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer and what holds it up.

    Attributes:
        text: The sentence, markers included.
        markers: Valid markers it carries.
        support: Share of the sentence found in its cited examples, in [0, 1]; 0 without a marker.
        supported: Whether that is enough (see `rag.support`).
    """

    text: str
    markers: tuple[int, ...]
    support: float
    supported: bool


@dataclass(frozen=True, slots=True)
class Part:
    """The answer to one sub-question.

    Attributes:
        text: The sub-question.
        hits: What was found for it, best first.
        answer: The answer with its markers, or the explanation of a refusal.
        citations: Each marker of the answer once, ascending.
        abstained: No answer was given.
        refused_by: Why not: "threshold" where nothing fits, "model" where it declined, "empty" where it said nothing.
        unsure: The nearest question is not near; the answer may rest on a near miss.
        confidence: Larger the better the answer is likely to be (`rag.confidence`); None where nothing was found.
        sentences: The answer sentence by sentence; empty where nothing was answered.
    """

    text: str
    hits: tuple[Hit, ...]
    answer: str
    citations: tuple[Citation, ...] = ()
    abstained: bool = False
    refused_by: Literal["", "threshold", "model", "empty"] = ""
    unsure: bool = False
    confidence: float | None = None
    sentences: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds spent on one question."""

    encode: float = 0.0
    search: float = 0.0
    generate: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a whole question.

    Attributes:
        question: The question, normalised.
        parts: One a sub-question, in order; at least one.
        generator: Name of the generator.
        timings: Where the time went.
    """

    question: str
    parts: tuple[Part, ...]
    generator: str
    timings: Timings

    @property
    def text(self) -> str:
        """Returns the parts' answers as one text; with several parts each stands under its own question."""
        if len(self.parts) == 1:
            return self.parts[0].answer
        return "\n\n".join(
            f"{message('answer.part_heading', number=number, question=part.text)}\n{part.answer}"
            for number, part in enumerate(self.parts, 1)
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the answer in the command line's JSON form."""
        return {
            "question": self.question,
            "answer": self.text,
            "generator": self.generator,
            "parts": [
                {
                    "text": part.text,
                    "answer": part.answer,
                    "abstained": part.abstained,
                    "unsure": part.unsure,
                    "nearest": round(nearest_cosine(part.hits), 6) if part.hits else None,
                    "confidence": None if part.confidence is None else round(part.confidence, 6),
                    "hits": [hit_to_json(hit) for hit in part.hits],
                    "citations": [
                        {"marker": citation.marker, "group_id": citation.group_id, "supported": citation.supported}
                        for citation in part.citations
                    ],
                }
                for part in self.parts
            ],
            "timings_ms": {
                "encode": round(self.timings.encode, 3),
                "search": round(self.timings.search, 3),
                "generate": round(self.timings.generate, 3),
            },
        }


def hit_to_json(hit: Hit) -> dict[str, Any]:
    """Returns a hit in the command line's JSON form."""
    return {
        "group_id": hit.group.id,
        "question": hit.question,
        "answer": hit.answer,
        "score": round(hit.score, 6),
        "rank": hit.rank,
    }
