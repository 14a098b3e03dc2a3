import pytest

from ui.app.follow_up import continued

MOULD = "벽지에 곰팡이가 왜 생기나요?"


@pytest.mark.parametrize("asked", ["그럼 어떻게 없애나요?", "이를 막으려면?"])
def test_what_leans_on_the_question_before_is_asked_with_it(asked: str) -> None:
    assert continued(asked, MOULD) == f"{MOULD}\n{asked}"


def test_only_the_last_of_two_questions_before_is_leant_on() -> None:
    assert continued("그럼 어떻게 없애나요?", f"실크벽지 이음매는 왜 벌어지나요? 그리고 {MOULD}") == (
        f"{MOULD}\n그럼 어떻게 없애나요?"
    )


@pytest.mark.parametrize("before", [None, MOULD, "벽지가 들떠요", "도배한 벽지가 우는데 그냥 두면 펴지나요?"])
def test_a_question_of_its_own_is_asked_alone(before: str | None) -> None:
    assert continued("결로랑 누수는 어떻게 구분하나요?", before) == "결로랑 누수는 어떻게 구분하나요?"


@pytest.mark.parametrize("asked", ["도배 후 누런 반점이 올라와", "벽지에 곰팡이 폈어요 ㅠㅠ", "몰딩이 벌어졌어요."])
@pytest.mark.parametrize("before", [MOULD, "새로 도배했는데 벌써 곰팡이야", "벽지가 들떠요"])
def test_a_statement_of_its_own_is_asked_alone(asked: str, before: str) -> None:
    assert continued(asked, before) == asked


@pytest.mark.parametrize("asked", ["", "😀", "가" * 100_000, "그럼?\ud800"])
def test_what_cannot_be_asked_is_left_to_be_refused(asked: str) -> None:
    assert continued(asked, MOULD) == asked
