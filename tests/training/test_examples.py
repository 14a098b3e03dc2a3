"""Rows say what inference says, and never teach that a right answer is wrong."""

from dataclasses import replace

import pytest

from data.errors import InputError
from data.prompts import REFUSAL, closed_book_messages, examples_of, grounded_messages
from data.types import Hit, QAGroup
from rag.generators.base import GenerationRequest
from rag.generators.extractive import ExtractiveGenerator
from training.config import MixSettings
from training.examples import Row, cited, draw_rows, held_out_rows
from training.near_misses import Asked

PLAIN = MixSettings(
    rows=60,
    closed_book=0.1,
    grounded=0.5,
    compound=0.1,
    unanswerable=0.3,
    examples=3,
    order="retriever",
    answers="medoid",
)


def _asked(groups: tuple[QAGroup, ...]) -> list[Asked]:
    """Each group first, then the next ones in a ring, as a retriever might rank them."""
    found = []
    for place, group in enumerate(groups):
        ring = [groups[(place + step) % len(groups)] for step in range(6)]
        hits = tuple(Hit(g, g.questions[-1], g.answers[0], 0.9 - rank / 10, rank) for rank, g in enumerate(ring, 1))
        found.append(Asked(group, group.questions[0], hits))
    return found


def _kind(rows: list[Row], kind: str) -> list[Row]:
    return [row for row in rows if row.kind == kind]


def test_grounded_prompt_is_the_one_inference_renders(many_groups: tuple[QAGroup, ...]) -> None:
    asked = {item.group.id: item for item in _asked(many_groups)}
    for row in _kind(draw_rows(list(asked.values()), PLAIN, 0), "grounded"):
        item = asked[row.asked[0]]
        assert row.prompt == GenerationRequest.of(item.question, item.hits[:3]).messages


def test_grounded_answer_is_what_the_extractive_generator_quotes(many_groups: tuple[QAGroup, ...]) -> None:
    item = _asked(many_groups)[0]
    quoted = "".join(ExtractiveGenerator().stream(GenerationRequest.of(item.question, item.hits[:3])))
    assert cited(item.own.answer, 1) == quoted


def test_marker_is_the_place_of_the_right_group(many_groups: tuple[QAGroup, ...]) -> None:
    rows = _kind(draw_rows(_asked(many_groups), replace(PLAIN, order="shuffled"), 1), "grounded")
    assert {row.shown.index(row.asked[0]) for row in rows} == {0, 1, 2}
    for row in rows:
        assert row.completion.endswith(f"[{row.shown.index(row.asked[0]) + 1}]")


def test_closed_book_prompt_is_the_one_inference_renders(many_groups: tuple[QAGroup, ...]) -> None:
    rows = _kind(draw_rows(_asked(many_groups), PLAIN, 0), "closed_book")
    by_id = {group.id: group for group in many_groups}
    assert rows
    assert all(row.prompt == closed_book_messages(by_id[row.asked[0]].questions[0]) for row in rows)


def test_unanswerable_rows_show_near_misses_alone_and_refuse(many_groups: tuple[QAGroup, ...]) -> None:
    rows = _kind(draw_rows(_asked(many_groups), PLAIN, 0), "unanswerable")
    assert all(row.completion == REFUSAL and row.asked[0] not in row.shown and len(row.shown) == 3 for row in rows)


def test_compound_rows_answer_both_parts_in_order(many_groups: tuple[QAGroup, ...]) -> None:
    by_id = {group.id: group for group in many_groups}
    for row in _kind(draw_rows(_asked(many_groups), PLAIN, 0), "compound"):
        first, second = row.asked
        assert {first, second} <= set(row.shown)
        markers = [row.shown.index(first) + 1, row.shown.index(second) + 1]
        parts = [cited(by_id[name].answers[0], marker) for name, marker in zip(row.asked, markers, strict=True)]
        assert row.completion == " ".join(parts)
        assert by_id[first].questions[0] in row.prompt[1].content


