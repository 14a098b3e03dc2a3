"""The pages through Streamlit's own test runner, as visitors use them."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.app.conftest import SECRET, turn_to
from ui.app import passphrase, session

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
    page.radio[0].set_value("bad")
    page.text_input[0].set_value("너무 짧아요. 010-1234-5678로 전화 주세요")
    page.button(key="FormSubmitter:verdict0-동의하고 보내기").click().run()
    assert "의견을 저장했습니다" in page.success[0].value
    (waiting,) = session.feedback().waiting()
    assert waiting.reason == "너무 짧아요. [전화번호]로 전화 주세요"
    page.button(key="clear").click().run()
    page.chat_input[0].set_value("몰딩 틈은 어떻게 메우나요?").run()
    _answered(page)
    assert not page.success
    assert page.radio


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
