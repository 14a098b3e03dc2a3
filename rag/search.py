"""Searches for a question as people write it: split into its parts, each part searched on its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from data.text import check_question, on_one_line
from data.types import Hit
from index.retriever import Retriever
from rag.answer import hit_to_json
from rag.decompose import decompose


@dataclass(frozen=True, slots=True)
class FoundPart:
    """One sub-question and its hits."""

    text: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The parts of one question.

    Attributes:
        query: The question, normalised.
        parts: One a sub-question, in order.
        encode_ms: Milliseconds spent in the encoder.
        search_ms: Milliseconds spent splitting, searching and fusing.
    """

    query: str
    parts: tuple[FoundPart, ...]
    encode_ms: float = 0.0
    search_ms: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Returns the result in the command line's JSON form."""
        return {
            "query": self.query,
            "parts": [{"text": part.text, "hits": [hit_to_json(hit) for hit in part.hits]} for part in self.parts],
        }


def search_question(
    retriever: Retriever, question: str, *, top_k: int | None = None, split: bool = True
) -> SearchResult:
    """Splits a question and searches for each part.

    Args:
        retriever: Searches the knowledge base.
        question: As typed.
        top_k: Groups wanted for each part.
        split: Split compound questions; without, the whole text is searched for.

    Raises:
        QuestionError: The question is empty, too long or holds no letter.
    """
    return search_questions(retriever, [question], top_k=top_k, split=split)[0]


def search_questions(
    retriever: Retriever, questions: Sequence[str], *, top_k: int | None = None, split: bool = True
) -> list[SearchResult]:
    """Searches for several questions, encoding all their parts in one batch; results in the order given."""
    begin = perf_counter()
    texts = [check_question(question) for question in questions]
    parts = [tuple(map(on_one_line, decompose(text) if split else (text,))) for text in texts]
    flat = [part for group in parts for part in group]
    encode_begin = perf_counter()
    vectors = retriever.encode(flat)
    encode_ms = (perf_counter() - encode_begin) * 1e3
    hits = iter(retriever.hits_of_vectors(flat, vectors, top_k))
    found = [tuple(FoundPart(part, tuple(next(hits))) for part in group) for group in parts]
    search_ms = (perf_counter() - begin) * 1e3 - encode_ms
    share = len(texts) or 1
    return [
        SearchResult(on_one_line(text), group, encode_ms / share, search_ms / share)
        for text, group in zip(texts, found, strict=True)
    ]
