"""What the audit saw is said in the reader's language."""

import csv
import re
import unicodedata
from pathlib import Path

import pytest

from data.catalog import catalogue, message
from index.audit.artefacts import artefacts_of
from index.audit.auditing import audit_file
from index.audit.evidence import known_keys, seen_in_words
from index.encoders.base import HashEncoder

_ENGLISH = re.compile("[a-z]{3,}")
_GOOD, _BAD = "합지의 장점은 낮은 값입니다.", "합지의 단점은 약한 표면입니다."
_GROUPS = {
    "A1": (("합지의 장점이 뭐야?", "합지의 단점은 무엇인가요?"), (_GOOD, _GOOD.replace(".", "!"))),
    "A2": (("직물지의 장점이 뭐야?",), (_BAD, _BAD)),
    "A3": (("한지의 장점이 뭐야?", "한지의 장점과 단점을 알려주세요."), (_GOOD, "한지의 장점은 숨을 쉬는 것입니다.")),
    "A4": (("입주 전에 해야 할 일이 뭐야?", "입주 전에 하지 말아야 할 것이 무엇인가요?"), ("환기를 합니다.",)),
    "A5": (("창문을 열어도 되나요?",), ("네, 열면 됩니다.", "네, 괜찮습니다.", "아니요, 닫아 둡니다.")),
    "A6": (("합지의 장점을 알려주세요.",), ("값이 쌉니다.",)),
    "A7": (("마루의 값은 얼마인가요?",), ("## 수정된 답변\n퍼티<br>작업`",)),
    "A8": (
        ("거실 벽에 곰팡이가 핀 이유가 무엇인가요?", "거실 벽에 곰팡이가 핀 이유가 무엇일까요?"),
        ("습기가 차서 그렇습니다.",),
    ),
}


@pytest.fixture
def evidence(tmp_path: Path) -> list[str]:
    """What is seen in a file with a fault of each kind that a small file can have."""
    for name, ids in (("qa.csv", list(_GROUPS)), ("test.csv", ["A5", "A8"])):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "질문_1", "질문_2", "category", "답변_1", "답변_2", "답변_3"])
            for group in ids:
                questions, answers = _GROUPS[group]
                writer.writerow([group, *questions, *[""] * (2 - len(questions)), "벽지", *answers])
    audit = audit_file(tmp_path / "qa.csv", HashEncoder(64), tmp_path / "out", against=tmp_path / "test.csv")
    return [finding.evidence for finding in audit.suspects.findings]


def test_nothing_the_audit_sees_stays_english(evidence: list[str]) -> None:
    said = {seen_in_words(each, message).partition(" | ")[0].replace("test.csv", "") for each in evidence}
    assert len(said) >= 8
    assert [text for text in said if _ENGLISH.search(text)] == []


@pytest.mark.parametrize(
    "raw",
    [
        unicodedata.normalize("NFD", "바탕") + "을 말립니다.",
        '바탕을 말린 뒤 붙입니다."',
        "바탕을\u200b 말립니다.",
        "벽지".encode().decode("latin-1") + " 2",
        "인테리어 효ㅕ과를 줍니다.",
        "바탕을 말리고 또한",
        "저는 AI 언어 모델이라서 모릅니다.`",
        "수정된 답변: 퍼티<br>작업을 하고 또한",
    ],
)
def test_no_leftover_stays_english(raw: str) -> None:
    what = "; ".join(artefact.what for artefact in artefacts_of(raw, is_answer=True))
    said = seen_in_words(f"{what} | {raw}", message)
    assert said.endswith(f" | {raw}")
    assert not _ENGLISH.search(said.replace("<br>", ""))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (
            "the most typical answer agrees with the others at 0.12 only (4.1 robust sd below the usual) | 글",
            "일치도가 0.12",
        ),
        ("the answers lie nearer to a question of A-7 (3.0 robust sd below the usual) | 글", "사례 A-7의 질문"),
        (
            "agrees little with the group's other answers (3.1 robust sd for its length) and lies 2.0 robust sd further"
            " from its questions than answers do (cosine 0.71) | 글",
            "코사인 0.71",
        ),
        ("nearly repeats (0.94 of the letters) 답변_2 | 글", "0.94"),
        ("something new", "something new"),
    ],
)
def test_numbers_and_names_are_kept(seen: str, said: str) -> None:
    assert said in seen_in_words(seen, message)


def test_both_languages_say_what_can_be_seen() -> None:
    for texts in (catalogue("ko"), catalogue("en")):
        assert set(texts["seen"]) == known_keys()
