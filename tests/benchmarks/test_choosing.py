"""The right group is put where it is said to be, and only its own support counts."""

from collections.abc import Iterator

import choosing
import pytest

from data.prompts import REFUSAL
from data.types import Hit, QAGroup, nearest_cosine
from index.encoders.base import HashEncoder
from rag.answer import Sentence
from rag.generators.base import GenerationRequest
from rag.generators.extractive import ExtractiveGenerator
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


def _descending() -> Asked:
    """The right group first, at a cosine of 0.9, the others each 0.1 further off."""
    hits = tuple(
        Hit(group, "물음?", "답.", 1.0 - rank / 10, rank, behind=2.0 * rank, nearest=0.9)
        for rank, group in enumerate(GROUPS, 1)
    )
    return Asked(GROUPS[0], "물음?", hits)


def test_without_the_right_group_the_best_near_miss_is_the_best() -> None:
    shown = choosing.arranged(_descending(), "none")
    assert [hit.behind for hit in shown] == [0.0, 2.0, 4.0]
    assert nearest_cosine(shown) == 0.8


def test_the_model_may_refuse_only_where_nothing_stored_is_near() -> None:
    class Refuser:
        name = "refuser"

        def stream(self, request: GenerationRequest) -> Iterator[str]:
            yield REFUSAL if request.refusable else f"{request.examples[0].answer} [1]"

    refused = {
        limit: [choosing.answer(Refuser(), _descending(), kind, limit).refused for kind in ("first", "none")]
        for limit in (0.75, 0.85, 0.95)
    }
    assert refused == {0.75: [False, False], 0.85: [False, True], 0.95: [True, True]}


def test_the_limit_is_that_of_a_base_of_the_groups(starter_groups: tuple[QAGroup, ...]) -> None:
    limit = choosing.unsure_cosine(starter_groups[:40], HashEncoder())
    with choosing.base_over(starter_groups[:40], HashEncoder()) as base:
        assert limit == base.manifest.calibration.unsure_below >= base.manifest.calibration.refuse_below


def test_one_sentence_from_elsewhere_makes_an_answer_wrong() -> None:
    right = Sentence("답. [2]", (2,), 1.0, supported=True)
    assert choosing.answers_from([right, right], 2)
    assert not choosing.answers_from([right, Sentence("답. [1]", (1,), 1.0, supported=True)], 2)
    assert not choosing.answers_from([right, Sentence("답. [2]", (2,), 0.1, supported=False)], 2)
    assert not choosing.answers_from([], 2)


def test_the_pipeline_is_asked_of_bases_without_the_wording_and_without_the_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults = ("벽지가 들뜨면", "타일이 깨지면", "몰딩이 벌어지면", "장판이 울면", "곰팡이가 피면", "문틀이 썩으면")
    groups = [
        QAGroup(fault, (f"{fault} 어떻게 하나요?", f"{fault} 어케 해"), (f"{fault} 먼저 사진을 찍습니다.",))
        for fault in faults
    ]
    built: list[list[QAGroup]] = []
    build = choosing.build_knowledge_base
    monkeypatch.setattr(
        choosing, "build_knowledge_base", lambda path, searched, encoder: build(path, built_of(searched), encoder)
    )

    def built_of(searched: list[QAGroup]) -> list[QAGroup]:
        built.append(searched)
        return searched

    given = ExtractiveGenerator(), groups, groups[:4], HashEncoder()
    answered = list(choosing.alone_and_joined(*given))
    unanswered = list(choosing.unanswered(*given))
    assert [outcome.kind for outcome in answered] == ["alone"] * 4 + ["joined"] * 2
    assert [outcome.kind for outcome in unanswered] == ["unanswered"] * 4
    assert [len(group.questions) for group in built[0]] == [1] * 4 + [2] * 2
    assert built[1] == groups[4:]
    assert any(outcome.right for outcome in answered[:4])
    assert all(outcome.right == outcome.text.startswith(outcome.group) for outcome in answered[:4])
    assert not any(outcome.text.startswith(outcome.group) for outcome in unanswered)
    assert list(choosing.unanswered(ExtractiveGenerator(), groups, groups, HashEncoder())) == []


def test_what_the_retriever_ranks_first_is_told_apart() -> None:
    of = [choosing.Outcome(f"g{n}", kind, True, False, "", n) for kind in ("as ranked", "first") for n in (1, 2, 0)]
    rows = {row["examples"]: row["questions"] for row in choosing.summary(of)}
    assert rows == {"as ranked": 3, "as ranked, ranked first": 1, "as ranked, ranked later": 2, "first": 3}
