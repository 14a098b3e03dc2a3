import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from data.split import near_duplicates, split_groups
from data.trigrams import jaccard, trigrams
from data.types import QAGroup


def _groups(count: int) -> list[QAGroup]:
    return [QAGroup(f"g{n}", (f"{chr(0xAC00 + 29 * n) * 8} 질문",), ("답.",)) for n in range(count)]


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    groups = _groups(40)
    first = split_groups(groups, held_out=0.25, seed=1)
    assert first == split_groups(groups, held_out=0.25, seed=1)
    assert first != split_groups(groups, held_out=0.25, seed=2)
    assert len(first.held_out) == 10
    assert {*first.train, *first.held_out} == set(groups)


@given(seed=st.integers(0, 200), held_out=st.floats(0.1, 0.9))
def test_near_duplicates_never_straddle(seed: int, held_out: float) -> None:
    groups = _groups(20)
    groups += [QAGroup(f"twin{n}", (groups[n].questions[0] + "요",), ("답.",)) for n in range(8)]
    split = split_groups(groups, held_out=held_out, seed=seed)
    train = {group.id for group in split.train}
    assert all((f"g{n}" in train) == (f"twin{n}" in train) for n in range(8))


def test_links_keep_groups_together() -> None:
    groups = _groups(10)
    for seed in range(10):
        train = {group.id for group in split_groups(groups, held_out=0.5, seed=seed, links=[("g0", "g9")]).train}
        assert ("g0" in train) == ("g9" in train)


def test_near_duplicates_are_those_that_a_full_comparison_finds(starter_groups: tuple[QAGroup, ...]) -> None:
    sample = starter_groups[::4]
    expected = {
        (first.id, second.id)
        for number, first in enumerate(sample)
        for second in sample[number + 1 :]
        if any(jaccard(trigrams(a), trigrams(b)) >= 0.3 for a in first.questions for b in second.questions)
    }
    assert set(near_duplicates(sample, 0.3)) == expected
    assert expected


@pytest.mark.parametrize("held_out", [0, 1, -0.1, 1.5])
def test_a_share_out_of_range_is_refused(held_out: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        split_groups(_groups(3), held_out=held_out, seed=0)


def test_groups_that_are_all_tied_cannot_be_split() -> None:
    with pytest.raises(InputError, match="cannot be split"):
        split_groups(_groups(2), held_out=0.5, seed=0, links=[("g0", "g1")])
