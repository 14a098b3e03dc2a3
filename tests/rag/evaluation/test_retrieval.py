"""How an arm searches: a group left out leaves nothing behind, each setting ranks and orders as it says."""

from dataclasses import replace
from pathlib import Path

import pytest

from data.types import Hit, QAGroup
from index.building import build_knowledge_base
from index.encoders.base import HashEncoder
from index.knowledge_base import KnowledgeBase, open_knowledge_base
from index.retriever import Retriever, RetrieverSettings
from rag.evaluation.config import ArmSettings
from rag.evaluation.retrieval import DEPTH, ArmRetriever, Ranking

ARM = ArmSettings("arm", "extractive")


def open_base(folder: Path, groups: tuple[QAGroup, ...]) -> KnowledgeBase:
    encoder = HashEncoder()
    build_knowledge_base(folder, groups, encoder)
    return open_knowledge_base(folder, encoder)


@pytest.fixture
def some(starter_groups: tuple[QAGroup, ...]) -> tuple[QAGroup, ...]:
    """Sixty groups with their first wordings."""
    return tuple(replace(group, questions=group.questions[:1]) for group in starter_groups[:60])


@pytest.fixture
def base(tmp_path: Path, some: tuple[QAGroup, ...]) -> KnowledgeBase:
    return open_base(tmp_path / "whole", some)


def search(
    base: KnowledgeBase,
    groups: tuple[QAGroup, ...],
    question: str,
    arm: ArmSettings = ARM,
    removed: tuple[str, ...] = (),
    seed: str = "",
) -> tuple[list[Hit], Ranking]:
    retriever = ArmRetriever(base, arm, {group.id: number for number, group in enumerate(groups)})
    retriever.begin((), removed, seed)
    return retriever.search_many([question])[0], retriever.rankings[0]


@pytest.mark.parametrize("retrieval", ["hybrid", "dense", "lexical"])
def test_a_group_left_out_ranks_the_others_as_a_base_built_without_it(
    base: KnowledgeBase,
    some: tuple[QAGroup, ...],
    starter_groups: tuple[QAGroup, ...],
    tmp_path: Path,
    retrieval: str,
) -> None:
    arm = replace(ARM, retrieval=retrieval)
    for number in range(0, 60, 6):
        gone = (some[number].id, some[(number + 1) % 60].id)
        rest = tuple(group for group in some if group.id not in gone)
        question = starter_groups[number].questions[-1]
        hidden = search(base, some, question, arm, gone)
        built = search(open_base(tmp_path / f"{number}", rest), rest, question, arm)
        assert hidden == built


def test_what_is_left_out_for_one_question_is_back_for_the_next(base: KnowledgeBase, some: tuple[QAGroup, ...]) -> None:
    retriever = ArmRetriever(base, ARM, {group.id: number for number, group in enumerate(some)})
    retriever.begin((), [some[3].id], "")
    assert retriever.search_many(some[3].questions)[0][0].group != some[3]
    retriever.begin((), [], "")
    assert retriever.search_many(some[3].questions)[0][0].group == some[3]


def test_dense_and_lexical_arms_rank_by_one_signal_alone(base: KnowledgeBase, some: tuple[QAGroup, ...]) -> None:
    found = {"dense": 0, "hybrid": 0, "lexical": 0}
    for group in some[:20]:
        question = group.answers[-1][:60]
        hits = {name: search(base, some, question, replace(ARM, retrieval=name))[0] for name in found}
        assert hits["dense"] == Retriever(base, RetrieverSettings(lexical=False, space=False)).search(question)
        for name in found:
            found[name] += hits[name][0].group == group
    # BM25 reads the answers, of which the encoder knows nothing.
    assert found["dense"] < found["hybrid"] < found["lexical"]


def test_rankings_are_ten_deep_however_many_examples_are_shown(base: KnowledgeBase, some: tuple[QAGroup, ...]) -> None:
    for count in (1, 12):
        hits, ranking = search(base, some, "벽지가 왜 들뜨나요?", replace(ARM, k=count))
        assert len(hits) <= count
        assert len(ranking.group_ids) == len(ranking.scores) == DEPTH


def test_an_oracle_shows_each_part_its_own_group_and_a_question_asked_whole_all(
    base: KnowledgeBase, some: tuple[QAGroup, ...]
) -> None:
    retriever = ArmRetriever(
        base, replace(ARM, retrieval="oracle"), {group.id: number for number, group in enumerate(some)}
    )
    targets = [some[5].id, some[9].id]
    # By similarity each part would find the other's group first.
    parts = [some[9].questions[0], some[5].questions[0]]
    retriever.begin(targets, (), "")
    assert [hits[0].group.id for hits in retriever.search_many(parts)] == targets
    retriever.begin(targets, (), "")
    (whole,) = retriever.search_many(parts[:1])
    assert [hit.group.id for hit in whole[:2]] == targets[::-1]
    assert retriever.rankings[0].group_ids[:2] == tuple(targets[::-1])


def test_reversed_and_shuffled_examples_are_those_found_in_another_order(
    base: KnowledgeBase, some: tuple[QAGroup, ...]
) -> None:
    question = "벽지가 왜 들뜨나요?"
    five = replace(ARM, k=5)
    plain, ranking = search(base, some, question, five)
    names = [hit.group.id for hit in plain]
    assert len(names) > 3
    turned, same = search(base, some, question, replace(five, order="reversed"))
    assert ([hit.group.id for hit in turned], same) == (names[::-1], ranking)
    assert [hit.rank for hit in turned] == list(range(1, len(names) + 1))
    orders = set()
    for seed in range(5):
        mixed, same = search(base, some, question, replace(five, order="shuffled"), seed=str(seed))
        again, _ = search(base, some, question, replace(five, order="shuffled"), seed=str(seed))
        assert (mixed, same) == (again, ranking)
        assert sorted(hit.group.id for hit in mixed) == sorted(names)
        orders.add(tuple(hit.group.id for hit in mixed))
    assert len(orders) > 1
