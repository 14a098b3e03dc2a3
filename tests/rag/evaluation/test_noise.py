"""Misspelling is seeded, and leaves a question recognisable."""

from data.types import QAGroup
from index.korean import jamo_ngrams
from rag.evaluation.noise import misspelt_all


def test_copies_depend_on_question_and_seed_alone(starter_groups: tuple[QAGroup, ...]) -> None:
    questions = [group.questions[0] for group in starter_groups]
    assert misspelt_all(questions, 1) == misspelt_all(questions[::-1], 1)[::-1]
    assert misspelt_all(questions, 1) != misspelt_all(questions, 2)


def test_most_questions_change_and_keep_about_half_their_jamo_n_grams(starter_groups: tuple[QAGroup, ...]) -> None:
    questions = [group.questions[1] for group in starter_groups]
    copies = misspelt_all(questions, 0)
    changed = sum(copy != question for copy, question in zip(copies, questions, strict=True))
    kept = [
        len(set(jamo_ngrams(copy)) & set(jamo_ngrams(question))) / len(set(jamo_ngrams(question)))
        for copy, question in zip(copies, questions, strict=True)
    ]
    assert changed >= 0.95 * len(questions)
    assert 0.4 <= sum(kept) / len(kept) <= 0.85
    assert all(copy.strip() == copy and copy for copy in copies)


def test_short_and_foreign_text_survives() -> None:
    assert all(misspelt_all(["풀", "PVC?", "1", "몰딩 AS"], 0))
