"""What the audit saw is said in the language of whoever reads it."""

import csv
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from data.catalog import catalogue, message, speaking
from index.audit.auditing import Audit, audit_file
from index.audit.evidence import Evidence, Fact, Seen
from index.audit.report import as_json
from index.audit.suspects import write_suspects
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
def audit(tmp_path: Path) -> Audit:
    """Of a file with a fault of each kind that a small file can have."""
    for name, ids in (("qa.csv", list(_GROUPS)), ("test.csv", ["A5", "A8"])):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "질문_1", "질문_2", "category", "답변_1", "답변_2", "답변_3"])
            for group in ids:
                questions, answers = _GROUPS[group]
                writer.writerow([group, *questions, *[""] * (2 - len(questions)), "벽지", *answers])
    return audit_file(tmp_path / "qa.csv", HashEncoder(64), tmp_path / "out", against=tmp_path / "test.csv")


def test_a_list_of_suspects_is_written_in_the_language_spoken(audit: Audit, tmp_path: Path) -> None:
    said = {}
    for language in ("ko", "en"):
        with speaking(language):
            write_suspects(tmp_path / f"{language}.csv", audit.suspects.findings)
        with (tmp_path / f"{language}.csv").open(encoding="utf-8-sig", newline="") as file:
            facts = [row["evidence"].partition(" | ")[0].replace("test.csv", "") for row in csv.DictReader(file)]
        said[language] = set(facts)
    assert len(said["ko"]) >= 8
    assert [text for text in said["ko"] if _ENGLISH.search(text)] == []
    assert all(_ENGLISH.search(text) for text in said["en"])


def test_a_report_holds_facts_that_are_said_as_they_were(audit: Audit) -> None:
    findings = json.loads(json.dumps(as_json(audit), ensure_ascii=False))["findings"]
    again = [Evidence.of_json(finding["evidence"]) for finding in findings]
    assert again == [finding.evidence for finding in audit.suspects.findings]


def test_facts_and_texts_are_kept_apart() -> None:
    evidence = Evidence(
        (Seen("backtick", {}), Seen("cut_off", {"text": "그리고; 또한"})), ("벽을 | 말리고 그리고; 또한", "둘째")
    )
    assert evidence.lines(message) == ("백틱(`); “그리고; 또한” 뒤에서 끊긴 글", *evidence.texts)
    assert evidence.in_words(message) == " | ".join(evidence.lines(message))


def test_every_fact_has_a_sentence() -> None:
    assert set(catalogue("ko")["seen"]) == set(get_args(Fact))
