"""What chat models of any provider are built from and fail with, in words a user can act on.

One wording for answering through such a model and for writing data with one. Reads names, statuses and texts of errors;
imports no provider's library and knows nothing about prompts.
"""

import os
import re
from typing import Any
from urllib.parse import urlsplit

from data.errors import InputError, one_line

_PACKAGES = {"azure_openai": "langchain-openai", "bedrock": "langchain-aws", "bedrock_converse": "langchain-aws"}
"""Where the package is not named after the provider."""

_NAMES_ITS_LENGTH = {"ollama": "num_predict"}
# What went wrong by HTTP status.
_STATUS = {
    400: "refused the request",
    401: "refused the API key",
    403: "refused access",
    404: "knows no such model or address",
    408: "timed out",
    413: "found the prompt too long",
    429: "is limiting the rate of requests; try again later",
}
_SAYS_WHY = {400, 404, 413, 422}
"""Statuses whose body is repeated; others could hold part of a key."""

_BROKEN = re.compile(r"Connect|Protocol|ReadError|IncompleteRead|ChunkedEncoding")
_NO_JSON = re.compile(r"JSONDecode|Unexpected response type")
_DETAIL = 200


def read_spec(spec: str) -> tuple[str, str]:
    """Takes "openai:gpt-4o-mini" apart into provider and model.

    Raises:
        InputError: One of the two is missing.
    """
    provider, _, model = spec.partition(":")
    if not provider or not model:
        raise InputError(f"model {spec!r} names no provider; write PROVIDER:MODEL, as in openai:gpt-4o-mini")
    return provider, model


def server_options(provider: str, base_url: str | None, max_tokens: int) -> dict[str, Any]:
    """Returns the keywords that every provider's chat model takes: its address, a key if none is needed, its length.

    Args:
        provider: As `read_spec` returns it.
        base_url: Address of a compatible server; a server of one's own needs no key. None for the provider's.
        max_tokens: Most tokens of one reply.

    Raises:
        InputError: The address is none.
    """
    options: dict[str, Any] = {_NAMES_ITS_LENGTH.get(provider, "max_tokens"): max_tokens}
    if base_url is not None:
        _check_address(base_url)
        options["base_url"] = base_url
        if provider == "openai" and not os.environ.get("OPENAI_API_KEY"):
            options["api_key"] = "not-needed"
    return options


def setup_error(spec: str, error: Exception) -> InputError:
    """Says what keeps a chat model from being built: an unknown provider, a missing package, a missing key."""
    provider = spec.partition(":")[0]
    # Where its package is missing, LangChain may fall back to an older one that lacks the class.
    said = one_line(error, _DETAIL)
    if isinstance(error, ImportError) or (isinstance(error, AttributeError) and "langchain" in said):
        return InputError(f"{spec} needs another package: pip install {_package(provider, said)}")
    if "Unsupported provider" in said:
        return InputError(
            f'LangChain knows no provider "{provider}"; write one it knows, such as openai, anthropic or ollama'
        )
    if re.search(r"api_key|API key|credentials", said, re.IGNORECASE):
        return InputError(f"{spec} needs an API key: set {provider.upper()}_API_KEY in the environment")
    return InputError(f"{spec} cannot be set up: {said}")


def explained(error: Exception, *, broke_off: bool = False) -> str:
    """Says what a provider's error means, to follow the model's name; never repeats a body that could hold a key.

    Args:
        error: As the provider's client raised it.
        broke_off: Part of the reply had arrived.
    """
    status = getattr(error, "status_code", None)
    if quota_is_spent(error):
        return f"says that the quota is used up (HTTP {status}); raise it with the provider"
    if isinstance(status, int):
        if status >= 500:
            return f"failed on its side (HTTP {status})"
        detail = f": {one_line(error, _DETAIL)}" if status in _SAYS_WHY else ""
        return f"{_STATUS.get(status, 'refused the request')} (HTTP {status}){detail}"
    kinds = kinds_of(error)
    if "Timeout" in kinds:
        return "did not answer in time"
    if _NO_JSON.search(f"{kinds} {error}"):
        return "answered something that is no JSON; check the address (does it end in /v1?)"
    if _BROKEN.search(kinds):
        return (
            "broke off in the middle of the answer"
            if broke_off
            else "cannot be reached or broke off; check the network and the address"
        )
    return f"failed: {one_line(error, _DETAIL)}"


def quota_is_spent(error: BaseException) -> bool:
    """Says whether the account, and not the rate, is the limit: both share a status, and no waiting mends this one."""
    said = f"{error} {getattr(error, 'code', '')} {getattr(error, 'body', '')}"
    return getattr(error, "status_code", None) == 429 and "insufficient_quota" in said


def kinds_of(error: BaseException) -> str:
    """Returns the names of an error's classes: clients of different providers share the words, not the classes."""
    return " ".join(kind.__name__ for kind in type(error).__mro__)


def _check_address(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or " " in base_url:
        raise InputError(
            f"the base URL {base_url!r} is no address of a server; write it as in http://127.0.0.1:8000/v1"
        )


def _package(provider: str, said: str) -> str:
    named = re.search(r"langchain[_-](?!community|core)[a-z_-]+[a-z]", said)
    return _PACKAGES.get(provider, named[0] if named else f"langchain-{provider}").replace("_", "-")
