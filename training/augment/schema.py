"""What a model is asked to reply, and how its text is read: leniently in form, strictly in content."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from data.errors import DobaeError
from data.types import Message
from training.augment.budget import Meter

ReplyModel = TypeVar("ReplyModel", bound=BaseModel)

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_TRIES = 50
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")
_REFUSES = re.compile(
    r"(?:도와|답변|제공|응답)\S*\s?(?:드릴 수 없|할 수 없|하기 어렵|드리기 어렵)|죄송|^I(?:'m| am) sorry|I can(?:'|no)t"
)


class ReplyError(DobaeError):
    """A model's reply is not what was asked for; the message is fit to be shown to the model."""

    code = "reply"


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)


def _filled(texts: list[str]) -> list[str]:
    return [text for text in texts if text]


class KeywordReply(_Reply):
    """Topics to ask about."""

    keywords: list[str] = Field(min_length=1, max_length=60)

    _filled = field_validator("keywords")(_filled)


class QuestionItem(_Reply):
    """Several wordings of one question."""

    questions: list[str] = Field(min_length=1, max_length=6)
    category: str = ""

    _filled = field_validator("questions")(_filled)


class QuestionReply(_Reply):
    """Different questions about one topic."""

    items: list[QuestionItem] = Field(min_length=1, max_length=20)


class AnswerReply(_Reply):
    """Several answers to one question; none where a passage does not answer it."""

    answers: list[str] = Field(max_length=12)

    _filled = field_validator("answers")(_filled)


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What a chat model replied and what it cost.

    Attributes:
        text: The reply.
        input_tokens: Tokens of the prompt.
        output_tokens: Tokens of the reply.
        estimated: Whether the counts are estimates because the provider named none.
        cut: Whether the reply ran into its length limit.
        refused: Whether the provider says that the model refused.
    """

    text: str
    input_tokens: int
    output_tokens: int
    estimated: bool = False
    cut: bool = False
    refused: bool = False


class ChatModel(Protocol):
    """Answers messages; tries again by itself when the provider stumbles.

    Attributes:
        name: Provider and model, for the provenance.
        max_output_tokens: Most tokens of one reply.
    """

    @property
    def name(self) -> str:
        """Returns the provider and model."""
        ...

    @property
    def max_output_tokens(self) -> int:
        """Returns the most tokens one reply may have."""
        ...

    def reply(self, messages: Sequence[Message], meter: Meter | None = None) -> ChatReply:
        """Returns the reply.

        Args:
            messages: What is said.
            meter: Told of every attempt, before and after.

        Raises:
            BudgetSpentError: The meter's budget forbids another attempt.
            GenerationError: The provider cannot be used, or stumbled too often.
        """
        ...


def parse_reply(text: str, model: type[ReplyModel]) -> ReplyModel:
    """Finds the JSON value in a reply and checks it.

    Text around it, code fences, a reasoning block, trailing commas and a bare list in place of an object with one
    field are forgiven.

    Args:
        text: The model's reply.
        model: What it must hold.

    Raises:
        ReplyError: There is no JSON, or none that fits; says what is wrong with the first.
    """
    text = _THINKING.sub("", text)
    problem = "the reply holds no JSON object"
    for number, value in enumerate(_json_values(text)):
        if isinstance(value, list):
            value = {next(iter(model.model_fields)): value}
        try:
            return model.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if number == 0:
                place = ".".join(str(part) for part in first["loc"]) or "the object"
                problem = f"{place}: {first['msg']}"
    raise ReplyError(problem)


def refuses(reply: ChatReply) -> bool:
    """Tells whether a reply is a refusal instead of JSON."""
    return reply.refused or ("{" not in reply.text and bool(_REFUSES.search(reply.text[:300])))


def estimated_tokens(text: str) -> int:
    """Estimates a text's tokens from above: one a character beyond ASCII, one for three ASCII characters."""
    ascii_chars = sum(char.isascii() for char in text)
    return len(text) - ascii_chars + ascii_chars // 3 + 4


def prompt_tokens(messages: Sequence[Message]) -> int:
    """Estimates a prompt's tokens from above."""
    return sum(estimated_tokens(message.content) for message in messages)


def _json_values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    for candidate in (text, _TRAILING_COMMA.sub("", text)):
        position = 0
        # Each try may read to the end: a reply of brackets alone must not cost the square of its length.
        for _ in range(_TRIES):
            match = _OPENING.search(candidate, position)
            if match is None:
                break
            try:
                value, position = decoder.raw_decode(candidate, match.start())
                yield value
            except json.JSONDecodeError:
                position = match.start() + 1
            except RecursionError:
                return
