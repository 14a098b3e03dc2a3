"""A question never finds itself, and near duplicates are never shown as wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError
from data.split import split_groups
from data.training_report import SeenGroups
from data.types import QAGroup
from index.encoders.base import HashEncoder
from training.config import TrainConfig
from training.near_misses import MemoEncoder, ask_all
from training.rows import render, seen_before, split_after

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


def _went_before(adapter: Path, **splits: list[str]) -> str:
    adapter.mkdir()
    (adapter / "training.json").write_text(json.dumps({"splits": splits}), "utf-8")
    return str(adapter)


@pytest.mark.usefixtures("hash_encoder")
@pytest.mark.parametrize("seed", [0, 7])
def test_a_run_that_goes_on_holds_out_what_the_first_held_out(make_config: Any, tmp_path: Path, seed: int) -> None:
    before = render(make_config(mix={"rows": 40})).splits
    folder = _went_before(tmp_path / "first", train=[*before["train"], "gone"], held_out=before["held_out"])
    after = render(make_config(adapter={"start_from": folder}, optimisation={"seed": seed}, mix={"rows": 40}))
    assert after.splits == {"train": [*before["train"], "gone"], "held_out": before["held_out"]}
    assert not set(before["held_out"]) & {name for row in after.train for name in (*row.asked, *row.shown)}


def test_new_groups_are_trained_on_unless_they_repeat_a_held_out_one(many_groups: tuple[QAGroup, ...]) -> None:
    twin = replace(many_groups[1], id="twin")
    groups = [*many_groups[:4], twin]
    earlier = SeenGroups(frozenset({many_groups[0].id}), frozenset({many_groups[1].id}))
    split = split_after(groups, earlier, held_out=0.5, seed=0)
    assert [group.id for group in split.held_out] == [many_groups[1].id, "twin"]
    assert [group.id for group in split.train] == [many_groups[n].id for n in (0, 2, 3)]


def test_a_file_that_no_run_has_seen_is_split_anew(many_groups: tuple[QAGroup, ...]) -> None:
    earlier = SeenGroups(frozenset({"x"}), frozenset({"y"}))
    again = split_after(many_groups, earlier, held_out=0.2, seed=3)
    assert again == split_groups(many_groups, held_out=0.2, seed=3)


@pytest.mark.parametrize(("train", "out", "lacks"), [(0, 4, "train on"), (4, 4, "hold out")])
def test_a_file_that_was_all_seen_on_one_side_is_refused(
    train: int, out: int, lacks: str, many_groups: tuple[QAGroup, ...]
) -> None:
    ids = [group.id for group in many_groups[:4]]
    earlier = SeenGroups(frozenset(ids[:train]), frozenset(ids[train:out]))
    with pytest.raises(InputError, match=f"leaves no group of these files to {lacks}"):
        split_after(many_groups[:4], earlier, held_out=0.5, seed=0)


def test_an_adapter_that_does_not_say_what_it_saw_is_not_gone_on_from(make_config: Any, tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    with pytest.raises(InputError, match="does not say which groups"):
        seen_before(make_config(adapter={"start_from": str(tmp_path / "foreign")}))


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
