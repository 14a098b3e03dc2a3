"""Sentences are what citations are checked on: a wrong cut gives a wrong verdict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("  \n ", []),
        ("마침표 없는 답", ["마침표 없는 답"]),
        (
            "벽지가 웁니다. 습기 때문입니다! 왜 그럴까요? 말리세요",
            ["벽지가 웁니다.", "습기 때문입니다!", "왜 그럴까요?", "말리세요"],
        ),
        ("두께는 0.3mm, 높이는 1.5m입니다. 끝.", ["두께는 0.3mm, 높이는 1.5m입니다.", "끝."]),
        ("붙습니다.다음은 No. 3 초배지입니다.", ["붙습니다.", "다음은 No. 3 초배지입니다."]),
        ("가능합니까?또한 싼가요?", ["가능합니까?", "또한 싼가요?"]),
        ("방법입니다. 1. 말립니다. 2. 초배합니다.", ["방법입니다.", "1. 말립니다.", "2. 초배합니다."]),
        ("1. 첫째\n2. 둘째입니다.", ["1. 첫째", "2. 둘째입니다."]),
        ("맞습니다. [1] 틀립니다. [1][2] 끝입니다[3].", ["맞습니다. [1]", "틀립니다. [1][2]", "끝입니다[3]."]),
        ('"벽이 울어요. 어쩌죠?"라고 물었습니다. 답했다.', ['"벽이 울어요. 어쩌죠?"라고 물었습니다.', "답했다."]),
        ("“왜 울까요?” 라고 했습니다. 네.", ["“왜 울까요?” 라고 했습니다.", "네."]),
        ("재료(예: 실크. 합지)를 봅니다. 끝.", ["재료(예: 실크. 합지)를 봅니다.", "끝."]),
        ("열린 ( 괄호입니다. 다음입니다.", ["열린 ( 괄호입니다.", "다음입니다."]),
        ("음... 그렇습니다… 네", ["음... 그렇습니다…", "네"]),
        ("2024. 7. 1. 시행합니다. 끝.", ["2024. 7. 1. 시행합니다.", "끝."]),
        ("가. 벽지를 봅니다. 나. 바닥을 봅니다.", ["가. 벽지를 봅니다.", "나. 바닥을 봅니다."]),
        ("e.g. 실크 vs. 합지. 끝.", ["e.g. 실크 vs. 합지.", "끝."]),
    ],
)
def test_splits_where_a_reader_would(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(st.text(alphabet="벽지다요까 .!?…\"'“”()[]123\n가no", max_size=80))
def test_loses_nothing_but_whitespace(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


@given(st.text(alphabet="벽지다요까 .!?[]12\n", max_size=60))
def test_yields_no_empty_or_padded_sentence(text: str) -> None:
    assert all(sentence and sentence == sentence.strip() for sentence in split_sentences(text))
