"""The starter knowledge base keeps the promises of its datasheet."""

from collections import Counter

from data.split import near_duplicates
from data.types import QAGroup


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
