"""Joined pairs are what they say, and compound results are counted right."""

from pathlib import Path

import abstention

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import HashEncoder
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever


def test_joined_pairs_hold_second_wordings_of_two_groups(starter_groups: tuple[QAGroup, ...]) -> None:
    second = {group.id: group.questions[1] for group in starter_groups}
    pairs = abstention.joined_pairs(starter_groups, 9, seed=5)
    assert pairs == abstention.joined_pairs(starter_groups, 9, seed=5)
    for number, pair in enumerate(pairs):
        first, other = pair.group_ids
        assert first != other
        assert pair.text == second[first] + abstention.JOINTS[number % 3] + second[other]


def test_both_groups_must_be_found(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    encoder = HashEncoder()
    build_knowledge_base(tmp_path / "kb", groups, encoder)
    retriever = Retriever(open_knowledge_base(tmp_path / "kb", encoder))
    text = "벽지가 왜 들뜨나요? 또한, 곰팡이는 무엇으로 닦나요?"
    asked = [abstention.Compound(text, 2, ["g1", "g2"]), abstention.Compound(text, 3, ["g1", "missing"])]
    result = abstention.compounds(retriever, asked)
    assert result["split right"] == 0.5
    assert result["all groups among each part's first two"] == 0.5
