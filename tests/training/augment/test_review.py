"""The review queue: marks survive, formulas do not run, and only what was accepted comes out."""

import csv
from pathlib import Path
from typing import Any

import pytest

from data.errors import FileFormatError, InputError
from training.augment.review import read_approved, write_review


def _group(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"aug-{number}",
        "questions": [f"{number}번 벽지는 왜 뜨나요?", "왜 떠"],
        "answers": ["풀이 덜 마르면 뜹니다.", "=1+1 은 수식이 아닙니다."],
        "category": "시공",
        "source": "guide.pdf",
        "provenance": {"model": "m", "seed": 1, "approved": False, "passage": {"text": "자료", "place": "page 1"}},
    } | changes


def _mark(path: Path, marks: dict[str, str], **edits: str) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["accept"] = marks.get(row["id"], "")
        row.update(edits)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_only_accepted_rows_come_out_with_their_provenance(tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    assert write_review(path, [_group(1), _group(2), _group(3)]) == 3
    _mark(path, {"aug-1": "y", "aug-2": " N "})
    approved = read_approved(path)
    assert (approved.refused, approved.open, approved.edited) == (1, 1, 0)
    (group,) = approved.groups
    provenance = group.pop("provenance")
    assert group == {name: value for name, value in _group(1).items() if name != "provenance"}
    assert (provenance["model"], provenance["approved"], provenance["edited"]) == ("m", True, False)
    assert provenance["passage"] == {"text": "자료", "place": "page 1"}
    assert "approved_time" in provenance


def test_a_correction_is_taken_and_said(tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    write_review(path, [_group(1)])
    _mark(path, {"aug-1": "예"}, 답변_2="고친 답변입니다.")
    approved = read_approved(path)
    assert approved.edited == 1
    assert approved.groups[0]["answers"][1] == "고친 답변입니다."
    assert approved.groups[0]["provenance"]["edited"] is True


def test_writing_again_keeps_marks_and_adds_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    write_review(path, [_group(1)])
    _mark(path, {"aug-1": "y"}, 메모="좋음")
    more = _group(2, answers=["하나", "둘", "셋"])
    assert write_review(path, [_group(1), more]) == 1
    assert write_review(path, [_group(1), more]) == 0
    approved = read_approved(path)
    assert [group["id"] for group in approved.groups] == ["aug-1"]
    assert approved.open == 1
    assert "좋음" in path.read_text("utf-8")


def test_a_spreadsheet_runs_no_cell(tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    write_review(path, [_group(1, questions=["=cmd|' /C calc'!A0", "@SUM(A1)", "'quoted"], category="-1+1")])
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in list(csv.reader(file))[1:] for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    _mark(path, {"aug-1": "y"})
    assert read_approved(path).groups[0]["questions"][:2] == ["=cmd|' /C calc'!A0", "@SUM(A1)"]


def test_what_is_no_queue_or_no_mark_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    path.write_text("question,answer\na,b\n", "utf-8")
    with pytest.raises(FileFormatError, match="no review queue"):
        write_review(path, [_group(1)])
    path.unlink()
    write_review(path, [_group(1)])
    _mark(path, {"aug-1": "maybe"})
    with pytest.raises(FileFormatError, match=r"aug-1\): accept is 'maybe'"):
        read_approved(path)
    _mark(path, {"aug-1": "y"}, provenance="{")
    with pytest.raises(FileFormatError, match="provenance was damaged"):
        read_approved(path)


@pytest.mark.parametrize("mark", ["x", "X", "Ｘ", "×", "✗", "n", "아니요", "0"])
def test_a_cross_refuses(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "review.csv"
    write_review(path, [_group(1)])
    _mark(path, {"aug-1": mark})
    with pytest.raises(InputError, match=r"no row is accepted \(1 refused"):
        read_approved(path)


@pytest.mark.parametrize("mark", ["o", "O", "○", "ㅇ", "v", "✓", "Yes", "예", "1"])
def test_a_circle_or_a_tick_accepts(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "review.csv"
    write_review(path, [_group(1)])
    _mark(path, {"aug-1": mark})
    assert len(read_approved(path).groups) == 1


def test_a_reviewers_own_column_may_begin_like_a_question(tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    write_review(path, [_group(1)])
    _mark(path, {"aug-1": "y"}, 질문_메모="확인함")
    assert write_review(path, [_group(1), _group(2)]) == 1
    assert "확인함" in path.read_text("utf-8")
    assert read_approved(path).groups[0]["questions"] == _group(1)["questions"]


@pytest.mark.parametrize("damaged", ["[]", '[["a", 1]]', '"text"', "3"])
def test_provenance_that_is_no_object_is_one_line(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "review.csv"
    write_review(path, [_group(1)])
    _mark(path, {"aug-1": "y"}, provenance=damaged)
    with pytest.raises(FileFormatError, match=r"row 1 \(aug-1\): the column provenance was damaged"):
        read_approved(path)
