"""Splits groups into a training and a held-out part that share no question, not even nearly.

Groups whose questions nearly repeat one another are tied together first; whole ties are then dealt out by a seeded
shuffle. A question in the held-out part therefore has no near-duplicate in the training part.
"""

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from data.errors import InputError
from data.ties import ties
from data.trigrams import NearTexts, trigrams
from data.types import QAGroup

NEAR_DUPLICATE = 0.7
"""Jaccard similarity of character trigrams from which two questions count as near-duplicates."""


class Split(NamedTuple):
    """Training and held-out groups, each in their original order."""

    train: tuple[QAGroup, ...]
    held_out: tuple[QAGroup, ...]


def split_groups(
    groups: Sequence[QAGroup],
    *,
    held_out: float,
    seed: int,
    links: Iterable[tuple[str, str]] = (),
) -> Split:
    """Splits by group, never letting near-duplicate questions straddle the border.

    Args:
        groups: Groups with distinct ids.
        held_out: Share of the groups to hold out, in (0, 1). Ties are kept whole, so the share is met to within the
            size of one tie.
        seed: Seed of the shuffle; the same groups and seed give the same split on every machine.
        links: Further pairs of ids to keep together, for example encoder neighbours.

    Returns:
        The two parts; neither is empty.

    Raises:
        InputError: `held_out` is out of range, or everything is tied together.
    """
    if not 0 < held_out < 1:
        raise InputError(f"held_out is {held_out}; it must lie between 0 and 1, for example 0.15")
    tied = ties([group.id for group in groups], [*near_duplicates(groups), *links])
    random.Random(seed).shuffle(tied)  # noqa: S311 - a reproducible shuffle, not a secret
    wanted = max(1, round(held_out * len(groups)))
    chosen: set[str] = set()
    for tie in tied:
        if len(chosen) + len(tie) <= wanted:
            chosen.update(tie)
    train = tuple(group for group in groups if group.id not in chosen)
    rest = tuple(group for group in groups if group.id in chosen)
    if not train or not rest:
        raise InputError(f"{len(groups)} groups in {len(tied)} ties cannot be split at {held_out}; add groups")
    return Split(train, rest)


def near_duplicates(groups: Sequence[QAGroup], threshold: float = NEAR_DUPLICATE) -> list[tuple[str, str]]:
    """Finds pairs of groups of which some question nearly repeats a question of the other.

    Args:
        groups: Groups with distinct ids.
        threshold: Least Jaccard similarity of the two questions' character trigrams (spaces and marks ignored).

    Returns:
        Pairs of ids, each pair once, in order of appearance.
    """
    texts = [(group.id, trigrams(question)) for group in groups for question in group.questions]
    known = NearTexts([grams for _, grams in texts], threshold, lambda one, other: texts[one][0] != texts[other][0])
    pairs: dict[tuple[str, str], None] = {}
    for number, (owner, _) in enumerate(texts):
        for other in known.near(number):
            pairs[texts[other][0], owner] = None
        known.add(number)
    return list(pairs)
