"""Reads the questions that nothing grown may tell of: any file of questions or of groups will do."""

import json
from pathlib import Path

from data.errors import FileFormatError
from data.queries import read_questions
from data.readers import read_groups
from data.tables import read_text
from data.text import clean_text

_FIELDS = ("question", "questions", "parts")


def read_held_out(path: Path) -> tuple[str, ...]:
    """Reads held-out questions from JSON lines (`question`, `questions`, `parts`), a QA table, or a list of questions.

    Raises:
        FileFormatError: The file cannot be read or holds no question.
    """
    suffix = path.suffix.lower()
    if suffix in {".jsonl", ".ndjson"}:
        found = _from_json_lines(path)
    elif suffix == ".csv":
        try:
            found = [question for group in read_groups(path).groups for question in group.questions]
        except FileFormatError:
            found = read_questions(path)
    else:
        found = read_questions(path)
    questions = tuple(dict.fromkeys(found))
    if not questions:
        raise FileFormatError(f"{path}: holds no question")
    return questions


def _from_json_lines(path: Path) -> list[str]:
    found: list[str] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise FileFormatError(f"{path}, line {number}: not JSON: {error.msg}") from None
        if not isinstance(record, dict):
            raise FileFormatError(f"{path}, line {number}: is not a JSON object with a question")
        for name in _FIELDS:
            value = record.get(name, [])
            values = value if isinstance(value, list) else [value]
            found += [text for raw in values if isinstance(raw, str) and (text := clean_text(raw).text)]
    return found
