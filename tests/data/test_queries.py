from pathlib import Path

import pytest

from data.errors import FileFormatError, QuestionError
from data.queries import read_questions
from data.workbooks import write_workbook


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.csv", "id,질문\n1,A는?\n2,B는?\n"),
        ("q.csv", "question\nA는?\nB는?\n"),
        ("q.txt", "A는?\n\nB는?\n"),
    ],
)
def test_every_layout_gives_the_questions_in_order(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    assert read_questions(tmp_path / name) == ["A는?", "B는?"]


def test_a_workbook_is_read_like_a_table(tmp_path: Path) -> None:
    path = tmp_path / "q.xlsx"
    write_workbook(path, [["id", "질문"], ["1", "A는?"], ["2", "B는?"]])
    assert read_questions(path) == ["A는?", "B는?"]


def test_a_bad_question_names_its_line_before_any_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("질문,id\nA는?,1\n???,2\n", "utf-8")
    with pytest.raises(QuestionError, match="line 3"):
        read_questions(path)


def test_a_table_without_a_question_column_names_the_columns_found(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("id,text\n1,A\n", "utf-8")
    with pytest.raises(FileFormatError, match="found: id, text"):
        read_questions(path)


def test_a_header_alone_holds_no_question(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("질문\n", "utf-8")
    with pytest.raises(FileFormatError, match="no question"):
        read_questions(path)
