"""Metrics count what they say they count."""

import pytest

from rag.evaluation.citation_metrics import count_citations
from rag.evaluation.text_metrics import chrf, distinct, longest_repeat, rouge_l

WET = "바탕이 젖어 있으면 벽지가 들뜹니다. 먼저 벽을 충분히 말리세요."
MOULD = "곰팡이는 젖은 천과 제거제로 닦습니다."


def test_the_same_text_scores_one_and_an_unrelated_one_little() -> None:
    assert rouge_l(WET, (WET,)) == pytest.approx(1.0)
    assert chrf(WET, (WET,)) == pytest.approx(1.0)
    assert rouge_l("오늘 점심은 김치찌개", (WET,)) < 0.2
    assert chrf("오늘 점심은 김치찌개", (WET,)) < 0.1


def test_of_several_references_the_best_counts() -> None:
    assert rouge_l(WET, (MOULD, WET)) == pytest.approx(1.0)
    assert chrf(WET, (MOULD, WET)) == pytest.approx(1.0)


def test_nothing_scores_nothing() -> None:
    assert chrf("", (WET,)) == 0.0


def test_particles_count_as_morphemes_of_their_own() -> None:
    # Whole words would share nothing here.
    assert rouge_l("벽지를", ("벽지는",)) == pytest.approx(0.5)


def test_repetition_lowers_distinct_and_lengthens_the_repeat() -> None:
    loop = "벽을 말리세요. 벽을 말리세요. 벽을 말리세요."
    assert (distinct(loop, 1) or 0) < (distinct(WET, 1) or 0)
    assert longest_repeat("가나다라마") == 0
    assert longest_repeat("가나다가나다") == 3
    assert longest_repeat("가가가가") == 2
    assert longest_repeat(loop) >= 8
    assert distinct("", 1) is None


def test_a_cited_copy_is_recalled_and_precise() -> None:
    counts = count_citations(f"{MOULD} [2]", f"{MOULD} [2]", [WET, MOULD])
    assert (counts.sentences, counts.recalled, counts.markers, counts.precise) == (1, 1, 1, 1)


def test_a_marker_at_the_wrong_example_is_neither() -> None:
    counts = count_citations(f"{MOULD} [1]", f"{MOULD} [1]", [WET, MOULD])
    assert (counts.recalled, counts.precise, counts.supported) == (0, 0, 1)


def test_a_marker_beside_the_right_one_that_adds_nothing_is_not_precise() -> None:
    counts = count_citations(f"{MOULD} [1][2]", f"{MOULD} [1][2]", [WET, MOULD])
    assert (counts.recalled, counts.markers, counts.precise) == (1, 2, 1)


def test_a_sentence_without_a_marker_is_not_recalled() -> None:
    counts = count_citations(f"{MOULD} {MOULD} [2]", f"{MOULD} {MOULD} [2]", [WET, MOULD])
    assert (counts.sentences, counts.recalled, counts.supported) == (2, 1, 2)


def test_markers_that_never_reached_the_reader_are_counted() -> None:
    counts = count_citations(f"{MOULD} [2]", f"{MOULD} [2, 7] [9]", [WET, MOULD])
    assert (counts.written, counts.invalid) == (3, 2)
