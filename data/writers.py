"""Writes what the readers read: groups as JSON lines or DACON CSV, and rejected rows. Files appear whole or not."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from data.readers import Reject
from data.types import QAGroup


def write_atomically(path: Path, text: str) -> None:
    """Writes `text` in UTF-8 beside `path`, syncs it, and moves it into place.

    Raises:
        OSError: The folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_rejects(path: Path, rejects: Iterable[Reject]) -> None:
    """Writes rejected rows as CSV: file, line, reason, content."""
    rows = [(reject.file, str(reject.line), reject.reason, reject.content) for reject in rejects]
    write_atomically(path, _csv_text([("file", "line", "reason", "content"), *rows]))


def write_groups_jsonl(path: Path, groups: Iterable[QAGroup]) -> None:
    """Writes one group a line, every field kept."""
    write_atomically(path, "".join(json.dumps(asdict(group), ensure_ascii=False) + "\n" for group in groups))


def write_groups_csv(path: Path, groups: Sequence[QAGroup]) -> None:
    """Writes the DACON layout, with as many `질문_n` and `답변_n` columns as the largest group needs."""
    questions = max((len(group.questions) for group in groups), default=1)
    answers = max((len(group.answers) for group in groups), default=1)
    header = [
        "id",
        *(f"질문_{n}" for n in range(1, questions + 1)),
        "category",
        *(f"답변_{n}" for n in range(1, answers + 1)),
    ]
    rows = [
        [group.id, *_padded(group.questions, questions), group.category, *_padded(group.answers, answers)]
        for group in groups
    ]
    write_atomically(path, _csv_text([header, *rows]))


def _padded(texts: tuple[str, ...], length: int) -> list[str]:
    return [*texts, *[""] * (length - len(texts))]


def _csv_text(rows: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
