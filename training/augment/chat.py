"""Any LangChain chat model as the writer. The one file of this package that knows LangChain.

Requests are tried again here and not in the provider's client, so that one rule holds for all providers: rate limits,
timeouts, failures on the provider's side and broken connections, with exponential back-off and jitter.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import sleep
from typing import Any

from data.chat_providers import explained, kinds_of, quota_is_spent, read_spec, server_options, setup_error
from data.errors import GenerationError
from data.types import Message
from training.augment.budget import Budget, BudgetLimits, BudgetSpentError, Meter
from training.augment.schema import ChatReply, estimated_tokens, prompt_tokens

_TRANSIENT_STATUS = {408, 409, 425, 429}
_BROKEN = re.compile(r"Connect|Protocol|ReadError|IncompleteRead|ChunkedEncoding|Timeout|JSONDecode")
_NEVER_SENT = re.compile(r"\b(?:ConnectError|ConnectTimeout|ConnectionRefusedError)\b")
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """How a chat model is reached.

    Attributes:
        spec: Provider and model, for example "openai:gpt-4o-mini" or "ollama:qwen3".
        base_url: Address of a compatible server; a server of one's own needs no key.
        timeout: Seconds to wait for a reply.
        attempts: How often one request is sent at most.
        first_wait: Seconds before the second attempt; doubled each time, with jitter.
        max_output_tokens: Most tokens of one reply.
        temperature: Above 0, or every round asks for the same topics.
        seed: Passed on where the provider knows seeds.
    """

    spec: str
    base_url: str | None = None
    timeout: float = 120.0
    attempts: int = 6
    first_wait: float = 1.0
    max_output_tokens: int = 2_048
    temperature: float = 0.7
    seed: int = 0


class LangChainChat:
    """A chat model built by `langchain.chat_models.init_chat_model`.

    Args:
        settings: Which model, and how patiently.
        pause: Waits between attempts; a test may watch it.

    Raises:
        InputError: Unknown provider, missing package, missing API key, or an address that is none.
    """

    def __init__(self, settings: ChatSettings, pause: Callable[[float], None] = sleep) -> None:
        self._settings = settings
        self._pause = pause
        self._provider, self._model = read_spec(settings.spec)
        self._chat = self._build()

    @property
    def name(self) -> str:
        """Returns the spec, for example "openai:gpt-4o-mini"."""
        return self._settings.spec

    @property
    def max_output_tokens(self) -> int:
        """Returns the most tokens one reply may have."""
        return self._settings.max_output_tokens

    def reply(self, messages: Sequence[Message], meter: Meter | None = None) -> ChatReply:
        """Sends messages until a reply arrives or patience ends.

        Args:
            messages: What is said.
            meter: Told of every attempt, before and after.

        Raises:
            BudgetSpentError: The meter's budget forbids another attempt.
            GenerationError: The provider refuses the request or the key, or stumbled `attempts` times.
        """
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        attempts = Retrying(
            stop=stop_after_attempt(self._settings.attempts),
            wait=self._wait,
            retry=retry_if_exception(_is_transient),
            sleep=self._pause,
            reraise=True,
        )
        try:
            return attempts(self._attempt, messages, meter or Meter(Budget(BudgetLimits()), (0, 0)))
        except BudgetSpentError:
            raise
        except Exception as error:
            times = f" ({self._settings.attempts} attempts); run again to go on" if _is_transient(error) else ""
            raise GenerationError(f"{self.name} {explained(error)}{times}") from error

    def _attempt(self, messages: Sequence[Message], meter: Meter) -> ChatReply:
        meter.begin()
        try:
            message = self._chat.invoke([tuple(message) for message in messages])
        except Exception as error:
            meter.end((0, 0) if _is_free(error) else None)
            raise
        reply = _reply_of(message, messages)
        meter.end((reply.input_tokens, reply.output_tokens))
        return reply

    def _wait(self, state: Any) -> float:
        from tenacity import wait_exponential, wait_random

        first = self._settings.first_wait
        own = (wait_exponential(multiplier=first, max=_LONGEST_WAIT) + wait_random(0, first))(state)
        return max(own, _asked_to_wait(state.outcome.exception()))

    def _build(self) -> Any:
        from langchain.chat_models import init_chat_model

        settings = self._settings
        options: dict[str, Any] = {
            "temperature": settings.temperature,
            "timeout": settings.timeout,
            "max_retries": 0,
            **server_options(self._provider, settings.base_url, settings.max_output_tokens),
        }
        if self._provider == "openai":
            options["seed"] = settings.seed
        try:
            return init_chat_model(self._model, model_provider=self._provider, **options)
        except Exception as error:
            raise setup_error(settings.spec, error) from error


def _is_transient(error: BaseException) -> bool:
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return (status in _TRANSIENT_STATUS and not quota_is_spent(error)) or status >= 500
    return bool(_BROKEN.search(kinds_of(error)))


def _is_free(error: BaseException) -> bool:
    """Tells whether a failed attempt cost nothing: it was refused with a status, or never got there."""
    if isinstance(getattr(error, "status_code", None), int):
        return True
    cause: BaseException | None = error
    while cause is not None:
        if _NEVER_SENT.search(kinds_of(cause)):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _asked_to_wait(error: BaseException | None) -> float:
    """Seconds that the provider asks for by `Retry-After`."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        return min(_LONGEST_WAIT, max(0.0, float(headers.get("retry-after", 0))))
    except ValueError:
        return 0.0


def _reply_of(message: Any, asked: Sequence[Message]) -> ChatReply:
    text = str(message.text)
    usage = message.usage_metadata or {}
    estimated = not usage.get("total_tokens")
    ending = str(message.response_metadata.get("finish_reason") or message.response_metadata.get("done_reason") or "")
    return ChatReply(
        text=text,
        input_tokens=prompt_tokens(asked) if estimated else int(usage["input_tokens"]),
        output_tokens=estimated_tokens(text) if estimated else int(usage["output_tokens"]),
        estimated=estimated,
        cut=ending == "length",
        refused=ending == "content_filter" or bool(message.additional_kwargs.get("refusal")),
    )
