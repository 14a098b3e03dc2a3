"""Confidence: what makes an answer likely to be good, each of the four by itself."""

import pytest

from data.types import Hit, QAGroup
from rag.confidence import confidence, signs

QUESTION = "베란다 벽에 곰팡이가 생겨요"
MOULD = "곰팡이는 락스를 희석해 닦고 말린 뒤 방습 도료를 바릅니다."
SAME = "곰팡이는 희석한 락스로 닦고 잘 말린 다음 방습 도료를 바르세요."
OTHER = "이음매에는 조인트 테이프를 붙이고 퍼티로 평평하게 만듭니다."


def hits(*answers: str, scores: tuple[float, ...] = (0.9, 0.9, 0.9), step: float = 0.0) -> list[Hit]:
    return [
        Hit(QAGroup(f"g{rank}", ("질문",), (answer,)), "질문", answer, score, rank, behind=(rank - 1) * step)
        for rank, (answer, score) in enumerate(zip(answers, scores, strict=False), 1)
    ]


def sure(*answers: str, question: str = QUESTION, scores: tuple[float, ...] = (0.9, 0.9, 0.9)) -> float:
    found = confidence(question, hits(*answers, scores=scores))
    assert found is not None
    return found


def test_examples_that_agree_make_surer_than_examples_that_differ() -> None:
    assert sure(MOULD, SAME, SAME) > sure(MOULD, SAME, OTHER) > sure(MOULD, OTHER, OTHER)


def test_the_first_example_is_the_one_that_the_others_must_agree_with() -> None:
    assert sure(SAME, MOULD, OTHER, question="?") > sure(OTHER, MOULD, SAME, question="?")


def test_an_answer_with_the_questions_words_makes_surer() -> None:
    assert sure(MOULD) > sure(MOULD, question="마루가 삐걱거려요") > sure(MOULD, question="마루", scores=(0.8,))


def test_the_cosine_is_that_of_the_first_hit() -> None:
    lower = sure(MOULD, OTHER, scores=(0.8, 0.95))
    assert sure(MOULD, OTHER, scores=(0.9, 0.95)) - lower == pytest.approx(0.1)


def test_equal_answers_in_the_questions_own_letters_reach_the_most() -> None:
    assert sure(QUESTION, QUESTION, QUESTION, scores=(1.0, 1.0, 1.0)) == pytest.approx(2.4)


def test_a_first_example_far_before_the_second_makes_surer() -> None:
    near, far = (confidence(QUESTION, hits(MOULD, OTHER, step=step)) for step in (0.5, 2.5))
    assert far == pytest.approx(near + 0.1)


def test_a_first_example_that_was_left_out_gives_the_second_no_lead() -> None:
    left = hits(OTHER, MOULD, SAME, step=2.0)[1:]
    assert signs(QUESTION, left).lead == pytest.approx(2.0)
    assert signs(QUESTION, left[:1]).lead == 0.0


def test_letters_may_be_missing_and_hits_too() -> None:
    assert sure("...", "!!!", scores=(0.5, 0.5)) == 0.5
    assert confidence(QUESTION, []) is None
