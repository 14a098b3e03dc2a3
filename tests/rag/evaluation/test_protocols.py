"""Protocols: seeded, by group, and nothing is asked that stands in its base."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError
from data.text import comparable
from data.types import QAGroup
from data.writers import write_groups_jsonl
from rag.evaluation.config import EvaluationConfig, parse_config
from rag.evaluation.protocols import FULL, REMOVED, UNANSWERABLE, draw_questions

from .conftest import make_groups


def test_the_same_seed_draws_the_same_and_another_does_not(
    config: EvaluationConfig, change: Callable[..., EvaluationConfig]
) -> None:
    assert draw_questions(config) == draw_questions(config)
    other = draw_questions(change("protocols", seed=1))
    assert [item.id for item in other.questions] != [item.id for item in draw_questions(config).questions]


def test_a_larger_limit_keeps_what_a_smaller_one_asked(
    config: EvaluationConfig, change: Callable[..., EvaluationConfig]
) -> None:
    few = {item.id for item in draw_questions(config).questions}
    many = {item.id for item in draw_questions(change("protocols", paraphrase=12, unseen=4, noisy=8)).questions}
    assert few < many


def test_no_asked_wording_stands_in_its_base(config: EvaluationConfig) -> None:
    drawn = draw_questions(config)
    for item in drawn.questions:
        stored = {comparable(text) for group in drawn.bases[item.base] for text in group.questions}
        assert comparable(item.question) not in stored


def test_unseen_groups_are_out_of_the_base_and_paraphrased_ones_in_it(config: EvaluationConfig) -> None:
    drawn = draw_questions(config)
    ids = {name: {group.id for group in groups} for name, groups in drawn.bases.items()}
    for item in drawn.questions:
        if item.protocol == "unseen":
            assert item.base == REMOVED
            assert not set(item.targets) & ids[REMOVED]
        if item.protocol in ("paraphrase", "compound", "noisy"):
            assert set(item.targets) <= ids[FULL]


def test_leaving_one_out_removes_the_group_and_what_nearly_repeats_it(
    world: dict[str, Any], change: Callable[..., EvaluationConfig]
) -> None:
    groups = make_groups()
    twin = groups[0].questions[1].replace("까닭은?", "까닭이?")
    doubled = [*groups, groups[1].__class__("twin", (groups[0].questions[0] + "요", twin), ("다른 답입니다.",))]
    write_groups_jsonl(Path(world["source"]["file"]), doubled)
    world["protocols"]["unseen"] = 20
    drawn = draw_questions(change("source", unseen="leave_one_out"))
    removed = {item.targets[0]: item.removed for item in drawn.questions if item.protocol == "unseen"}
    assert all(group in gone for group, gone in removed.items())
    assert removed["g00"] == ("g00", "twin")
    assert removed["g01"] == ("g01",)


def test_groups_that_were_trained_on_are_never_asked_as_unseen(config: EvaluationConfig) -> None:
    first = draw_questions(config)
    trained = next(item.targets[0] for item in first.questions if item.protocol == "unseen")
    again = draw_questions(config, {trained})
    assert trained not in {item.targets[0] for item in again.questions if item.protocol == "unseen"}
    assert any(leak.reason == "is of a group that was trained on" for leak in again.leaks)


def test_noisy_questions_pair_with_the_paraphrases(config: EvaluationConfig) -> None:
    drawn = draw_questions(config).questions
    plain = {item.targets: item for item in drawn if item.protocol == "paraphrase"}
    noisy = [item for item in drawn if item.protocol == "noisy"]
    assert noisy
    assert all(item.targets in plain and item.question != plain[item.targets].question for item in noisy)


def test_a_noisy_question_that_leaks_leaves_the_others_paired(world: dict[str, Any], config: EvaluationConfig) -> None:
    before = draw_questions(config).questions
    asked = {comparable(item.question) for item in before if item.protocol == "paraphrase"}
    leaking = next(item for item in before if item.protocol == "noisy" and comparable(item.question) not in asked)
    # Its misspelling is a stored question; with one wording its group is asked by no protocol.
    stored = QAGroup("stored", (leaking.question,), ("다른 답입니다.",))
    write_groups_jsonl(Path(world["source"]["file"]), [*make_groups(), stored])
    after = draw_questions(config)
    assert [leak.question for leak in after.leaks if leak.protocol == "noisy"] == [leaking.question]
    plain = {item.targets for item in after.questions if item.protocol == "paraphrase"}
    noisy = {item.targets for item in after.questions if item.protocol == "noisy"}
    kept = {item.targets for item in before if item.protocol == "noisy" and item != leaking}
    assert len(noisy) == len(kept) + 1
    assert kept < noisy <= plain


def test_an_answer_that_stands_in_another_group_is_a_leak(world: dict[str, Any], config: EvaluationConfig) -> None:
    unseen = next(item for item in draw_questions(config).questions if item.protocol == "unseen")
    groups = list(make_groups())
    donor = next(group for group in groups if group.id == unseen.targets[0])
    lines = [
        {
            "id": group.id,
            "questions": group.questions,
            "answers": [*group.answers, *(donor.answers[:1] if group.id != donor.id else ())],
            "category": group.category,
        }
        for group in groups
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    Path(world["source"]["file"]).write_text(text, "utf-8")
    with pytest.raises(InputError, match="protocol unseen has no question"):
        draw_questions(config)
    world["protocols"]["unseen"] = 0
    with pytest.raises(InputError, match="protocol unanswerable has no question"):
        draw_questions(parse_config(world, "test"))


def test_what_should_be_refused_has_no_reference(config: EvaluationConfig) -> None:
    drawn = [item for item in draw_questions(config).questions if item.protocol in UNANSWERABLE]
    assert drawn
    assert all(item.references == item.targets == () for item in drawn)


def test_a_protocol_without_questions_is_an_error(
    world: dict[str, Any], change: Callable[..., EvaluationConfig]
) -> None:
    write_groups_jsonl(
        Path(world["source"]["file"]),
        [group.__class__(group.id, group.questions[:1], group.answers) for group in make_groups()],
    )
    with pytest.raises(InputError, match="protocol paraphrase has no question"):
        draw_questions(change("protocols", seed=0))


def test_a_protocol_without_a_question_says_why(change: Callable[..., EvaluationConfig]) -> None:
    told = r"protocol paraphrase has no question: .*groups\.jsonl have a wording 9 .*; set protocols\.paraphrase to 0"
    with pytest.raises(InputError, match=told):
        draw_questions(change("source", ask_wording=9))


def test_a_protocol_whose_questions_all_leak_says_so(config: EvaluationConfig) -> None:
    trained = {group.id for group in make_groups()}
    with pytest.raises(InputError, match="protocol unseen has no question left: 4 were left out, the first because it"):
        draw_questions(config, trained)
