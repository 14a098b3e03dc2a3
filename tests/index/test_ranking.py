import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from index.calibration import calibrate
from index.examples import example_answer, medoid
from index.fusion import FusionWeights, LexicalScores, rank_groups
from index.korean import jamo_ngrams, korean_analyzer, spelling_ngrams, word_heads
from index.lexical import LexicalIndex
from index.vectors import VectorIndex


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(
    rows=arrays.arrays(np.float32, (12, 4), elements=st.floats(-1, 1, width=32)),
    morphemes=arrays.arrays(np.float32, 12, elements=st.floats(0, 1, width=32)),
    spellings=arrays.arrays(np.float32, 12, elements=st.floats(0, 1, width=32)),
    fragments=arrays.arrays(np.float32, 4, elements=st.floats(0, 1, width=32)),
    heads=arrays.arrays(np.float32, 4, elements=st.floats(0, 1, width=32)),
    limit=st.integers(1, 6),
)
def test_ranking_is_what_a_full_sort_gives(
    rows: np.ndarray,
    morphemes: np.ndarray,
    spellings: np.ndarray,
    fragments: np.ndarray,
    heads: np.ndarray,
    limit: int,
) -> None:
    vectors = _unit(rows + np.array([1.5, 0, 0, 0], dtype=np.float32))
    group_of_row = np.repeat(np.arange(4), 3)
    query = vectors[0]
    scores = LexicalScores(morphemes, spellings, fragments, heads)
    weights = FusionWeights(morphemes=0.02, spellings=0.05, fragments=0.06, heads=0.03)
    ranked = rank_groups(query, VectorIndex.build(vectors), group_of_row, scores, weights, limit)
    fused = vectors @ query + 0.02 * morphemes + 0.05 * spellings + (0.06 * fragments + 0.03 * heads)[group_of_row]
    best = sorted((fused[group_of_row == group].max() for group in range(4)), reverse=True)
    got = fused[ranked.positions]
    np.testing.assert_allclose(got, best[: min(limit, 4)], atol=1e-5)
    assert len(set(group_of_row[ranked.positions])) == len(ranked.positions) == min(limit, 4)
    np.testing.assert_allclose(ranked.cosines, vectors[ranked.positions] @ query, atol=1e-5)


def test_a_row_far_outside_the_dense_pool_is_found_by_its_words() -> None:
    rng = np.random.default_rng(0)
    vectors = _unit(rng.normal(size=(600, 8)))
    query = vectors[0]
    far = int(np.argmin(vectors @ query))
    fragments = np.zeros(600, dtype=np.float32)
    fragments[far] = 1
    nothing = np.zeros(600, dtype=np.float32)
    scores = LexicalScores(nothing, nothing, fragments, nothing)
    ranked = rank_groups(query, VectorIndex.build(vectors), np.arange(600), scores, FusionWeights(0, 0, 3.0, 0), 1)
    assert ranked.positions[0] == far
    assert ranked.cosines[0] == pytest.approx(float(vectors[far] @ query), abs=1e-6)


def test_without_lexical_scores_the_encoder_ranks_alone() -> None:
    vectors = _unit(np.random.default_rng(1).normal(size=(50, 8)))
    ranked = rank_groups(vectors[7], VectorIndex.build(vectors), np.arange(50), None, FusionWeights(), 5)
    np.testing.assert_array_equal(ranked.positions, np.argsort(-(vectors @ vectors[7]))[:5])


class TestLexicalIndex:
    def test_postings_say_how_often_a_token_stands_where(self) -> None:
        often = ["a"] * 70_000 + ["b"] * 3 + [f"w{number}" for number in range(50)]
        documents = [["a", "b", "b"], ["b", "c"], ["c", *"dddd"], [], often]
        index = LexicalIndex.build(documents, b=0.3)
        assert index.lengths.tolist() == [3, 2, 5, 1, len(often)]
        for token in ("a", "b", "c", "d", "w7", "none"):
            documents_found, counts = index.postings(token)
            expected = {number: words.count(token) for number, words in enumerate(documents) if token in words}
            assert dict(zip(documents_found.tolist(), counts.tolist(), strict=True)) == expected

    def test_the_best_document_scores_one_and_strangers_zero(self) -> None:
        index = LexicalIndex.build([["a", "b"], ["b", "c"], []])
        scores = index.scores(["a", "b", "unknown"])
        assert scores[0] == 1
        assert 0 < scores[1] < 1
        assert scores[2] == 0

    @pytest.mark.parametrize("tokens", [[], ["unknown"], [""]])
    def test_a_query_without_known_tokens_scores_nothing(self, tokens: list[str]) -> None:
        assert not LexicalIndex.build([["a"], ["b"]]).scores(tokens).any()

    def test_documents_without_any_token_can_be_indexed(self) -> None:
        assert not LexicalIndex.build([[], []]).scores(["a"]).any()

    def test_a_repeated_query_token_counts_once(self) -> None:
        index = LexicalIndex.build([["a"], ["b", "b"]])
        np.testing.assert_array_equal(index.scores(["a", "b"]), index.scores(["a", "a", "a", "b"]))

    def test_saving_and_loading_keeps_every_score(self, tmp_path) -> None:
        index = LexicalIndex.build([["가", "나"], ["나", "다"]])
        index.save(tmp_path / "i")
        np.testing.assert_array_equal(
            LexicalIndex.load(tmp_path / "i").scores(["나", "다"]), index.scores(["나", "다"])
        )


