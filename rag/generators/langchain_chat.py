"""Any LangChain chat model as a generator: OpenAI, Anthropic, Ollama, or an OpenAI-compatible server.

API keys are read from the environment by the provider's own package.
"""

from collections.abc import Iterator
from typing import Any

from data.chat_providers import explained, read_spec, server_options, setup_error
from data.errors import GenerationError
from rag.generators.base import DEFAULT_MAX_NEW_TOKENS, GenerationRequest


class LangChainChatGenerator:
    """A chat model built by `langchain.chat_models.init_chat_model`.

    Args:
        spec: Provider and model, for example "openai:gpt-4o-mini".
        base_url: Address of a compatible server; a server of one's own needs no key.
        timeout: Seconds to wait for the server, and between two chunks.
        max_retries: How often the provider's client tries again.

    Raises:
        InputError: Unknown provider, missing package, missing API key, or an address that is none.
    """

    def __init__(self, spec: str, *, base_url: str | None = None, timeout: float = 60.0, max_retries: int = 2) -> None:
        self._spec = spec
        self._provider, self._model = read_spec(spec)
        self._base_url = base_url
        self._options: dict[str, Any] = {"temperature": 0, "timeout": timeout, "max_retries": max_retries}
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
            raise GenerationError(f"{self._spec} {explained(error, broke_off=started)}") from error
        # Every OpenAI-compatible server says why it stopped; silence means that the connection was cut.
        if self._provider == "openai" and not finished:
            raise GenerationError(f"{self._spec} broke off in the middle of the answer")

    def _chat(self, max_new_tokens: int) -> Any:
        if max_new_tokens not in self._chats:
            self._chats[max_new_tokens] = self._build(max_new_tokens)
        return self._chats[max_new_tokens]

    def _build(self, max_new_tokens: int) -> Any:
        from langchain.chat_models import init_chat_model

        options = self._options | server_options(self._provider, self._base_url, max_new_tokens)
        try:
            return init_chat_model(self._model, model_provider=self._provider, **options)
        except Exception as error:
            raise setup_error(self._spec, error) from error
