"""The right group is put where it is said to be, and only its own support counts."""

import choosing
import pytest

from data.types import Hit, QAGroup
from rag.answer import Sentence
from training.near_misses import Asked

GROUPS = tuple(QAGroup(f"g{number}", (f"질문 {number}?",), (f"답 {number}.",)) for number in range(5))


def _asked() -> Asked:
    hits = tuple(Hit(group, group.questions[0], group.answers[0], 0.9, rank) for rank, group in enumerate(GROUPS, 1))
    return Asked(GROUPS[2], "물음?", hits)


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("first", ["g2", "g0", "g1"]),
        ("second", ["g0", "g2", "g1"]),
        ("third", ["g0", "g1", "g2"]),
        ("as ranked", ["g0", "g1", "g2"]),
        ("none", ["g0", "g1", "g3"]),
    ],
)
def test_examples_are_the_nearest_misses_with_the_right_group_in_its_place(kind: str, shown: list[str]) -> None:
    assert [hit.group.id for hit in choosing.arranged(_asked(), kind)] == shown


def test_one_sentence_from_elsewhere_makes_an_answer_wrong() -> None:
    right = Sentence("답. [2]", (2,), 1.0, supported=True)
    assert choosing.answers_from([right, right], 2)
    assert not choosing.answers_from([right, Sentence("답. [1]", (1,), 1.0, supported=True)], 2)
    assert not choosing.answers_from([right, Sentence("답. [2]", (2,), 0.1, supported=False)], 2)
    assert not choosing.answers_from([], 2)
