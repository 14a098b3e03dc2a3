"""Runs against a real HTTP server on its good days and its bad ones."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.errors import GenerationError, InputError
from data.types import Message, QAGroup
from index.encoders.base import HashEncoder
from tests.training.augment.scripted_server import ScriptedServer, korean_script, running
from training.augment.budget import Budget, BudgetLimits, BudgetSpentError, Meter
from training.augment.chat import ChatSettings, LangChainChat
from training.augment.filters import Filters
from training.augment.journal import Journal
from training.augment.passages import Passage
from training.augment.prompts import answer_messages, prompt_digest, question_messages
from training.augment.run import AugmentSettings, Outcome, augment
from training.augment.thresholds import Thresholds

BASE = (QAGroup("b1", ("벽지가 왜 들뜨나요?",), ("풀이 덜 말라 들뜹니다.",)),)
ASK = (Message("system", "전문가"), Message("user", "질문: 벽지"))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with running() as started:
        yield started


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


def chat(server: ScriptedServer, waits: list[float] | None = None, **options: Any) -> LangChainChat:
    settings = ChatSettings("openai:scripted", base_url=server.url, timeout=0.5, first_wait=1.0, **options)
    return LangChainChat(settings, pause=(waits if waits is not None else []).append)


def grown(
    server: ScriptedServer,
    journal: Path,
    *,
    limits: BudgetLimits | None = None,
    passages: list[Passage] | None = None,
    attempts: int = 6,
    **settings: Any,
) -> Outcome:
    encoder = HashEncoder()
    with Journal(journal, {}) as record:
        return augment(
            BASE,
            passages,
            chat=chat(server, attempts=attempts, max_output_tokens=256),
            filters=Filters(BASE, (), encoder, Thresholds(0.2, -1.0, 0.97)),
            journal=record,
            budget=Budget(limits or BudgetLimits(), record.tokens()),
            settings=AugmentSettings(**({"count": 12, "parallel": 1} | settings)),
        )


@pytest.mark.integration
@pytest.mark.parametrize("trouble", ["429", "500", "disconnect", "timeout"])
def test_a_stumbling_provider_is_asked_again_with_growing_waits(server: ScriptedServer, trouble: str) -> None:
    server.troubles = {1: trouble, 2: trouble, 3: trouble}
    waits: list[float] = []
    assert chat(server, waits).reply(ASK).text.startswith('{"answers"')
    assert len(server.requests) == 4
    assert [1, 2, 4] <= waits <= [2, 3, 5]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("trouble", "message", "requests"),
    [
        ("401", "refused the API key", 1),
        ("quota", "quota is used up", 1),
        ("429", r"limiting the rate of requests.* \(3 attempts\)", 3),
        ("500", r"failed on its side \(HTTP 500\) \(3 attempts\)", 3),
        ("disconnect", r"broke off;.* \(3 attempts\)", 3),
        ("timeout", r"did not answer in time \(3 attempts\)", 3),
        ("html", r"no JSON; check the address \(does it end in /v1\?\)", 1),
    ],
)
def test_patience_ends_in_one_line(server: ScriptedServer, trouble: str, message: str, requests: int) -> None:
    server.every, server.troubles = 1, {1: trouble}
    with pytest.raises(GenerationError, match=message) as caught:
        chat(server, attempts=3).reply(ASK)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == requests


@pytest.mark.integration
def test_tokens_are_those_named_or_an_estimate(server: ScriptedServer) -> None:
    named = chat(server).reply(ASK)
    assert not named.estimated
    assert named.output_tokens == len(named.text) // 2
    server.usage = False
    guessed = chat(server).reply(ASK)
    assert guessed.estimated
    assert guessed.output_tokens > 0 < guessed.input_tokens


# LangChain falls back to its old package, which tells of its own end, where that of Ollama is missing.
@pytest.mark.filterwarnings("ignore:.*langchain-community")
def test_a_model_without_provider_or_key_is_one_line() -> None:
    with pytest.raises(InputError, match="PROVIDER:MODEL"):
        LangChainChat(ChatSettings("gpt-4o-mini"))
    with pytest.raises(InputError, match="set OPENAI_API_KEY"):
        LangChainChat(ChatSettings("openai:gpt-4o-mini"))
    with pytest.raises(InputError, match='no provider "opnai"'):
        LangChainChat(ChatSettings("opnai:gpt-4o-mini"))
    with pytest.raises(InputError, match="pip install langchain-mistralai"):
        LangChainChat(ChatSettings("mistralai:small"))
    with pytest.raises(InputError, match="pip install langchain-ollama"):
        LangChainChat(ChatSettings("ollama:qwen3"))


@pytest.mark.integration
def test_groups_are_grown_with_their_provenance(server: ScriptedServer, tmp_path: Path) -> None:
    outcome = grown(server, tmp_path / "j")
    assert outcome.stopped is None
    assert len(outcome.groups) == 12
    assert outcome.rejected["language"] > 0
    for group in outcome.groups:
        assert 3 <= len(group["answers"]) <= 5
        provenance = group["provenance"]
        assert provenance["model"] == "openai:scripted"
        assert provenance["prompt_digest"] == prompt_digest()
        assert provenance["seed"] == 0
        assert provenance["time"].endswith("+00:00")
        assert provenance["approved"] is False
    assert outcome.tokens == tuple(
        sum(len(t) // 2 for t in texts)
        for texts in zip(
            *[(_prompt(b), server.script(b["messages"][1]["content"], 0)) for b in server.bodies], strict=True
        )
    )


def _prompt(body: dict[str, Any]) -> str:
    return "".join(message["content"] for message in body["messages"])


@pytest.mark.integration
def test_a_second_run_asks_nothing_that_was_answered(server: ScriptedServer, tmp_path: Path) -> None:
    first = grown(server, tmp_path / "j")
    asked = len(server.requests)
    again = grown(server, tmp_path / "j")
    assert len(server.requests) == asked
    assert (again.groups, again.rejected, again.tokens) == (first.groups, first.rejected, first.tokens)
    more = grown(server, tmp_path / "j", count=20)
    assert more.groups[:12] == first.groups
    assert len(more.groups) == 20


@pytest.mark.integration
@pytest.mark.parametrize("parallel", [1, 4])
def test_the_number_of_workers_does_not_change_what_is_kept(
    server: ScriptedServer, tmp_path: Path, parallel: int
) -> None:
    ids = [group["id"] for group in grown(server, tmp_path / "one").groups]
    assert [group["id"] for group in grown(server, tmp_path / "j", parallel=parallel).groups] == ids


@pytest.mark.integration
def test_bad_json_is_asked_for_again_with_the_error_and_once_only(server: ScriptedServer, tmp_path: Path) -> None:
    server.troubles = {3: "bad_json", 5: "bad_json", 6: "bad_json"}  # 1 topics, 2 questions, 3.. answers
    outcome = grown(server, tmp_path / "j", count=3)
    again = server.bodies[3]["messages"]
    assert again[1]["content"] == server.bodies[2]["messages"][1]["content"]
    assert [message["role"] for message in again] == ["system", "user", "assistant", "user"]
    assert "cut off" in again[3]["content"]
    assert outcome.rejected["bad_json"] == 1
    assert len(outcome.groups) == 3


@pytest.mark.integration
def test_a_refusal_is_not_argued_with(server: ScriptedServer, tmp_path: Path) -> None:
    server.troubles = {3: "refuse"}
    outcome = grown(server, tmp_path / "j", count=3)
    assert outcome.rejected["refused"] == 1
    assert len(set(server.requests)) == len(server.requests)


@pytest.mark.integration
def test_a_failing_provider_costs_nothing_that_was_kept(server: ScriptedServer, tmp_path: Path) -> None:
    whole = grown(server, tmp_path / "whole")
    server.requests.clear()
    server.troubles = dict.fromkeys(range(12, 100), "500")
    broken = grown(server, tmp_path / "j", attempts=2)
    assert isinstance(broken.stopped, GenerationError)
    assert 0 < len(broken.groups) < 12
    server.troubles = {}
    mended = grown(server, tmp_path / "j")
    assert [group["id"] for group in mended.groups] == [group["id"] for group in whole.groups]


@pytest.mark.integration
def test_a_budget_is_never_passed_and_a_larger_one_goes_on(server: ScriptedServer, tmp_path: Path) -> None:
    whole = grown(server, tmp_path / "whole")
    spent = sum(whole.tokens)
    small = grown(server, tmp_path / "j", limits=BudgetLimits(max_tokens=spent // 2 + 300), parallel=3)
    assert isinstance(small.stopped, BudgetSpentError)
    assert sum(small.tokens) <= spent // 2 + 300
    assert 0 < len(small.groups) < 12
    large = grown(server, tmp_path / "j", limits=BudgetLimits(max_tokens=10 * spent))
    assert [group["id"] for group in large.groups] == [group["id"] for group in whole.groups]


@pytest.mark.integration
@pytest.mark.parametrize("trouble", ["timeout", "disconnect"])
def test_attempts_that_broke_off_count_against_the_budget(server: ScriptedServer, tmp_path: Path, trouble: str) -> None:
    server.every, server.troubles = 1, {1: trouble}
    outcome = grown(server, tmp_path / "j", attempts=6, limits=BudgetLimits(max_tokens=2_000))
    assert isinstance(outcome.stopped, BudgetSpentError)
    asked = len(server.requests)
    assert 1 <= asked < 6
    assert asked * 256 < sum(outcome.tokens) <= 2_000
    again = grown(server, tmp_path / "j", limits=BudgetLimits(max_tokens=2_000))
    assert isinstance(again.stopped, BudgetSpentError)
    assert again.tokens == outcome.tokens
    assert len(server.requests) == asked


@pytest.mark.integration
@pytest.mark.parametrize("trouble", ["429", "500"])
def test_attempts_that_were_refused_cost_nothing(server: ScriptedServer, tmp_path: Path, trouble: str) -> None:
    server.every, server.troubles = 1, {1: trouble}
    outcome = grown(server, tmp_path / "j", attempts=3)
    assert isinstance(outcome.stopped, GenerationError)
    assert outcome.tokens == (0, 0)


@pytest.mark.integration
def test_attempts_that_never_arrived_cost_nothing() -> None:
    meter = Meter(Budget(BudgetLimits()), (20, 20))
    settings = ChatSettings("openai:scripted", base_url="http://127.0.0.1:9/v1", timeout=0.5, attempts=2)
    with pytest.raises(GenerationError, match="cannot be reached"):
        LangChainChat(settings, pause=lambda _seconds: None).reply(ASK, meter)
    assert (meter.spent, meter.unsure) == ((0, 0), False)


@pytest.mark.integration
@pytest.mark.parametrize("trouble", ["bad_json", "refuse"])
def test_what_was_unusable_is_asked_again_by_the_next_run(server: ScriptedServer, tmp_path: Path, trouble: str) -> None:
    whole = grown(server, tmp_path / "whole")
    server.requests.clear()
    server.every, server.troubles = 1, {1: trouble}
    bad = grown(server, tmp_path / "j")
    assert bad.groups == ()
    server.every, server.troubles = 0, {}
    good = grown(server, tmp_path / "j")
    assert [group["id"] for group in good.groups] == [group["id"] for group in whole.groups]
    assert sum(good.tokens) > sum(whole.tokens) > 0
    asked = len(server.requests)
    again = grown(server, tmp_path / "j")
    assert again == good
    assert len(server.requests) == asked


@pytest.mark.integration
def test_unusable_replies_here_and_there_double_nothing_when_asked_again(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.every, server.troubles = 3, {1: "refuse"}
    first = grown(server, tmp_path / "j", parallel=3)
    server.troubles = {}
    again = grown(server, tmp_path / "j", count=20, parallel=3)
    ids = [group["id"] for group in again.groups]
    assert {group["id"] for group in first.groups} <= set(ids)
    assert len(set(ids)) == len(ids) == 20
    questions = [group["questions"][0] for group in again.groups]
    assert len(set(questions)) == 20
    topics = {group["provenance"]["topic"] for group in again.groups}
    assert all(group["provenance"]["topic"] in "".join(group["questions"]) for group in again.groups), topics


@pytest.mark.integration
def test_categories_are_those_of_the_base(server: ScriptedServer, tmp_path: Path) -> None:
    base = (
        QAGroup("b1", ("벽지가 왜 들뜨나요?",), ("풀이 덜 말라 들뜹니다.",), "벽지 일"),
        QAGroup("b2", ("장판이 왜 울어요?",), ("더워서 웁니다.",), "바닥 일"),
    )

    for says, kept in (("벽지일", "벽지 일"), ("기타", "")):
        server.script = lambda message, times, says=says: korean_script(message, times).replace("기타", says)
        encoder = HashEncoder()
        with Journal(tmp_path / says, {}) as record:
            outcome = augment(
                base,
                None,
                chat=chat(server),
                filters=Filters(base, (), encoder, Thresholds(0.2, -1.0, 0.97)),
                journal=record,
                budget=Budget(BudgetLimits()),
                settings=AugmentSettings(count=3, parallel=1),
            )
        assert {group["category"] for group in outcome.groups} == {kept}
        assert outcome.uncategorised == (0 if kept else 3)
    asked = [request for request in server.requests if '{"items"' in request]
    assert all("그대로 쓰세요: 벽지 일, 바닥 일." in request for request in asked)


def test_prompts_ask_for_a_category_only_where_there_are_some() -> None:
    for passage in ("", "자료입니다."):
        assert "category" not in question_messages("이음매", 3, passage)[1].content
        content = question_messages("이음매", 3, passage, ("벽지", "</자료>"))[1].content
        assert '"category": "분류"' in content
        assert content.count("</자료>") == bool(passage)
    assert "다섯" not in answer_messages("왜?", 3, 200)[1].content


@pytest.mark.integration
def test_a_model_with_nothing_new_ends_the_run(server: ScriptedServer, tmp_path: Path) -> None:
    outcome = grown(server, tmp_path / "j", count=500, parallel=4)
    assert outcome.stopped is None
    assert 60 < len(outcome.groups) < 121


@pytest.mark.integration
def test_answers_from_a_passage_carry_it_along(server: ScriptedServer, tmp_path: Path) -> None:
    text = "벽지 이음매는 롤러로 눌러 붙입니다. 이음매에 풀이 마르면 물을 적셔 다시 눌러 줍니다. 마르면 그대로 둡니다."

    def script(message: str, _times: int) -> str:
        if '{"keywords"' in message:
            return '{"keywords": ["이음매"]}'
        if '{"items"' in message:
            polite = (
                "벽지 이음매는 무엇으로 눌러 붙이나요?",
                "이음매의 풀이 마르면 어떻게 하나요?",
                "달의 크기는 얼마인가요?",
            )
            return json.dumps({"items": [{"questions": [question]} for question in polite]}, ensure_ascii=False)
        asked = message.rpartition("질문: ")[2].partition("\n")[0]
        if "달의 크기" in asked:
            return '{"answers": []}'
        if "풀이 마르면" in asked:
            return json.dumps({"answers": [f"풀이 마르면 {n}0분 뒤 물을 적셔 눌러 줍니다." for n in range(1, 6)]})
        heads = ("", "벽지 ", "마른 풀은 ", "풀이 마르면 ", "다시 ")
        return json.dumps({"answers": [f"{head}이음매는 롤러로 눌러 붙입니다." for head in heads]})

    server.script = script
    passage = Passage(text, "guide.pdf", "page 3, passage 1", "도배 안내", "CC BY 4.0")
    outcome = grown(server, tmp_path / "j", passages=[passage], count=None)
    assert outcome.rejected == {"grounding": 1, "unanswered": 1}
    assert len(outcome.groups) == 1
    assert outcome.groups[0]["source"] == "guide.pdf"
    assert outcome.groups[0]["provenance"]["passage"] == {
        "text": text,
        "source": "guide.pdf",
        "place": "page 3, passage 1",
        "title": "도배 안내",
        "licence": "CC BY 4.0",
    }
    assert all(text in request for request in server.requests)
