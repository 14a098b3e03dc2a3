import random
from itertools import combinations

from data.ties import ties


def test_what_is_linked_through_others_is_tied_and_the_order_is_kept() -> None:
    assert ties("abcdef", [("f", "b"), ("d", "f"), ("a", "a")]) == [["a"], ["b", "d", "f"], ["c"], ["e"]]
    assert ties([], []) == []


def test_ties_are_what_walking_the_links_reaches() -> None:
    for seed in range(50):
        drawn = random.Random(seed)
        names = list(range(12))
        links = drawn.sample(list(combinations(names, 2)), drawn.randrange(14))
        found = ties(names, links)
        assert sorted(name for tie in found for name in tie) == names
        for tie in found:
            reached, left = {tie[0]}, True
            while left:
                left = {end for pair in links for end in pair if reached & set(pair)} - reached
                reached |= left
            assert reached == set(tie)
