"""Scores of one answer have the values their definitions give."""

from collections.abc import Sequence
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.encoders.base import Vectors
from index.encoders.cache import EmbeddingCache
from rag.evaluation.metric_encoders import MetricEncoder
from rag.evaluation.protocols import AskedQuestion
from rag.evaluation.scoring import Scorer

WET = "바탕이 젖어 있으면 벽지가 들뜹니다."
MOULD = "곰팡이는 젖은 천과 제거제로 닦습니다."
OTHERS = tuple(f"x{number}" for number in range(12))
ANGLES = {"right": 0, "near": 60, "opposite": 180, "beyond": 120}


class _Plane:
    """Encodes by the angles above, so that cosines are known."""

    spec = fingerprint = "plane"
    dim = 2

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        turned = np.radians([ANGLES.get(text, 90) for text in texts])
        return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)

    encode_passages = encode_queries


@pytest.fixture
def scorer(tmp_path: Path) -> Scorer:
    return Scorer(MetricEncoder(_Plane(), "plane", proxy=True), EmbeddingCache(tmp_path / "cache.sqlite"))


def asked(*targets: str) -> AskedQuestion:
    return AskedQuestion("id", "compound" if len(targets) > 1 else "paraphrase", "질문", targets, ("right",))


def record(*rankings: Sequence[str] | None, answers: Sequence[str] = (), raw: Sequence[str] = ()) -> dict[str, Any]:
    said = [*answers, *[""] * (len(rankings) - len(answers))]
    raw = list(raw or said)
    return {
        "text": " ".join(said).strip(),
        "abstained": not any(said),
        "tokens": None,
        "parts": [
            {"answer": answer, "examples": [WET, MOULD], "ranking": ranking and list(ranking), "raw": text}
            for answer, text, ranking in zip(said, raw, rankings, strict=True)
        ],
        "raw": raw,
    }


def test_a_cosine_below_zero_counts_as_zero_before_the_mean_is_taken(scorer: Scorer) -> None:
    assert scorer.cosine("right", ("near", "opposite")) == pytest.approx((0.5 + 0.0) / 2)
    assert scorer.cosine("right", ("near", "beyond", "right")) == pytest.approx((0.5 + 0.0 + 1.0) / 3)
    assert scorer.cosine("", ("right",)) == 0.0


def test_one_right_group_is_scored_by_its_rank(scorer: Scorer) -> None:
    found = scorer.score(asked("a"), record([*OTHERS[:3], "a", *OTHERS[3:9]]))
    assert [found[f"recall_{depth}"] for depth in (1, 3, 5)] == [0, 0, 1]
    assert found["mrr"] == pytest.approx(1 / 4)
    assert found["ndcg_10"] == pytest.approx(1 / log2(5), abs=1e-6)
    missed = scorer.score(asked("a"), record(OTHERS[:10]))
    assert (missed["recall_5"], missed["mrr"], missed["ndcg_10"]) == (0, 0, 0)


def test_a_perfect_ranking_of_two_groups_scores_one(scorer: Scorer) -> None:
    found = scorer.score(asked("a", "b"), record(["b", "a", *OTHERS[:8]]))
    assert (found["mrr"], found["ndcg_10"]) == (1.0, 1.0)
    # One place cannot hold two groups.
    assert [found[f"recall_{depth}"] for depth in (1, 3, 5)] == [0.5, 1, 1]


def test_two_groups_in_one_ranking_share_its_ideal_gain(scorer: Scorer) -> None:
    found = scorer.score(asked("a", "b"), record(["x", "a", "y", "b"]))
    ideal = 1 + 1 / log2(3)
    assert found["mrr"] == 0.5
    assert found["ndcg_10"] == pytest.approx((1 / log2(3) + 1 / log2(5)) / ideal, abs=1e-6)
    assert [found[f"recall_{depth}"] for depth in (1, 3, 5)] == [0, 0.5, 1]
    half = scorer.score(asked("a", "b"), record(["a", *OTHERS[:9]]))
    assert (half["mrr"], half["recall_5"]) == (1.0, 0.5)
    assert half["ndcg_10"] == pytest.approx(1 / ideal, abs=1e-6)


def test_gain_ends_at_the_tenth_place(scorer: Scorer) -> None:
    found = scorer.score(asked("a", "b"), record([*OTHERS[:9], "a", "b"]))
    assert found["ndcg_10"] == pytest.approx(1 / log2(11) / (1 + 1 / log2(3)), abs=1e-6)


def test_parts_of_a_split_question_are_scored_each_by_its_own_ranking(scorer: Scorer) -> None:
    found = scorer.score(asked("a", "b"), record(["a", "x"], ["y", "b"]))
    assert (found["recall_1"], found["recall_3"]) == (0.5, 1.0)
    assert found["mrr"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["ndcg_10"] == pytest.approx((1 + 1 / log2(3)) / 2, abs=1e-6)


def test_an_arm_that_searches_nothing_has_no_retrieval_scores(scorer: Scorer) -> None:
    assert "mrr" not in scorer.score(asked("a"), record(None))


def test_an_answer_without_markers_has_precision_zero_and_a_refusal_none(scorer: Scorer) -> None:
    bare = scorer.score(asked("a"), record(["a"], answers=[MOULD]))
    assert (bare["citation_precision"], bare["citation_recall"], bare["support"]) == (0.0, 0.0, 1.0)
    refused = scorer.score(asked("a"), record(["a"]))
    assert not {"citation_precision", "citation_recall", "support"} & set(refused)


def test_citations_of_the_parts_are_added_up_before_they_are_divided(scorer: Scorer) -> None:
    answers = [f"{MOULD} [2] {WET}", f"{WET} [1]"]
    found = scorer.score(asked("a", "b"), record(["a"], ["b"], answers=answers, raw=[answers[0] + " [7]", answers[1]]))
    assert found["citation_recall"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["citation_precision"] == 1.0
    assert found["support"] == 1.0
    assert found["invalid_markers"] == pytest.approx(1 / 3, abs=1e-6)


def test_without_examples_there_is_nothing_to_cite(scorer: Scorer) -> None:
    alone = record(None, answers=[MOULD])
    alone["parts"][0]["examples"] = []
    assert "citation_precision" not in scorer.score(asked("a"), alone)
