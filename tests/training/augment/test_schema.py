"""Replies as models really write them."""

import pytest

from training.augment.schema import (
    AnswerReply,
    ChatReply,
    KeywordReply,
    QuestionReply,
    ReplyError,
    estimated_tokens,
    parse_reply,
    refuses,
)


@pytest.mark.parametrize(
    "text",
    [
        '{"keywords": ["벽지", "타일"]}',
        '물론입니다!\n```json\n{"keywords": ["벽지", "타일"]}\n```\n도움이 되길 바랍니다.',
        '<think>{"keywords": "no"} hmm</think>{"keywords": ["벽지", "타일",],}',
        '["벽지", "타일"]',
        '{"note": "{x}"} {"keywords": [" 벽지 ", "", "타일"], "more": 1}',
    ],
)
def test_json_is_found_in_what_surrounds_it(text: str) -> None:
    assert parse_reply(text, KeywordReply).keywords == ["벽지", "타일"]


def test_line_breaks_inside_strings_are_forgiven() -> None:
    assert parse_reply('{"answers": ["첫 줄\n둘째 줄"]}', AnswerReply).answers == ["첫 줄\n둘째 줄"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON"),
        ("답변드리겠습니다.", "no JSON"),
        ('{"answers": ["끊', "no JSON"),
        ('{"answers": "하나"}', "answers: Input should be a valid list"),
        ('{"answer": ["하나"]}', "answers: Field required"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_a_bad_reply_says_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ReplyError, match=problem):
        parse_reply(text, AnswerReply)


def test_nested_items_are_checked() -> None:
    with pytest.raises(ReplyError, match=r"items\.0\.questions"):
        parse_reply('{"items": [{"questions": []}]}', QuestionReply)


def test_refusals_are_told_from_answers_that_are_sorry() -> None:
    assert refuses(ChatReply("죄송하지만 도와드릴 수 없습니다.", 1, 1))
    assert refuses(ChatReply("", 1, 1, refused=True))
    assert not refuses(ChatReply('{"answers": ["죄송하지만 그 방법은 권하지 않습니다."]}', 1, 1))


def test_korean_costs_more_tokens_than_english() -> None:
    assert estimated_tokens("가" * 30) > 30 > estimated_tokens("a" * 30)
