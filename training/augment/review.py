"""The review queue: a CSV that a person reads, corrects and marks, and the groups that come back out of it.

Marks made so far are never lost: writing the queue again keeps the rows that are in it. Cells that a spreadsheet would
run as a formula are disarmed, and armed again when read.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import FileFormatError, InputError
from data.marks import accepted
from data.tables import read_text, rows_of_csv
from data.text import clean_text
from data.writers import write_atomically

_FIRST = ("accept", "id", "category")
_LAST = ("source", "place", "licence", "agreement", "answerability", "passage", "provenance")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBERED = re.compile(r"(질문|답변)_([0-9]{1,9})")


class Approved(NamedTuple):
    """What a person decided: accepted groups as JSON objects, and how many were refused or left open."""

    groups: tuple[dict[str, Any], ...]
    refused: int
    open: int
    edited: int


def write_review(path: Path, groups: Iterable[dict[str, Any]]) -> int:
    """Writes the queue, or adds to it what is not in it yet.

    Args:
        path: The CSV file.
        groups: Kept groups with their provenance.

    Returns:
        The number of rows added.

    Raises:
        FileFormatError: There is a file that is no review queue.
        InputError: The file cannot be written.
    """
    header, rows = _existing(path) if path.exists() else ([], [])
    known = {row["id"] for row in rows}
    fresh = [_row_of(group) for group in groups if group["id"] not in known]
    columns = {name for row in (*rows, *fresh) for name in row} | set(header)
    numbered = [*_numbered(columns, "질문"), *_numbered(columns, "답변")]
    others = [name for name in header if name not in {*_FIRST, *numbered, *_LAST}]
    names = [*_FIRST, *numbered, *_LAST, *others]
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _disarmed(text) for name, text in row.items()} for row in (*rows, *fresh))
    try:
        write_atomically(path, "\ufeff" + buffer.getvalue())  # Excel takes a file without a mark for CP949
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name another file with --review") from error
    return len(fresh)


def check_review(path: Path) -> None:
    """Checks that a queue can be written here, or added to.

    Raises:
        FileFormatError: There is a file that is no review queue.
    """
    if path.exists():
        _existing(path)


def read_approved(path: Path) -> Approved:
    """Reads the marks of a review queue.

    Raises:
        FileFormatError: The file is no review queue, or a mark is neither yes nor no.
        InputError: No row is accepted.
    """
    _, rows = _existing(path)
    groups: list[dict[str, Any]] = []
    refused = undecided = edited = 0
    for number, row in enumerate(rows, 1):
        word = row["accept"].strip()
        mark = accepted(word)
        if not word:
            undecided += 1
        elif mark is None:
            raise FileFormatError(f"{path}, row {number} ({row['id']}): accept is {word[:20]!r}; write y or n")
        elif mark:
            group = _group_of(row, path, number)
            edited += group["provenance"]["edited"]
            groups.append(group)
        else:
            refused += 1
    if not groups:
        raise InputError(
            f"{path}: no row is accepted ({refused} refused, {undecided} not marked); "
            "write y into the accept cell of each group to keep"
        )
    return Approved(tuple(groups), refused, undecided, edited)


def _existing(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    header, table = rows_of_csv(read_text(path), path)
    missing = [name for name in ("accept", "id", "provenance") if name not in header]
    if missing:
        raise FileFormatError(f"{path}: is no review queue, it has no column {missing[0]}; name another file")
    rows = []
    for row in table:
        if row.problem:
            raise FileFormatError(f"{path}, line {row.line}: {row.problem}")
        rows.append({name: _armed(row.cell(name)) for name in header if name})
    return header, rows


def _row_of(group: dict[str, Any]) -> dict[str, str]:
    provenance = group["provenance"]
    passage = provenance.get("passage", {})
    return {
        "accept": "",
        "id": group["id"],
        "category": group["category"],
        **{f"질문_{number}": text for number, text in enumerate(group["questions"], 1)},
        **{f"답변_{number}": text for number, text in enumerate(group["answers"], 1)},
        "source": group["source"],
        "place": passage.get("place", ""),
        "licence": passage.get("licence", ""),
        "agreement": str(provenance.get("agreement", "")),
        "answerability": str(provenance.get("answerability", "")),
        "passage": passage.get("text", ""),
        "provenance": json.dumps(
            provenance | {"content": _content(group["questions"], group["answers"])}, ensure_ascii=False
        ),
    }


def _group_of(row: dict[str, str], path: Path, number: int) -> dict[str, Any]:
    questions = _texts(row, "질문")
    answers = _texts(row, "답변", keep_lines=True)
    if not questions or not answers:
        raise FileFormatError(f"{path}, row {number} ({row['id']}): is accepted but has no question or no answer")
    try:
        provenance = json.loads(row["provenance"] or "{}")
    except (ValueError, RecursionError):
        provenance = None
    if not isinstance(provenance, dict):
        raise FileFormatError(f"{path}, row {number} ({row['id']}): the column provenance was damaged")
    edited = provenance.pop("content", None) != _content(questions, answers)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "id": row["id"],
        "questions": questions,
        "answers": answers,
        "category": clean_text(row.get("category", "")).text,
        "source": row.get("source", ""),
        "provenance": provenance | {"approved": True, "approved_time": now, "edited": edited},
    }


def _numbered(names: Iterable[str], kind: str) -> list[str]:
    """Returns the columns of a kind of text by their numbers; a reviewer's own column may begin alike."""
    found = [(int(match[2]), name) for name in names if (match := _NUMBERED.fullmatch(name)) and match[1] == kind]
    return [name for _, name in sorted(found)]


def _texts(row: dict[str, str], kind: str, *, keep_lines: bool = False) -> list[str]:
    cleaned = (clean_text(row[name], keep_lines=keep_lines).text for name in _numbered(row, kind))
    return [text for text in cleaned if text]


def _content(questions: Sequence[str], answers: Sequence[str]) -> str:
    return sha256("\x1f".join((*questions, "\x1e", *answers)).encode()).hexdigest()[:16]


def _disarmed(text: str) -> str:
    return f"'{text}" if text.startswith((*_FORMULA, "'")) else text


def _armed(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith((*_FORMULA, "'")) else text
