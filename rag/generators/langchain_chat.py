"""Any LangChain chat model as a generator: OpenAI, Anthropic, Ollama, or an OpenAI-compatible server.

Only this file and `rag.chain` know LangChain. API keys are read from the environment by the provider's own package.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

from data.errors import GenerationError, InputError
from rag.generators.base import DEFAULT_MAX_NEW_TOKENS, GenerationRequest

_PACKAGES = {"bedrock": "langchain-aws", "huggingface": "langchain-huggingface"}
# Names what went wrong by HTTP status, in words a user can act on.
_STATUS = {
    400: "refused the request",
    401: "refused the API key",
    403: "refused access",
    404: "knows no such model or address",
    408: "timed out",
    413: "found the prompt too long",
    429: "is limiting the rate of requests, or the quota is used up; try again later",
}
_BROKE_OFF = "broke off in the middle of the answer"
_NAMES_ITS_LENGTH = {"ollama": "num_predict"}


class LangChainChatGenerator:
    """A chat model built by `langchain.chat_models.init_chat_model`.

    Args:
        spec: Provider and model, for example "openai:gpt-4o-mini".
        base_url: Address of a compatible server; a server of one's own needs no key.
        timeout: Seconds to wait for the server, and between two chunks.
        max_retries: How often the provider's client tries again.

    Raises:
        InputError: Unknown provider, missing package, or missing API key.
    """

    def __init__(self, spec: str, *, base_url: str | None = None, timeout: float = 60.0, max_retries: int = 2) -> None:
        self._spec = spec
        self._provider, _, self._model = spec.partition(":")
        self._options: dict[str, Any] = {"temperature": 0, "timeout": timeout, "max_retries": max_retries}
        if base_url is not None:
            self._options["base_url"] = base_url
            if self._provider == "openai" and not os.environ.get("OPENAI_API_KEY"):
                self._options["api_key"] = "not-needed"
        self._chats: dict[int, Any] = {}
        self._chat(DEFAULT_MAX_NEW_TOKENS)

    @property
    def name(self) -> str:
        """Returns the spec, for example "openai:gpt-4o-mini"."""
        return self._spec

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        """Yields the answer as the provider sends it.

        Raises:
            GenerationError: No connection, a refused key, a timeout, a rate limit, or an answer that broke off.
        """
        chat = self._chat(request.max_new_tokens)
        started = finished = False
        try:
            for chunk in chat.stream([tuple(message) for message in request.messages]):
                started = True
                finished = finished or bool(chunk.response_metadata.get("finish_reason"))
                if text := str(chunk.text):
                    yield text
        except Exception as error:
            raise GenerationError(f"{self._spec} {_explained(error, started)}") from error
        # Every OpenAI-compatible server says why it stopped; silence means that the connection was cut.
        if self._provider == "openai" and not finished:
            raise GenerationError(f"{self._spec} {_BROKE_OFF}")

    def _chat(self, max_new_tokens: int) -> Any:
        if max_new_tokens not in self._chats:
            length = {_NAMES_ITS_LENGTH.get(self._provider, "max_tokens"): max_new_tokens}
            self._chats[max_new_tokens] = self._build(self._options | length)
        return self._chats[max_new_tokens]

    def _build(self, options: dict[str, Any]) -> Any:
        from langchain.chat_models import init_chat_model

        try:
            return init_chat_model(self._model, model_provider=self._provider, **options)
        except ImportError as error:
            package = _PACKAGES.get(self._provider, _named_package(error))
            raise InputError(f"{self._spec} needs another package: pip install {package}") from error
        except Exception as error:
            said = _one_line(error)
            if "Unsupported provider" in said:
                raise InputError(f'no provider "{self._provider}" in LangChain; see `init_chat_model`') from error
            if re.search(r"api_key|API key|credentials", said, re.IGNORECASE):
                raise InputError(
                    f"{self._spec} needs an API key: set {self._provider.upper()}_API_KEY in the environment"
                ) from error
            raise InputError(f"{self._spec} cannot be set up: {said}") from error


def _named_package(error: ImportError) -> str:
    module = re.search(r"langchain[_-][a-z_-]+[a-z]", str(error))
    return module[0].replace("_", "-") if module else "the provider's LangChain package"


def _explained(error: Exception, started: bool) -> str:
    """Says what a provider's error means; never repeats a body that could hold part of a key."""
    status = getattr(error, "status_code", None)
    kinds = " ".join(kind.__name__ for kind in type(error).__mro__)
    if status in _STATUS:
        detail = f": {_one_line(error)}" if status in {400, 404, 413} else ""
        return f"{_STATUS[status]} (HTTP {status}){detail}"
    if isinstance(status, int) and status >= 500:
        return f"failed on its side (HTTP {status})"
    if "Timeout" in kinds:
        return "did not answer in time"
    if re.search(r"Connect|Protocol|ReadError|IncompleteRead|ChunkedEncoding", kinds):
        return _BROKE_OFF if started else "cannot be reached: check the network and the address"
    return f"failed: {_one_line(error)}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
