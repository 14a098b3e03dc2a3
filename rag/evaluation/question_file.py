"""Questions written apart from a base: JSON lines laid out like `data/starter/heldout.jsonl`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from data.errors import FileFormatError, QuestionError
from data.settings import hint, project_path
from data.tables import read_text
from data.text import check_question
from rag.evaluation.config import Protocol

WRITTEN: tuple[Protocol, ...] = ("paraphrase", "compound", "unanswerable", "out_of_domain")
"""Protocols whose questions may be written; the others are made of these, or of the base."""

_GROUPS = {"paraphrase": 1, "compound": 2}
"""How many groups answer a question of such a kind, at least."""


@dataclass(frozen=True, slots=True)
class WrittenQuestion:
    """One line.

    Attributes:
        place: File and line.
        question: As it is asked.
        group_ids: The groups that answer it, in the order of its parts.
    """

    place: str
    question: str
    group_ids: tuple[str, ...]


def read_questions(name: str, kind: Protocol) -> list[WrittenQuestion]:
    """Reads the questions of a kind; every line of the file is checked.

    Args:
        name: Path of the file, as a configuration gives it.
        kind: One of `WRITTEN`.

    Raises:
        FileFormatError: A line is no question; says which, and why.
    """
    path = project_path(name)
    lines = ((f"{path}, line {number}", line) for number, line in enumerate(read_text(path).split("\n"), 1))
    return [question for found, question in _questions(lines) if found == kind]


def _questions(lines: Iterator[tuple[str, str]]) -> Iterator[tuple[str, WrittenQuestion]]:
    for place, line in lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise FileFormatError(f"{place}: is not JSON ({error})") from None
        if not isinstance(record, dict) or not isinstance(record.get("question"), str):
            raise FileFormatError(f'{place}: needs a text as "question"')
        kind = record.get("kind")
        if kind not in WRITTEN:
            raise FileFormatError(f"{place}: kind {kind!r} is unknown" + hint(str(kind), dict.fromkeys(WRITTEN)))
        try:
            check_question(record["question"])
        except QuestionError as error:
            raise FileFormatError(f"{place}: {error}") from None
        yield kind, WrittenQuestion(place, record["question"], _group_ids(place, kind, record))


def _group_ids(place: str, kind: str, record: dict[str, Any]) -> tuple[str, ...]:
    ids = record["group_ids"] if "group_ids" in record else [record[key] for key in ("group_id",) if key in record]
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise FileFormatError(f'{place}: "group_id" is a text and "group_ids" a list of texts')
    least = _GROUPS.get(kind, 0)
    if len(ids) < least:
        key = "group_id" if least == 1 else "group_ids"
        raise FileFormatError(f'{place}: a {kind} question needs "{key}", the groups that answer it')
    return tuple(ids)
