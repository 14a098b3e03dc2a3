"""What a generator is: a question with its examples in, text chunks out.

Streaming is the primitive; whoever wants the whole text joins the chunks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from data.prompts import closed_book_messages, examples_of, grounded_messages
from data.types import Hit, Message

DEFAULT_MAX_NEW_TOKENS = 1_000
"""Enough to quote 400 characters with SmolLM2, which takes two to three tokens for each: 95 in 100 of DACON 236216's
answers have at most 350."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One question to answer.

    Attributes:
        question: The question, or one part of a compound one.
        messages: The rendered prompt.
        examples: The hits shown in the prompt; marker n is `examples[n - 1]`. Empty for pure generation.
        max_new_tokens: Upper bound on the length of the answer, in the model's tokens.
        refusable: Whether a generator that can only quote may also refuse.
    """

    question: str
    messages: tuple[Message, ...]
    examples: tuple[Hit, ...] = field(default=())
    max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS
    refusable: bool = True

    @classmethod
    def of(
        cls,
        question: str,
        hits: Sequence[Hit] | None,
        max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS,
        *,
        refusable: bool = True,
    ) -> "GenerationRequest":
        """Renders a question with hits, or alone when `hits` is None."""
        if hits is None:
            return cls(question, closed_book_messages(question), (), max_new_tokens)
        return cls(question, grounded_messages(question, examples_of(hits)), tuple(hits), max_new_tokens, refusable)


class Generator(Protocol):
    """Answers a rendered prompt.

    Attributes:
        name: Shown to the reader and stored with answers, for example "smollm2" or "openai:gpt-4o-mini".
    """

    @property
    def name(self) -> str:
        """Returns the name shown with every answer."""
        ...

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        """Yields the answer in chunks; their concatenation is the answer.

        Raises:
            GenerationError: The generator failed.
        """
        ...


class ScriptedGenerator:
    """A generator that says what it was told to: the fake for tests of everything around generators."""

    def __init__(self, *answers: str, chunk: int = 7) -> None:
        self._answers = list(answers)
        self._chunk = chunk
        self.requests: list[GenerationRequest] = []

    @property
    def name(self) -> str:
        """Returns "scripted"."""
        return "scripted"

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        """Yields the next scripted answer in chunks of a few characters; the last answer repeats."""
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        for start in range(0, len(answer), self._chunk):
            yield answer[start : start + self._chunk]
