"""A question never finds itself, and near duplicates are never shown as wrong."""

import pytest

from data.split import split_groups
from data.types import QAGroup
from index.encoders.base import HashEncoder
from training.config import TrainConfig
from training.near_misses import MemoEncoder, ask_all
from training.rows import render

pytestmark = pytest.mark.integration


def test_every_wording_is_asked_of_a_base_without_it(many_groups: tuple[QAGroup, ...]) -> None:
    asked = ask_all(many_groups[:12], HashEncoder(), depth=5, near_duplicate=0.999)
    assert len(asked) == 24
    for item in asked:
        assert item.question in item.group.questions
        assert item.own.question != item.question
        assert item.own.group.answers == item.group.answers


def test_group_with_one_wording_is_asked_with_it() -> None:
    groups = [QAGroup("a", ("벽지가 뜨나요?",), ("네.",)), QAGroup("b", ("타일이 깨졌나요?",), ("아니요.",))]
    asked = ask_all(groups, HashEncoder(), depth=2, near_duplicate=0.999)
    assert [(item.group.id, item.own.question) for item in asked] == [
        ("a", "벽지가 뜨나요?"),
        ("b", "타일이 깨졌나요?"),
    ]


def test_near_duplicates_are_not_shown_as_wrong(many_groups: tuple[QAGroup, ...]) -> None:
    twin = QAGroup("twin", (many_groups[0].questions[0] + "?",), ("다른 답입니다.",))
    groups = [*many_groups[:6], twin]
    shown = ask_all(groups, HashEncoder(), depth=7, near_duplicate=1.1, only={"g00"})
    hidden = ask_all(groups, HashEncoder(), depth=7, near_duplicate=0.9, only={"g00"})
    assert all(any(hit.group.id == "twin" for hit in item.hits) for item in shown)
    assert all(hit.group.id != "twin" for item in hidden for hit in item.hits)


def test_question_is_encoded_once_over_all_rounds(many_groups: tuple[QAGroup, ...]) -> None:
    inner = HashEncoder()
    ask_all(many_groups[:6], MemoEncoder(inner), depth=3, near_duplicate=0.999)
    assert len(inner.texts_encoded) == len(set(inner.texts_encoded))


@pytest.mark.usefixtures("hash_encoder")
def test_no_held_out_word_is_trained_on(make_config: object, many_groups: tuple[QAGroup, ...]) -> None:
    config = make_config(mix={"rows": 200})  # type: ignore[operator]
    assert isinstance(config, TrainConfig)
    rendered = render(config)
    held = set(rendered.splits["held_out"])
    assert held == {group.id for group in split_groups(many_groups, held_out=0.2, seed=0).held_out}
    trained = "\n".join(message.content for row in rendered.train for message in row.prompt)
    trained += "\n".join(row.completion for row in rendered.train)
    assert not held & {name for row in rendered.train for name in (*row.asked, *row.shown)}
    for group in many_groups:
        if group.id in held:
            assert not any(text in trained for text in group.questions)
    assert {name for row in rendered.held_out for name in row.asked} <= held
    assert {name for row in rendered.held_out for name in row.shown} - held, "held-out questions see the whole base"
    assert render(config) == rendered
