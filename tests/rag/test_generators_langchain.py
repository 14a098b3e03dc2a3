"""The LangChain generator against a real HTTP server, its good days and its bad ones."""

from collections.abc import Iterator

import pytest

from data.errors import GenerationError, InputError
from data.types import Hit
from rag.generators.base import GenerationRequest
from rag.generators.langchain_chat import LangChainChatGenerator
from tests.rag.openai_server import OpenAIServer, running

SPEC = "openai:test-model"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with running() as started:
        yield started


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


def asked(server: OpenAIServer, hits: tuple[Hit, ...], **options: float) -> list[str]:
    generator = LangChainChatGenerator(SPEC, base_url=server.url, timeout=options.get("timeout", 5.0), max_retries=0)
    return list(generator.stream(GenerationRequest.of("벽지가 들떠요", hits, 77)))


@pytest.mark.integration
def test_chunks_arrive_as_they_are_sent(server: OpenAIServer, hits: tuple[Hit, ...]) -> None:
    chunks = asked(server, hits)
    assert "".join(chunks) == server.answer
    assert len(chunks) > 5
    sent = server.requests[0]
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert "벽지가 들떠요" in sent["messages"][1]["content"]
    assert sent["temperature"] == 0
    assert sent["stream"] is True
    assert 77 in {sent.get("max_tokens"), sent.get("max_completion_tokens")}


@pytest.mark.integration
def test_the_key_comes_from_the_environment(
    server: OpenAIServer, hits: tuple[Hit, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    asked(server, hits)
    assert server.keys == ["sk-test"]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("unauthorized", "refused the API key"),
        ("rate_limit", "limiting the rate"),
        ("broken", r"failed on its side \(HTTP 500\)"),
        ("disconnect", "broke off in the middle"),
        ("truncate", "broke off in the middle"),
        ("slow", "did not answer in time"),
    ],
)
def test_a_providers_failure_is_one_line_without_the_key(
    server: OpenAIServer, hits: tuple[Hit, ...], monkeypatch: pytest.MonkeyPatch, mode: str, message: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    server.mode = mode
    with pytest.raises(GenerationError, match=message) as caught:
        asked(server, hits, timeout=0.3 if mode == "slow" else 5.0)
    assert "\n" not in str(caught.value)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.integration
def test_no_server_is_one_line(hits: tuple[Hit, ...]) -> None:
    generator = LangChainChatGenerator(SPEC, base_url="http://127.0.0.1:9/v1", timeout=2.0, max_retries=0)
    with pytest.raises(GenerationError, match="cannot be reached"):
        list(generator.stream(GenerationRequest.of("벽지", hits)))


def test_a_missing_key_is_named() -> None:
    with pytest.raises(InputError, match="set OPENAI_API_KEY"):
        LangChainChatGenerator(SPEC)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(InputError, match="pip install langchain-mistralai"):
        LangChainChatGenerator("mistralai:mistral-small")


def test_an_unknown_provider_is_named() -> None:
    with pytest.raises(InputError, match='no provider "opnai"'):
        LangChainChatGenerator("opnai:gpt-4o-mini")
