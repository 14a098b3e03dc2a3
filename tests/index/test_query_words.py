"""What everyday speech stands for is added to what was typed, and nothing else is lost."""

import pytest

from index.korean import korean_analyzer
from index.query_words import as_written, query_words, written_words


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("장판 깔면 조은 점이 머임", ["장점"]),
        ("롱브릭타일 안좋은점 알랴줘", ["단점"]),
        ("합지 쓰면 머가 안 좋아요", ["단점"]),
        ("데코타일 뭐가조음", ["장점"]),
        ("벽지가 우는데 왜 이럼ㅠ", ["이유", "원인"]),
        ("강마루는 몇 년 가나여", ["수명", "기간"]),
        ("뺑끼칠 하기 전에 빠데 해야됨?", ["페인트", "퍼티"]),
        ("실크벽지의 장점은 무엇인가요?", []),
        ("", []),
    ],
)
def test_everyday_spellings_are_read_as_the_written_word(typed: str, written: list[str]) -> None:
    assert written_words(typed) == written


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("장판 깔면 조은 점이 머임", "장판 깔면 장점 머임"),
        ("세라믹타일 별로인점은요?", "세라믹타일 단점?"),
        ("합지쓰면 머가 안조아", "합지쓰면 단점"),
        ("롱브릭타일안좋은점 알랴줘", "롱브릭타일 단점 알랴줘"),
        ("합지랑 실크랑 뭐가 좋아요?", "합지랑 실크랑 뭐가 좋아요? 장점"),
        ("천장에서 물 새요", "천장에서 물 새요 누수"),
        ("벽찌에 기스났는데 우째요", "벽찌에 기스났는데 우째요 흠집"),
        ("가벽에 실금이 갔어요", "가벽에 실금이 갔어요 석고보드 균열"),
        ("옷장 뒤가 시커멓게 변함", "옷장 뒤가 시커멓게 변함 곰팡이"),
        ("바깥벽 쪽 도색이 벗겨져요", "바깥벽 쪽 도색이 벗겨져요 외벽 페인트"),
        ("좋은 점착제 추천", "좋은 점착제 추천"),
        ("벽지가 왜 이럼? 원인이 머임", "벽지가 왜 이럼? 원인이 머임 이유"),
        ("실크벽지의 장점은 무엇인가요?", "실크벽지의 장점은 무엇인가요?"),
        ("", ""),
    ],
)
def test_the_encoder_reads_the_written_word_instead_only_where_nothing_else_can_be_meant(
    typed: str, written: str
) -> None:
    assert as_written(typed) == written


@pytest.mark.parametrize(
    "typed",
    [
        "바닥재의 종류",
        "전기 스위치",
        "타일 다루기 쉬운 방법",
        "벽지가 왜 조금씩 떠요",
        "마루가 왜 좋지 않나요",
        "건물 새로 지은 집",
        "물 생겼는데",
        "왜 케이블이 보여요",
        "후회하지 않는 벽지 고르는 법",
        "뭐가 안 조여져요",
        "습하자 처리",
        "샤워 칸막이 실리콘",
        "새까만 벽지 어때요",
        "뽁뽁이 떼는 법",
        "덧붙여 여쭤볼게요",
        "방문이 뒤틀려요",
        "지금 가도 되나요",
        "금가루 뿌린 벽지",
        "세제 물 떨어뜨려도 되나요",
    ],
)
def test_what_only_sounds_like_an_everyday_spelling_is_left_alone(typed: str) -> None:
    assert as_written(typed) == typed


def test_the_written_word_is_added_to_what_was_typed() -> None:
    analyzer = korean_analyzer()
    plain, slang = query_words("장판의 장점은?", analyzer), query_words("장판 조은점", analyzer)
    assert set(analyzer.morphemes("장판 조은점")) < set(slang.morphemes)
    assert {"장판/N", "장점/N"} <= set(plain.morphemes) & set(slang.morphemes)
    assert set(plain.heads) <= set(slang.heads)
    assert slang.fragments == query_words("장판조은점", analyzer).fragments
