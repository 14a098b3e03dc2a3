"""`suspects.csv`: findings for a person to accept or leave, and the way back.

A cell of a spreadsheet that begins with "=", "+", "-" or "@" is a formula; texts that do are marked with an apostrophe
on the way out and freed of it on the way in.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data.catalog import message
from data.errors import FileFormatError, InputError
from data.marks import accepted
from data.tables import read_text, rows_of_csv
from data.writers import write_atomically
from index.audit.findings import Finding

COLUMNS = ("group_id", "reason", "field", "evidence", "suggestion", "accept")
_FORMULA = ("=", "+", "-", "@", "\t")


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    """A row of `suspects.csv` that a person accepted, and its line."""

    line: int
    group_id: str
    reason: str
    field: str
    suggestion: str


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Renders rows as CSV that a spreadsheet opens as UTF-8 and does not calculate."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows([_guarded(cell) for cell in row] for row in rows)
    return "\ufeff" + buffer.getvalue()


def write_suspects(path: Path, findings: Iterable[Finding]) -> None:
    """Writes findings, the evidence in the language being spoken, with an empty `accept` column."""
    rows = [(f.group_id, f.reason, f.field, f.evidence.in_words(message), f.suggestion, "") for f in findings]
    write_atomically(path, csv_text([COLUMNS, *rows]))


def read_accepted(path: Path) -> list[AcceptedRow]:
    """Reads the rows whose `accept` cell says yes.

    Raises:
        FileFormatError: The file cannot be read or lacks a column.
        InputError: An `accept` cell says neither yes nor no, or no row is accepted.
    """
    header, rows = rows_of_csv(read_text(path), path)
    missing = [name for name in COLUMNS if name != "evidence" and name not in header]
    if missing:
        raise FileFormatError(f"{path}: lacks the column {missing[0]!r}; give a suspects.csv of `dobae data audit`")
    found = []
    for row in rows:
        if row.problem:
            raise FileFormatError(f"{path}, line {row.line}: {row.problem}")
        word = row.cell("accept").strip()
        mark = accepted(word)
        if mark:
            values = [_freed(row.cell(name)) for name in ("group_id", "reason", "field", "suggestion")]
            found.append(AcceptedRow(row.line, *values))
        elif word and mark is None:
            raise InputError(
                f"{path}, line {row.line}: accept is {word[:20]!r}; write yes (y, 1, 예), or leave it empty for no"
            )
    if not found:
        raise InputError(f"{path}: no row is accepted; write yes into the accept cell of each row to apply")
    return found


def has_marks(path: Path) -> bool:
    """Tells whether a person has written into the `accept` column of an earlier list."""
    try:
        _, rows = rows_of_csv(read_text(path), path)
    except FileFormatError:
        return path.is_file()
    return any(row.cell("accept").strip() for row in rows)


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _freed(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell.strip()
