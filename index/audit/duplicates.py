"""Texts that stand twice, exactly or nearly, inside a group and across groups.

Candidates across groups come from shared trigrams (`data.split.near_duplicates`), from equal content morphemes and from
the vector index, one search a question: nothing here grows with the square of the file.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from data.split import near_duplicates
from data.text import comparable
from data.trigrams import NearTexts, jaccard, trigrams
from data.types import QAGroup
from index.audit.embedding import AuditVectors
from index.audit.evidence import Evidence
from index.audit.findings import Finding, shortened
from index.audit.raw import Cell, RawFile
from index.audit.similarity import asked_about, cosine, grams_of, trigram_jaccard
from index.encoders.base import Progress
from index.korean import KoreanAnalyzer

NEAR_INSIDE = 0.9
"""Jaccard similarity of trigrams from which two texts of one group teach nothing that one of them does not."""

NEIGHBOURS = 6
"""Vector neighbours looked at for each question."""

FALLBACK_COSINE = 0.95
"""Cosine of near questions where no group has two wordings to learn it from."""


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two questions of different groups that nearly agree.

    Attributes:
        first: Number of the earlier group.
        second: Number of the later group.
        questions: The question of each.
        jaccard: Trigram similarity in [0, 1].
        cosine: Encoder similarity in [-1, 1].
        same: Whether both ask about the same things, their register aside.
    """

    first: int
    second: int
    questions: tuple[str, str]
    jaccard: float
    cosine: float
    same: bool


def find_inside(file: RawFile) -> Iterator[Finding]:
    """Reports a question or answer that repeats an earlier one of its group, by the raw cells."""
    for group_id, cells in file.by_group.items():
        distinct: dict[str, Cell] = {}
        for cell in cells:
            distinct.setdefault(cell.label, cell)
        repeats = [
            repeat
            for kind in ("question", "answer")
            for repeat in _repeats([cell for cell in distinct.values() if cell.kind == kind], exact=kind == "question")
        ]
        order = {label: number for number, label in enumerate(distinct)}
        for first, second, near in sorted(repeats, key=lambda each: (order[each[0].label], order[each[1].label])):
            text = shortened(second.raw)
            if near is None:
                evidence = Evidence.of("repeats", text, field=first.label)
            else:
                evidence = Evidence.of("nearly_repeats", text, field=first.label, share=near)
            yield Finding(group_id, "duplicate_inside", second.field, evidence, "delete")


def _repeats(cells: Sequence[Cell], *, exact: bool) -> Iterator[tuple[Cell, Cell, float | None]]:
    """Pairs each repeating text with the first that it repeats and that repeats none itself.

    Args:
        cells: Of one kind.
        exact: Leave alone what only nearly repeats.

    Yields:
        The first text, the later one, and their similarity where they are not the same.
    """
    grams = [trigrams(cell.text) for cell in cells]
    kept = NearTexts(grams, NEAR_INSIDE, lambda one, other: _as_long(cells[one], cells[other]))
    equals: dict[str, int] = {}
    for number, cell in enumerate(cells):
        same = equals.get(comparable(cell.text))
        met = [] if exact else kept.near(number)
        first = min((*met, *([] if same is None else [same])), default=None)
        if first is None:
            equals[comparable(cell.text)] = number
            kept.add(number)
        else:
            yield cells[first], cell, None if first == same else jaccard(grams[first], grams[number])


def _as_long(first: Cell, second: Cell) -> bool:
    """Long texts of very different length do not repeat one another, though one be the other over and over."""
    lengths = len(first.text), len(second.text)
    return min(lengths) >= 0.8 * max(lengths)


def twin_cosine(groups: Sequence[QAGroup], vectors: AuditVectors) -> float:
    """Returns the median cosine of two wordings of one question: from there up, questions count as neighbours."""
    twins = []
    row = 0
    for group in groups:
        if len(group.questions) > 1:
            twins.append(float(vectors.questions[row] @ vectors.questions[row + 1]))
        row += len(group.questions)
    return float(np.median(twins)) if twins else FALLBACK_COSINE


