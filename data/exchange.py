"""Writes groups as files that can come back: JSON lines, CSV and XLSX, every field kept (see `data.exact`)."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from data.digest import group_digest
from data.errors import InputError
from data.exact import DIGEST_COLUMN, neutralised
from data.text import unfit_character
from data.types import QAGroup
from data.workbooks import MAX_CELL, MAX_COLUMNS, MAX_ROWS, write_workbook
from data.writers import write_atomically

FORMATS = (".jsonl", ".csv", ".xlsx")


def export_groups(path: Path, groups: Sequence[QAGroup]) -> None:
    """Writes groups in the format that the file's name asks for, whole or not at all.

    Raises:
        InputError: The name asks for no known format, the file cannot be written, or the format cannot hold a text.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: choose a name that ends in {', '.join(FORMATS)}")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is not a regular file; name another")
    try:
        if suffix == ".jsonl":
            lines = (
                json.dumps(asdict(group) | {DIGEST_COLUMN: group_digest(group)}, ensure_ascii=False) for group in groups
            )
            write_atomically(path, "".join(f"{line}\n" for line in lines))
            return
        table = list(_table(groups, path, MAX_CELL if suffix == ".xlsx" else None))
        if suffix == ".xlsx" and (len(table) > MAX_ROWS or len(table[0]) > MAX_COLUMNS):
            raise InputError(
                f"{path}: would have {len(table):,} rows and {len(table[0]):,} columns, a workbook that can be read "
                f"back has at most {MAX_ROWS:,} and {MAX_COLUMNS}; export it as .csv or .jsonl"
            )
        if suffix == ".csv":
            buffer = io.StringIO(newline="")
            csv.writer(buffer, lineterminator="\n").writerows(table)
            # With a byte order mark, Excel reads UTF-8.
            write_atomically(path, "\ufeff" + buffer.getvalue())
        else:
            write_workbook(path, table)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name another file") from error


def _table(groups: Sequence[QAGroup], path: Path, longest: int | None) -> Iterator[list[str]]:
    questions = max((len(group.questions) for group in groups), default=1)
    answers = max((len(group.answers) for group in groups), default=1)
    yield [
        "id",
        "category",
        "source",
        *(f"질문_{number}" for number in range(1, questions + 1)),
        *(f"답변_{number}" for number in range(1, answers + 1)),
        DIGEST_COLUMN,
    ]
    for group in groups:
        texts = [group.id, group.category, group.source]
        texts += [*group.questions, *[""] * (questions - len(group.questions))]
        texts += [*group.answers, *[""] * (answers - len(group.answers))]
        cells = [neutralised(text) for text in texts]
        _check(group, cells, path, longest)
        yield [*cells, group_digest(group)]


def _check(group: QAGroup, cells: Iterable[str], path: Path, longest: int | None) -> None:
    for cell in cells:
        if unfit := unfit_character(cell):
            raise InputError(f"{path}: group {group.id!r} holds the character {unfit}; export it as .jsonl")
        if longest is not None and len(cell) > longest:
            raise InputError(
                f"{path}: group {group.id!r} has a text of {len(cell):,} characters, a cell of a workbook holds "
                f"{longest:,}; export it as .csv or .jsonl"
            )
