"""A file of written questions: every line is a question, or says why it is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from data.errors import FileFormatError
from data.text import comparable
from rag.evaluation.config import EvaluationConfig, parse_config
from rag.evaluation.protocols import draw_questions
from rag.evaluation.question_file import WRITTEN, read_questions
from rag.evaluation.report import read_report, write_report
from rag.evaluation.running import evaluate

from .conftest import HashEncoder, MetricEncoder

GOOD = {"kind": "paraphrase", "question": "안방 벽지가 왜 뜰까요?", "group_id": "g00"}


def _file(folder: Path, *lines: dict[str, Any]) -> str:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    return str(path)


def test_questions_are_given_by_kind_with_their_groups(tmp_path: Path) -> None:
    both = {"kind": "compound", "question": "둘 다요?", "group_ids": ["g00", "g01"]}
    file = _file(tmp_path, GOOD, both, {"kind": "out_of_domain", "question": "라면 끓이는 법"})
    assert [item.group_ids for kind in WRITTEN for item in read_questions(file, kind)] == [("g00",), ("g00", "g01"), ()]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({**GOOD, "kind": "paraphrases"}, r"kind 'paraphrases' is unknown \(did you mean paraphrase\?\)"),
        ({**GOOD, "kind": None}, "kind None is unknown"),
        ({**GOOD, "question": None}, 'needs a text as "question"'),
        ({**GOOD, "question": " "}, "question is empty"),
        ({"kind": "paraphrase", "question": "왜요?", "group": "g00"}, 'a paraphrase question needs "group_id"'),
        ({**GOOD, "kind": "compound"}, 'a compound question needs "group_ids"'),
        ({**GOOD, "group_ids": "g00"}, '"group_id" is a text and "group_ids" a list of texts'),
        ({**GOOD, "group_id": 3}, '"group_id" is a text'),
    ],
)
def test_what_is_no_question_is_said_with_its_line(line: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=rf"questions\.jsonl, line 2: {told}"):
        read_questions(_file(tmp_path, GOOD, line), "unanswerable")


def test_a_question_written_twice_is_asked_once(world: dict[str, Any], metric: MetricEncoder, tmp_path: Path) -> None:
    other = {**GOOD, "question": "부엌 장판은 왜 갈라질까요?", "group_id": "g01"}
    world["source"]["questions"] = _file(tmp_path, GOOD, GOOD, other)
    world["protocols"] = {"paraphrase": 5}
    config: EvaluationConfig = parse_config(world, "test")
    drawn = draw_questions(config)
    assert sorted(comparable(item.question) for item in drawn.questions) == sorted(
        comparable(line["question"]) for line in (GOOD, other)
    )
    assert [leak.reason for leak in drawn.leaks] == ["is asked already"]
    write_report(evaluate(config, tmp_path / "out", encoder=HashEncoder(), metric=metric).report, tmp_path / "out")
    assert len(read_report(tmp_path / "out")["questions"]) == 2
