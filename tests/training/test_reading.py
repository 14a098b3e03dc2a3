"""Reading data teaches choosing, copying and refusing, without repeating the question."""

import json
import lzma
from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import FileFormatError, InputError
from data.prompts import REFUSAL
from training.config import MixSettings
from training.reading import draw_reading_rows, read_records

WORDS = ("석굴암", "불국사", "첨성대", "다보탑", "석가탑", "천마총", "월정교", "동궁")


def _file(path: Path) -> Path:
    records = [
        {
            "context": f"{word}은 경주의 문화재다.",
            "question": f"{word}은 무엇을 말하나요?",
            "answer": f"{word}은 경주의 문화재 {number}호입니다.",
            "source": "type definition",
            "licence": "CC BY-SA 3.0",
        }
        for number, word in enumerate(WORDS)
    ]
    lost = {"context": "…", "question": "안압지를 알려 주세요.", "answer": "없습니다.", "source": "type unanswerable"}
    chat = {"question": "안녕?", "answer": "안녕하세요.", "source": "chat", "licence": "MIT"}
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in (*records, lost, chat))
    with lzma.open(path, "wt", encoding="utf-8") as file:
        file.write(lines)
    return path


def test_rows_choose_among_other_records(tmp_path: Path) -> None:
    records = read_records(_file(tmp_path / "qa.jsonl.xz"))
    assert len(records) == len(WORDS) + 1
    mix = replace(MixSettings(), grounded=0.6, unanswerable=0.4, closed_book=0.0, compound=0.0)
    drawn = draw_reading_rows(records, 50, mix, 0)
    grounded = [row for row in drawn.rows if row.kind == "grounded"]
    refused = [row for row in drawn.rows if row.kind == "unanswerable"]
    assert (len(grounded), len(refused)) == (30, 20)
    assert {row.shown.index(row.asked[0]) for row in grounded} == {0, 1, 2}
    for row in grounded:
        assert row.completion.endswith(f"[{row.shown.index(row.asked[0]) + 1}]")
        opening, examples, _ = row.prompt[1].content.split("\n\n")
        assert opening.removeprefix("질문: ") not in examples
    for row in refused:
        assert row.completion == REFUSAL
        assert row.asked[0] not in row.shown
    assert sum(count for *_, count in drawn.sources) == 50
    assert draw_reading_rows(records, 50, mix, 0) == drawn


def test_file_without_a_usable_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "qa.jsonl"
    path.write_text('{"question": "a", "answer": "b"}\n', "utf-8")
    with pytest.raises(FileFormatError, match="no usable record"):
        read_records(path)
    path.write_text("{", "utf-8")
    with pytest.raises(FileFormatError, match="line 1: not a record"):
        read_records(path)
    (tmp_path / "cut.jsonl.xz").write_bytes(_file(tmp_path / "qa.jsonl.xz").read_bytes()[:200])
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_records(tmp_path / "cut.jsonl.xz")


@pytest.mark.parametrize("missing", ["question", "answer"])
def test_record_without_a_field_is_one_line(missing: str, tmp_path: Path) -> None:
    record = {"context": "글.", "question": "글이 뭐야?", "answer": "글입니다."}
    del record[missing]
    path = tmp_path / "reading.jsonl"
    path.write_text(json.dumps(record, ensure_ascii=False) + "\n", "utf-8")
    with pytest.raises(FileFormatError, match=rf"line 1: not a record \('{missing}' is missing\)"):
        read_records(path)


def test_records_about_one_thing_leave_nothing_to_choose(tmp_path: Path) -> None:
    record = {"context": "글.", "question": "글이 뭐야?", "answer": "글이 말입니다.", "source": "s", "licence": "MIT"}
    path = tmp_path / "reading.jsonl"
    path.write_text(json.dumps(record, ensure_ascii=False) + "\n", "utf-8")
    with pytest.raises(InputError, match=r"data\.reading: its usable records ask about one thing"):
        draw_reading_rows(read_records(path), 4, MixSettings(), 0)
