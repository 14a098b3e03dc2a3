"""The pages through Streamlit's own test runner, as visitors use them."""

import re
import threading
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from rag.generators import spec
from rag.generators.base import GenerationRequest
from tests.ui.app.conftest import SECRET, turn_to
from ui.app import compare_page, passphrase, session

ATTACK = "<img src=x onerror=alert(1)> ![x](http://evil.example/x)"


def _answered(page: AppTest) -> AppTest:
    for turn in page.session_state["turns"]:
        assert turn.job.wait(30)
    page.run()
    assert not page.exception
    return page


def test_a_newcomer_sees_questions_to_ask(page: AppTest) -> None:
    page.run()
    assert not page.exception
    page.button(key="example1").click().run()
    assert page.session_state["turns"][0].job.question == "도배한 벽지가 우는데 그냥 두면 펴지나요?"


def test_a_question_is_answered_from_its_group(page: AppTest) -> None:
    page.run()
    page.chat_input[0].set_value("곰팡이는 무엇으로 닦나요?").run()
    _answered(page)
    answer = page.session_state["turns"][0].job.answer
    assert [citation.group_id for part in answer.parts for citation in part.citations] == ["g2"]


def test_found_examples_are_named_with_their_nearness_and_open_uncited_too(page: AppTest) -> None:
    page.run()
    assert any("전문가에게 맡기세요" in caption.value for caption in page.main.caption)
    page.chat_input[0].set_value("곰팡이는 무엇으로 닦나요?").run()
    _answered(page)
    (part,) = page.session_state["turns"][0].job.answer.parts
    cited, other = part.hits[:2]
    named = page.button(key="found0-0-1").label.replace("\\", "")
    assert cited.question in named
    assert f"({cited.score:.2f})" in named
    page.button(key="found0-0-2").click().run()
    assert not page.exception
    assert page.session_state["opened"] == (0, 0, 2)
    shown = " ".join(html.proto.body for html in page.get("html"))
    assert other.group.id in shown
    # Who brought it into the base, and when, until somebody changes it.
    assert re.search(r"처음 만듦: \w+, \d{4}-\d\d-\d\d", shown)


