"""Reads a file of questions to search for or to answer."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from data.errors import FileFormatError, QuestionError, one_line
from data.readers import QUESTION_COLUMNS
from data.tables import TableRow, read_text, rows_of_csv, rows_of_sheet
from data.text import check_question


def read_questions(path: Path) -> list[str]:
    """Reads questions from a table with a `질문` or `question` column, or from plain text, one a line.

    Every question is checked before the first is answered, so that a bad line costs no work. Blank lines of a plain
    text file separate and are not questions.

    Args:
        path: A `.csv` or `.xlsx` file is read as a table, any other as plain text.

    Returns:
        Normalised questions in file order.

    Raises:
        FileFormatError: The file cannot be read or has no question column.
        QuestionError: A question is empty, too long or has no letter; names the line.
    """
    suffix = path.suffix.lower()
    if suffix in {".jsonl", ".ndjson", ".json"}:
        raise FileFormatError(
            f"{path}: questions are read from a table or from plain text, one a line; convert the file"
        )
    if suffix == ".xlsx":
        numbered = _from_table(*rows_of_sheet(path)[:2], path)
    elif suffix == ".csv":
        numbered = _from_table(*rows_of_csv(read_text(path), path), path)
    else:
        numbered = [(number, line) for number, line in enumerate(read_text(path).split("\n"), 1) if line.strip()]
    questions = []
    for line, raw in numbered:
        try:
            questions.append(check_question(raw))
        except QuestionError as error:
            raise QuestionError(f"{path}, line {line}: {error}") from None
    if not questions:
        raise FileFormatError(f"{path}: holds no question")
    return questions


def _from_table(header: Sequence[str], rows: Iterable[TableRow], path: Path) -> list[tuple[int, str]]:
    column = next((name for name in header if name.casefold() in QUESTION_COLUMNS), None)
    if column is None:
        raise FileFormatError(f"{path}: needs a column 질문 or question; found: {one_line(', '.join(header), 400)}")
    numbered = []
    for row in rows:
        if row.problem:
            raise FileFormatError(f"{path}, line {row.line}: {row.problem}")
        numbered.append((row.line, row.cell(column)))
    return numbered
