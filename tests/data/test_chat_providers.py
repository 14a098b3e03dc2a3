"""Chat providers: their specs, addresses and failures, in one wording for answering and for writing data."""

import json

import pytest

from data.chat_providers import explained, quota_is_spent, read_spec, server_options, setup_error
from data.errors import InputError


class RefusedError(Exception):
    def __init__(self, status: int, text: str = "no") -> None:
        super().__init__(text)
        self.status_code = status


class ConnectError(Exception):
    pass


@pytest.mark.parametrize("spec", ["gpt-4o-mini", "openai:", ":gpt", ""])
def test_a_spec_without_provider_or_model_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match="PROVIDER:MODEL"):
        read_spec(spec)


@pytest.mark.parametrize(
    "address", ["", "not a url", "localhost:8000", "ftp://a/v1", "http://", "http://a:x/v1", "http://a b"]
)
def test_what_is_no_address_is_refused_before_anything_is_sent(address: str) -> None:
    with pytest.raises(InputError, match="is no address of a server; write it as in http://"):
        server_options("openai", address, 10)


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    found = server_options("openai", "http://[::1]:8000/v1", 10)
    assert found == {"max_tokens": 10, "base_url": "http://[::1]:8000/v1", "api_key": "not-needed"}
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    assert "api_key" not in server_options("openai", "https://host/v1", 10)
    assert server_options("ollama", None, 10) == {"num_predict": 10}


def test_a_failure_says_what_it_means_and_never_repeats_what_could_hold_a_key() -> None:
    assert explained(RefusedError(401, "bad key sk-secret")) == "refused the API key (HTTP 401)"
    assert explained(RefusedError(404, "no model x")) == "knows no such model or address (HTTP 404): no model x"
    assert explained(RefusedError(418, "sk-secret")) == "refused the request (HTTP 418)"
    assert explained(RefusedError(503)) == "failed on its side (HTTP 503)"
    assert explained(ConnectError()).startswith("cannot be reached")
    assert explained(ConnectError(), broke_off=True).startswith("broke off")
    assert explained(json.JSONDecodeError("Expecting value", "<html>", 0)) == (
        "answered something that is no JSON; check the address (does it end in /v1?)"
    )
    assert explained(TimeoutError()) == "did not answer in time"
    assert explained(ValueError("odd\nreply")) == "failed: odd reply"


def test_a_spent_quota_is_told_from_a_rate_limit() -> None:
    assert explained(RefusedError(429, "insufficient_quota")) == (
        "says that the quota is used up (HTTP 429); raise it with the provider"
    )
    assert not quota_is_spent(RefusedError(429, "slow down"))
    assert "try again later" in explained(RefusedError(429, "slow down"))


def test_what_keeps_a_model_from_being_built_is_named() -> None:
    missing = setup_error("mistralai:m", ImportError("pip install langchain_mistralai"))
    assert str(missing) == "mistralai:m needs another package: pip install langchain-mistralai"
    for error in (
        AttributeError("module langchain_community.chat_models has no attribute ChatOllama"),
        ModuleNotFoundError("No module named 'langchain_community'"),
    ):
        assert (
            str(setup_error("ollama:qwen3", error))
            == "ollama:qwen3 needs another package: pip install langchain-ollama"
        )
    assert str(setup_error("google_genai:g", ImportError())).endswith("pip install langchain-google-genai")
    assert str(setup_error("bedrock_converse:b", ImportError())).endswith("pip install langchain-aws")
    assert "set OPENAI_API_KEY" in str(setup_error("openai:m", ValueError("Missing credentials")))
    assert "no provider" in str(setup_error("opnai:m", ValueError("Unsupported provider='opnai'")))
