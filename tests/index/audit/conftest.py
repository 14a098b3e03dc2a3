"""Files to audit, written by the tests themselves."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from data.types import QAGroup
from index.audit.auditing import Audit, audit_file
from index.encoders.base import HashEncoder

WriteWide = Callable[..., Path]
RunAudit = Callable[..., Audit]
MakeGroups = Callable[..., list[QAGroup]]


@pytest.fixture
def wide(tmp_path: Path) -> WriteWide:
    """Writes rows of (id, questions, answers) in the DACON layout, cells as they are given."""

    def write(rows: Sequence[tuple[str, Sequence[str], Sequence[str]]], name: str = "qa.csv") -> Path:
        questions = max(len(row[1]) for row in rows)
        answers = max(len(row[2]) for row in rows)
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            names = [f"질문_{n + 1}" for n in range(questions)], [f"답변_{n + 1}" for n in range(answers)]
            writer.writerow(["id", *names[0], "category", *names[1], "메모"])
            for group_id, q, a in rows:
                padded = [*q, *[""] * (questions - len(q))], [*a, *[""] * (answers - len(a))]
                writer.writerow([group_id, *padded[0], "마감재", *padded[1], "그대로"])
        return path

    return write


@pytest.fixture
def run_audit(tmp_path: Path) -> RunAudit:
    """Audits with the fake encoder."""

    def run(path: Path, **options: object) -> Audit:
        return audit_file(path, HashEncoder(256), tmp_path / "audit", **options)  # type: ignore[arg-type]

    return run


@pytest.fixture
def synthetic() -> MakeGroups:
    return _synthetic


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[[Sequence[QAGroup]], Path]:
    """Writes groups as JSON lines."""

    def write(groups: Sequence[QAGroup]) -> Path:
        path = tmp_path / "qa.jsonl"
        records = [{"id": g.id, "questions": g.questions, "answers": g.answers, "category": g.category} for g in groups]
        path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
        return path

    return write


def _synthetic(count: int, questions: int = 2, answers: int = 5, seed: int = 0) -> list[QAGroup]:
    """Groups of invented words: each has words of its own, shared by its questions and answers."""
    random = Random(seed)
    syllables = [chr(code) for code in range(0xAC00, 0xD7A4, 29)]

    def word() -> str:
        return "".join(random.choices(syllables, k=3))

    groups = []
    for number in range(count):
        own = [word() for _ in range(8)]
        groups.append(
            QAGroup(
                f"s{number:05d}",
                tuple(f"{own[0]} {own[1]} {own[2]} {ending}" for ending in ("왜 그래요", "이유를 알려줘")[:questions]),
                tuple(
                    " ".join([own[0], own[1], *random.sample(own, 6), word(), word()]) + " 때문입니다."
                    for _ in range(answers)
                ),
                "가나다"[number % 3],
            )
        )
    return groups