def test_the_side_panel_is_carried_over_to_other_pages_and_the_other_language(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (compare_page, session):
        monkeypatch.setattr(module, "models", lambda: ["smollm2"])
    page.run()
    page.pills(key="generator").set_value("smollm2").run()
    page.selectbox(key="adapter").set_value("none").run()
    page.toggle(key="retrieval").set_value(False).run()
    page.slider(key="top_k").set_value(7).run()
    for name in ("compare", "knowledge", "ask"):
        turn_to(page, name)
    page.button(key="language").click().run()
    assert not page.exception
    assert (page.pills(key="generator").value, page.selectbox(key="adapter").value) == ("smollm2", "none")
    assert (page.toggle(key="retrieval").value, page.slider(key="top_k").value) == (False, 7)


def test_an_adapter_that_is_offered_no_longer_is_left(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "models", lambda: ["smollm2"])
    page.session_state["chosen"] = {
        "generator": "smollm2",
        "adapter": "/runs/old",
        "retrieval": True,
        "top_k": 3,
    }
    page.run()
    assert not page.exception
    assert page.selectbox(key="adapter").value == "shipped"


class _Slow:
    """Says nothing before it is told to."""

    name = "smollm2"

    def __init__(self) -> None:
        self.begin = threading.Event()

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        assert self.begin.wait(60)
        yield "곰팡이 제거제로 닦습니다. [1]"


def test_who_waits_reads_what_for(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = _Slow()
    monkeypatch.setattr(spec, "make_generator", lambda name, *, adapter=None: slow)
    monkeypatch.setattr(session, "models", lambda: ["smollm2"])
    page.run()
    page.pills(key="generator").set_value("smollm2").run()
    for _ in range(4):  # Two at work, one that comes next, one behind it.
        page.chat_input[0].set_value("곰팡이는 무엇으로 닦나요?").run()
    said = [caption.value for caption in page.main.caption]
    slow.begin.set()
    assert sum("준비하고 있습니다" in text for text in said) == 2
    assert sum("다음 차례입니다" in text for text in said) == 1
    assert sum("앞에 1건이 있습니다" in text for text in said) == 1
    _answered(page)


def test_a_linked_question_is_asked_once(page: AppTest) -> None:
    page.query_params["q"] = "곰팡이는 무엇으로 닦나요?"
    page.run()
    _answered(page)
    assert len(page.session_state["turns"]) == 1


@pytest.mark.parametrize("question", ["😀😀", "가" * 100_000, ATTACK])
def test_bad_input_leaves_the_page_alive(page: AppTest, question: str) -> None:
    page.run()
    page.chat_input[0].set_value(question).run()
    _answered(page)
    assert all(ATTACK not in element.value for element in (*page.markdown, *page.info, *page.warning))


def test_english_is_a_switch(page: AppTest) -> None:
    page.run()
    page.button(key="language").click().run()
    assert not page.exception
    assert page.title[0].value == "Dobae answers"


def test_english_stays_on_the_next_page(page: AppTest) -> None:
    page.run()
    turn_to(page, "knowledge")
    page.button(key="language").click().run()
    page.query_params.clear()  # As a click in the menu leaves the address.
    turn_to(page, "data")
    assert page.title[0].value == "Keeper's entrance"
    page.button(key="language").click().run()
    assert page.title[0].value == "관리자 확인"


def test_a_verdict_belongs_to_its_answer(page: AppTest) -> None:
    page.run()
    page.chat_input[0].set_value("곰팡이는 무엇으로 닦나요?").run()
    _answered(page)
    page.button_group(key="judged0").set_value("bad").run()
    page.text_area[0].set_value("너무 짧아요. 010-1234-5678로 전화 주세요")
    page.button(key="FormSubmitter:verdict0-동의하고 보내기").click().run()
    assert "의견을 저장했습니다" in page.success[0].value
    (waiting,) = session.feedback().waiting()
    assert waiting.reasons == ("너무 짧아요. [전화번호]로 전화 주세요",)
    page.button(key="clear").click().run()
    page.chat_input[0].set_value("몰딩 틈은 어떻게 메우나요?").run()
    _answered(page)
    assert not page.success
    assert page.button_group(key="judged0").value is None


def test_a_question_that_was_offered_leans_on_nothing(page: AppTest) -> None:
    page.run()
    page.chat_input[0].set_value("몰딩 틈은 어떻게 메우나요?").run()
    _answered(page)
    page.session_state["next_question"] = "그걸 안 하면 어떻게 되나요?"
    page.run()
    _answered(page)
    assert page.session_state["turns"][1].job.question == "그걸 안 하면 어떻게 되나요?"


@pytest.mark.parametrize("name", ["ask", "compare"])
def test_asking_is_closed_by_configuration(page: AppTest, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOBAE_ASKING", "keepers")
    passphrase.set_passphrase(passphrase.passphrase_file(), SECRET)
    page.run()
    turn_to(page, name)
    assert not page.chat_input
    page.text_input[1].set_value(SECRET)
    page.button(key="FormSubmitter:login-들어가기").click().run()
    assert not page.exception
    assert page.chat_input or page.button(key="FormSubmitter:compare-비교하기")


def test_a_wrong_number_of_days_is_said_and_the_page_lives(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOBAE_FEEDBACK_DAYS", "짧게")
    page.run()
    page.chat_input[0].set_value("곰팡이는 무엇으로 닦나요?").run()
    _answered(page)
    page.button_group(key="judged0").set_value("good").run()
    assert "의견을 저장하지 못했습니다" in page.error[0].value
    monkeypatch.delenv("DOBAE_FEEDBACK_DAYS")


def test_a_question_that_leans_on_the_one_before_is_asked_with_it(page: AppTest) -> None:
    page.run()
    page.chat_input[0].set_value("몰딩 틈은 어떻게 메우나요?").run()
    _answered(page)
    page.chat_input[0].set_value("그걸 안 하면 어떻게 되나요?").run()
    _answered(page)
    page.chat_input[0].set_value("곰팡이는 무엇으로 닦나요?").run()
    _answered(page)
    first, leaning, other = page.session_state["turns"]
    assert "몰딩" in leaning.job.question
    assert leaning.asked == "그걸 안 하면 어떻게 되나요?"
    assert other.job.question == other.asked
    assert first.job.question == first.asked
