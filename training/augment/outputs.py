"""Where a run's groups go: a new file, or the one that an earlier run of the same journal wrote."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from data.errors import FileFormatError, InputError
from data.writers import check_folder, check_new_target, write_json_lines
from training.augment.review import check_review


def check_outputs(out: Path | None, review: Path | None, journal: Path) -> None:
    """Refuses, before anything is asked and paid for, what could not be written in the end.

    Args:
        out: File for the groups.
        review: The queue, which may exist and is added to.
        journal: The run's journal, which may exist and is continued.

    Raises:
        InputError: `out` holds something that this journal has not kept, `review` is no review queue, or a folder
            cannot be written.
    """
    if out is not None and not (out.exists() and _is_own(out, journal)):
        check_new_target(out, ())
    if review is not None:
        check_folder(review, "--review")
        check_review(review)
    check_folder(journal, "--journal")


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes groups as JSON lines.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        write_json_lines(path, rows)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def _is_own(out: Path, journal: Path) -> bool:
    """Tells whether every line of a file is a group that the journal kept, letter for letter."""
    if not journal.is_file():
        return False
    try:
        kept = {_canonical(record["group"]) for record in _records(journal) if "group" in record}
        return all(_canonical(row) in kept for row in _records(out))
    except OSError as error:
        raise FileFormatError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions") from error


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """Yields each line's object, an empty one where a line holds none."""
    with path.open("rb") as file:
        for line in file:
            record = None
            with suppress(ValueError, RecursionError):
                record = json.loads(line)
            yield record if isinstance(record, dict) else {}


def _canonical(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True)
