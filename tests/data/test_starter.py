"""The starter knowledge base keeps the promises of its datasheet."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data.split import near_duplicates
from data.types import QAGroup

STARTER = Path(__file__).parents[2] / "data" / "starter"


def held_out(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (STARTER / name).read_text("utf-8").splitlines()]


def test_it_is_large_and_every_group_is_complete(starter_groups: tuple[QAGroup, ...]) -> None:
    assert len(starter_groups) >= 300
    assert all(2 <= len(group.questions) <= 4 for group in starter_groups)
    assert all(len(group.answers) == 5 for group in starter_groups)
    assert all(40 <= len(answer) <= 350 for group in starter_groups for answer in group.answers)
    assert min(Counter(group.category for group in starter_groups).values()) >= 10


def test_no_question_or_answer_stands_twice(starter_groups: tuple[QAGroup, ...]) -> None:
    questions = Counter(question for group in starter_groups for question in group.questions)
    answers = Counter(answer for group in starter_groups for answer in group.answers)
    assert max(questions.values()) == max(answers.values()) == 1
    assert near_duplicates(starter_groups) == []


def test_answers_are_polite_whole_sentences(starter_groups: tuple[QAGroup, ...]) -> None:
    assert [a for group in starter_groups for a in group.answers if not a.endswith(("다.", "요."))] == []


@pytest.mark.parametrize("name", ["heldout.jsonl", "heldout_second.jsonl"])
def test_held_out_questions_are_far_from_every_stored_one(name: str, starter_groups: tuple[QAGroup, ...]) -> None:
    asked = [QAGroup(f"held-out {number}", (line["question"],), ("답",)) for number, line in enumerate(held_out(name))]
    pairs = near_duplicates((*starter_groups, *asked), 0.27)
    assert [pair for pair in pairs if pair[1].startswith("held-out") and pair[0].startswith("dobae-")] == []


def test_the_two_held_out_sets_paraphrase_different_groups(starter_groups: tuple[QAGroup, ...]) -> None:
    first = {line["group_id"] for line in held_out("heldout.jsonl") if line["kind"] == "paraphrase"}
    records = held_out("heldout_second.jsonl")
    second = {line["group_id"] for line in records}
    assert len(second) == len(records) == 120
    assert not first & second
    assert first | second <= {group.id for group in starter_groups}
    registers = ("banmal", "polite", "slang", "callcentre")
    assert Counter(line["register"] for line in records) == dict.fromkeys(registers, 30)
