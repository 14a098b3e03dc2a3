"""The files of `dobae data join`: ids and pairs of ids in, joined questions out."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from data.errors import FileFormatError
from data.exact import restored
from data.joining import JoinedQuestion
from data.readers import read_groups
from data.tables import read_text, rows_of_csv
from data.writers import write_json_lines

LINK_COLUMNS = ("first_id", "second_id")
"""Columns of `near_pairs.csv` that hold the ids."""


def read_ids(path: Path) -> frozenset[str]:
    """Reads held-out group ids: one a line, or those of a QA file (CSV or JSONL).

    Raises:
        FileFormatError: The file cannot be read.
    """
    if path.suffix.lower() in {".csv", ".jsonl", ".ndjson"}:
        return frozenset(group.id for group in read_groups(path).groups)
    return frozenset(line.strip() for line in read_text(path).split("\n") if line.strip())


def read_links(path: Path) -> list[tuple[str, str]]:
    """Reads pairs of ids: two a line, separated by a comma or a tab, or the `near_pairs.csv` of an audit.

    Raises:
        FileFormatError: The file cannot be read, or a line holds no two ids.
    """
    text = read_text(path)
    if text.startswith(",".join(LINK_COLUMNS)):
        _, rows = rows_of_csv(text, path)
        numbered = [(row.line, [restored(row.cell(name)).strip() for name in LINK_COLUMNS]) for row in rows]
    else:
        lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
        numbered = [(number, [part.strip() for part in line.replace("\t", ",").split(",")]) for number, line in lines]
    for number, ids in numbered:
        if len(ids) != 2 or not all(ids):
            raise FileFormatError(f"{path}, line {number}: needs two ids separated by a comma or a tab")
    return [(first, second) for _, (first, second) in numbered]


def write_joined(path: Path, joined: Iterable[JoinedQuestion]) -> None:
    """Writes one join a line; `read_groups` reads the file as groups of one question each."""
    write_json_lines(path, map(asdict, joined))