def near_pairs(
    groups: Sequence[QAGroup],
    vectors: AuditVectors,
    analyzer: KoreanAnalyzer,
    progress: Progress | None = None,
) -> list[NearPair]:
    """Finds groups whose questions nearly agree, each pair of groups once, the nearest questions of the two shown."""
    number_of = {group.id: number for number, group in enumerate(groups)}
    candidates: dict[tuple[int, int], None] = {}
    for first_id, second_id in near_duplicates(groups):
        pair = sorted((number_of[first_id], number_of[second_id]))
        candidates[pair[0], pair[1]] = None
    asked = [asked_about(analyzer, question) for question in vectors.texts]
    first_to_ask: dict[frozenset[str], int] = {}
    threshold = twin_cosine(groups, vectors)
    for row, owner in enumerate(vectors.owners):
        earlier = vectors.owners[first_to_ask.setdefault(asked[row], row)]
        if asked[row] and earlier != owner:
            candidates[earlier, owner] = None
        found = vectors.index.search(vectors.questions[row], NEIGHBOURS)
        for position, similarity in zip(found.positions.tolist(), found.cosines.tolist(), strict=True):
            other = vectors.owners[position]
            if other != owner and similarity >= threshold:
                key = (min(owner, other), max(owner, other))
                candidates[key] = None
        if progress and row % 64 == 0:
            progress(row, len(vectors.owners))
    pairs = []
    for first, second in candidates:
        crossed = list(product(vectors.rows_of(first), vectors.rows_of(second)))
        same = [
            (row, other)
            for row, other in crossed
            if comparable(vectors.texts[row]) == comparable(vectors.texts[other])
            or (asked[row] and asked[row] == asked[other])
        ]
        texts = [(vectors.texts[row], vectors.texts[other]) for row, other in same or crossed]
        shown = max(texts, key=lambda pair: trigram_jaccard(*pair))
        pairs.append(NearPair(first, second, shown, trigram_jaccard(*shown), vectors.cosine(*shown), bool(same)))
    pairs.sort(key=lambda pair: (not pair.same, -pair.jaccard, pair.first, pair.second))
    return pairs


def find_across(
    file: RawFile, pairs: Sequence[NearPair], doubted: Collection[tuple[str, str]] = ()
) -> Iterator[Finding]:
    """Reports the later of two groups that ask the same.

    Args:
        file: The audited file.
        pairs: From `near_pairs`.
        doubted: Group ids and fields of questions that another analyser wants changed: a swapped question repeats
            one of its opposite's group, and mending it ends that too.
    """
    groups = file.result.groups
    reported: set[str] = set()
    for pair in pairs:
        first, second = groups[pair.first], groups[pair.second]
        fields = {
            (group.id, file.field_of(group.id, "question", text))
            for group, text in zip((first, second), pair.questions, strict=True)
        }
        if not pair.same or second.id in reported or not fields.isdisjoint(doubted):
            continue
        reported.add(second.id)
        exact = comparable(pair.questions[0]) == comparable(pair.questions[1])
        identical = {comparable(a) for a in first.answers} == {comparable(a) for a in second.answers}
        yield Finding(
            second.id,
            "duplicate_across",
            file.field_of(second.id, "question", pair.questions[1]),
            Evidence.of(
                "same_words" if exact else "same",
                shortened(pair.questions[1], 80),
                f"{first.id}: {shortened(pair.questions[0], 80)}",
                group=first.id,
                score=_agreement(first, second),
            ),
            "delete group" if identical else "",
        )


def exact_across(groups: Sequence[QAGroup]) -> list[tuple[str, list[str]]]:
    """Returns each question that stands in several groups, with their ids."""
    places: dict[str, dict[str, str]] = defaultdict(dict)
    for group in groups:
        for question in group.questions:
            places[comparable(question)].setdefault(group.id, question)
    return [(next(iter(ids.values())), list(ids)) for ids in places.values() if len(ids) > 1]


def _agreement(first: QAGroup, second: QAGroup) -> float:
    ours, theirs = ([grams_of(answer) for answer in group.answers] for group in (first, second))
    return max(cosine(a, b) for a in ours for b in theirs)