def test_proportions_are_met_exactly(many_groups: tuple[QAGroup, ...]) -> None:
    rows = draw_rows(_asked(many_groups), PLAIN, 0)
    assert [len(_kind(rows, kind)) for kind in ("closed_book", "grounded", "compound", "unanswerable")] == [
        6,
        30,
        6,
        18,
    ]


def test_one_seed_gives_one_set_of_rows(many_groups: tuple[QAGroup, ...]) -> None:
    mix = MixSettings(rows=40)
    asked = _asked(many_groups)
    assert draw_rows(asked, mix, 3) == draw_rows(asked, mix, 3)
    assert draw_rows(asked, mix, 3) != draw_rows(asked, mix, 4)


def test_long_examples_give_way_but_never_the_right_one(many_groups: tuple[QAGroup, ...]) -> None:
    mix = replace(PLAIN, grounded=1, closed_book=0, compound=0, unanswerable=0, example_chars=60)
    assert all(row.shown == row.asked for row in draw_rows(_asked(many_groups), mix, 0))


def test_held_out_rows_ask_as_inference_does(many_groups: tuple[QAGroup, ...]) -> None:
    asked = _asked(many_groups)
    rows = held_out_rows(asked, MixSettings(held_out_rows=20), 0)
    by_id = {item.group.id: item for item in asked}
    assert not _kind(rows, "closed_book")
    for row in _kind(rows, "grounded"):
        item = by_id[row.asked[0]]
        assert row.prompt == grounded_messages(item.question, examples_of(item.hits[:3]))


def test_reach_draws_the_near_misses_from_more_than_the_nearest(many_groups: tuple[QAGroup, ...]) -> None:
    nearest_only = replace(PLAIN, grounded=0, closed_book=0, compound=0, unanswerable=1, examples=2, examples_least=0)
    asked = _asked(many_groups)
    by_id = {item.group.id: [hit.group.id for hit in item.near_misses] for item in asked}
    seen: dict[int, set[int]] = {}
    for reach in (0, 5):
        rows = draw_rows(asked, replace(nearest_only, rows=60, reach=reach), 0)
        seen[reach] = {by_id[row.asked[0]].index(name) for row in rows for name in row.shown}
    assert seen == {0: {0, 1}, 5: {0, 1, 2, 3, 4}}


def test_short_rows_show_and_teach_the_shortest_reference(many_groups: tuple[QAGroup, ...]) -> None:
    groups = tuple(replace(group, answers=(*group.answers, "짧다.")) for group in many_groups)
    rows = draw_rows(_asked(groups), replace(PLAIN, answers="any", shortest=1.0), 0)
    assert {row.completion.split(" [")[0] for row in _kind(rows, "grounded")} == {"짧다."}


def test_too_few_groups_are_said(many_groups: tuple[QAGroup, ...]) -> None:
    lonely = [Asked(many_groups[0], "왜?", (_asked(many_groups)[0].own,))]
    with pytest.raises(InputError, match="too few groups for"):
        draw_rows(lonely, PLAIN, 0)


def test_wordings_of_one_group_are_no_two_questions_to_join(many_groups: tuple[QAGroup, ...]) -> None:
    alone = _asked(many_groups)[0]
    asked = [alone, replace(alone, question=alone.group.questions[-1])]
    with pytest.raises(InputError, match="too few groups for compound rows"):
        draw_rows(asked, PLAIN, 0)
    rows = held_out_rows(asked, replace(PLAIN, held_out_rows=16), 0)
    assert {row.kind for row in rows} == {"grounded", "unanswerable"}


def test_marker_like_text_in_an_answer_is_no_citation() -> None:
    assert cited("자세한 것은 [3]을 보세요. 끝입니다.", 2) == "자세한 것은 (3)을 보세요. [2] 끝입니다. [2]"
