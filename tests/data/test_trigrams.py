from hypothesis import given
from hypothesis import strategies as st

from data.trigrams import NearTexts, jaccard, trigrams

_TEXTS = st.lists(st.text("벽지가우는 이유?", min_size=1, max_size=12), max_size=12)


@given(texts=_TEXTS, threshold=st.sampled_from([0.3, 0.5, 0.7, 0.9]))
def test_near_texts_are_those_that_a_full_comparison_finds(texts: list[str], threshold: float) -> None:
    grams = [trigrams(text) for text in texts]
    known = NearTexts(grams, threshold, lambda one, other: (one + other) % 3 != 0)
    for number, own in enumerate(grams):
        assert known.near(number) == [
            other for other in range(number) if (number + other) % 3 and jaccard(own, grams[other]) >= threshold
        ]
        known.add(number)


def test_case_spaces_and_marks_are_ignored_and_a_short_text_is_a_gram_of_its_own() -> None:
    assert trigrams("SE0 등급?") == trigrams("se0등급") == {"se0", "e0등", "0등급"}
    assert trigrams("값?") == {"값"}
