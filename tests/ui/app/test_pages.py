"""The pages through Streamlit's own test runner, as visitors use them."""

import pytest
from streamlit.testing.v1 import AppTest

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