class TestKorean:
    def test_trade_terms_stay_whole(self) -> None:
        morphemes = korean_analyzer().morphemes("실크벽지 이음매가 벌어졌어요")
        assert "실크벽지/N" in morphemes
        assert "이음매/N" in morphemes

    def test_a_bare_noun_is_found(self) -> None:
        index = LexicalIndex.build([korean_analyzer().morphemes(q) for q in ("몰딩이 뭐야?", "곰팡이가 왜 생겨요?")])
        assert index.scores(korean_analyzer().morphemes("곰팡이")).tolist() == [0, 1]

    def test_word_heads_leave_particles_and_endings_behind(self) -> None:
        assert word_heads("벽지가, 벽지는 들떠요?") == ["벽지", "벽지", "들떠"]

    def test_spacing_does_not_change_the_ngrams_and_a_typo_spares_most(self) -> None:
        assert jamo_ngrams("벽지 들뜸!") == jamo_ngrams("벽지들뜸")
        shared = set(jamo_ngrams("곰팡이 제거")) & set(jamo_ngrams("곰팽이 제거"))
        assert len(shared) >= len(jamo_ngrams("곰팡이 제거")) // 2

    @pytest.mark.parametrize(
        ("typed", "meant"), [("외캐", "왜케"), ("됬나", "됐나"), ("께끗히", "깨끗히"), ("왜 떠", "왜떠")]
    )
    def test_what_sounds_alike_is_spelt_alike(self, typed: str, meant: str) -> None:
        assert spelling_ngrams(typed) == spelling_ngrams(meant)

    def test_what_sounds_different_stays_apart(self) -> None:
        assert not set(spelling_ngrams("벽지")) & set(spelling_ngrams("몰딩"))
        assert spelling_ngrams("물") != spelling_ngrams("풀")


class TestExamples:
    def test_the_medoid_is_the_answer_the_others_agree_with(self) -> None:
        answers = [
            "전혀 다른 이야기입니다.",
            "풀이 마르면 벽지가 들뜹니다.",
            "풀이 마르면 벽지가 뜹니다.",
            "무엇이든 물어보세요.",
        ]
        assert medoid(answers) in (1, 2)

    def test_of_two_answers_the_first_stays_first(self) -> None:
        assert medoid(["가나다라", "마바사아"]) == 0
        assert medoid(["하나"]) == 0

    def test_each_choice_picks_its_answer(self) -> None:
        answers = ["가장 긴 첫째 답변입니다.", "짧은 답.", "가운데 답변."]
        assert [example_answer(answers, 2, choice) for choice in ("medoid", "shortest", "first")] == [
            "가운데 답변.",
            "짧은 답.",
            "가장 긴 첫째 답변입니다.",
        ]


class TestCalibration:
    def test_thresholds_lie_between_the_fields(self) -> None:
        rng = np.random.default_rng(0)
        topics = rng.normal(size=(40, 16)) + np.eye(16)[0] * 6
        own = _unit(np.repeat(topics, 2, axis=0) + rng.normal(scale=0.1, size=(80, 16)))
        foreign = _unit(rng.normal(size=(20, 16)) - np.eye(16)[0] * 2)
        calibration = calibrate(own, np.repeat(np.arange(40), 2), foreign)
        assert calibration.foreign_max < calibration.refuse_below
        assert calibration.absent_median is not None
        assert calibration.present_median is not None
        assert calibration.refuse_below < calibration.absent_median < calibration.present_median
        assert calibration.unsure_below >= calibration.refuse_below

    def test_one_group_of_one_question_can_be_calibrated(self) -> None:
        vectors = _unit(np.eye(3))
        calibration = calibrate(vectors[:1], np.zeros(1, dtype=np.int64), vectors[1:])
        assert calibration.absent_median is None
        assert -1 <= calibration.refuse_below <= 1
