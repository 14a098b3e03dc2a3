import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import QuestionError
from data.text import MAX_QUESTION_CHARS, check_question, clean_text, comparable


@pytest.mark.parametrize(
    ("raw", "clean", "repairs"),
    [
        ("벽지가 들떠요", "벽지가 들떠요", ()),
        ("  벽지가\t 들떠요 \n", "벽지가 들떠요", ()),
        (unicodedata.normalize("NFD", "곰팡이"), "곰팡이", ("nfc",)),
        ('몰딩이 무엇인가요?"', "몰딩이 무엇인가요?", ("quote",)),
        ('"몰딩이 무엇인가요?"', "몰딩이 무엇인가요?", ("quote",)),
        ("'A'와 'B'", "'A'와 'B'", ()),
        ('그는 "들뜸"이라고 했다', '그는 "들뜸"이라고 했다', ()),
        ("`답변`입니다.```", "답변입니다.", ("backtick",)),
        ("벽\u200b지\u0000", "벽지", ("invisible",)),
        ("벽\x9b2J지\u2066", "벽2J지", ("invisible",)),
        ('폭 53"', '폭 53"', ()),
        ("“들뜸", "들뜸", ("quote",)),
        ('"', "", ("quote",)),
    ],
)
def test_stray_marks_go_and_meant_ones_stay(raw: str, clean: str, repairs: tuple[str, ...]) -> None:
    assert clean_text(raw) == (clean, repairs)


def test_answers_keep_their_line_breaks() -> None:
    assert clean_text("첫째 \r\n\r\n 둘째", keep_lines=True).text == "첫째\n둘째"


@given(st.text())
def test_cleaning_twice_changes_nothing_more(raw: str) -> None:
    once = clean_text(raw, keep_lines=True).text
    assert clean_text(once, keep_lines=True).text == once


@pytest.mark.parametrize("raw", ["", "   ", "\n", "?!~", "ㅤ", '""', "🙂🙂", "x" * (MAX_QUESTION_CHARS + 1)])
def test_what_cannot_be_asked_is_refused(raw: str) -> None:
    with pytest.raises(QuestionError):
        check_question(raw)


def test_a_question_keeps_the_line_breaks_that_part_it() -> None:
    assert check_question("장판 들뜸 원인\n몰딩 보수 방법") == "장판 들뜸 원인\n몰딩 보수 방법"


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(QuestionError, match="UTF-8"):
        check_question("\udcff벽지")


def test_a_question_of_the_greatest_length_passes() -> None:
    assert len(check_question("벽" * MAX_QUESTION_CHARS)) == MAX_QUESTION_CHARS


def test_spacing_and_marks_do_not_make_questions_differ() -> None:
    assert comparable("벽지, 들뜸?") == comparable("벽지들뜸")
