"""A question with very many answers costs what its answers cost, not what their pairs would."""

import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from random import Random

import pytest

from data.text import comparable
from data.types import QAGroup
from index.audit.agreement import agreements
from index.audit.duplicates import NEAR_INSIDE, find_inside
from index.audit.raw import RawFile, read_raw
from index.audit.similarity import cosine, grams_of, trigram_jaccard

_WORDS = ("벽지", "풀", "바탕", "습기", "곰팡이", "이음매", "환기", "건조", "퍼티", "시공", "들뜸", "주름")


def _answers(count: int) -> list[str]:
    chance = Random(5)
    return [f"{' '.join(chance.choices(_WORDS, k=14))} {number}번입니다" for number in range(count)]


def _file(path: Path, answers: list[str]) -> RawFile:
    path.write_text("question,answer\n" + "".join(f'벽지 값?,"{answer}"\n' for answer in answers), "utf-8")
    return read_raw(path)


def _calls(work: Callable[[], object]) -> int:
    count = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_agreement_is_the_mean_cosine_with_the_others_and_needs_no_pairs() -> None:
    few, many = (QAGroup("a", ("물음?",), tuple(_answers(count))) for count in (30, 120))
    grams = [grams_of(answer) for answer in few.answers]
    wanted = [
        sum(cosine(own, other) for place, other in enumerate(grams) if place != number) / 29
        for number, own in enumerate(grams)
    ]
    (measured,) = agreements([few])
    assert measured.each == pytest.approx(wanted)
    assert measured.score == max(measured.each)
    assert _calls(lambda: agreements([many])) < 6 * _calls(lambda: agreements([few]))


def test_repeats_are_those_that_a_full_comparison_finds_and_need_no_pairs(tmp_path: Path) -> None:
    answers = _answers(40)
    answers += [f"{answer}!" for answer in answers[::7]] + [f"{answer} 끝" for answer in answers[::5]]
    answers += [f"{answers[3]} 끝 참", answers[3] * 3]
    file = _file(tmp_path / "qa.csv", answers)
    gone: dict[int, int] = {}
    for first, second in combinations(range(len(answers)), 2):
        one, other = answers[first], answers[second]
        near = trigram_jaccard(one, other) >= NEAR_INSIDE and min(len(one), len(other)) >= 0.8 * max(
            len(one), len(other)
        )
        if first not in gone and second not in gone and (near or comparable(one) == comparable(other)):
            gone[second] = first
    found = {finding.field.partition(" #")[0]: finding.evidence for finding in find_inside(file)}
    assert len(gone) > 12
    assert {label: evidence.seen[0].values["field"] for label, evidence in found.items()} == {
        f"답변_{second + 1}": f"답변_{first + 1}" for second, first in gone.items()
    }
    few, many = (_file(tmp_path / f"{count}.csv", _answers(count)) for count in (60, 240))
    assert _calls(lambda: list(find_inside(many))) < 6 * _calls(lambda: list(find_inside(few)))
