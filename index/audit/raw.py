"""The cells of a QA file as they stand there, each tied to the group that the reader made of it.

The reader normalises what it reads, so what it mended can only be seen here; and a mend must go back into the very
cell that a text came from.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2s
from pathlib import Path
from typing import Any, Literal

from data.errors import FileFormatError
from data.readers import ANSWER_COLUMNS, ID_COLUMNS, QUESTION_COLUMNS, ReadResult, read_groups
from data.tables import TableRow, read_text, rows_of_csv, rows_of_sheet
from data.text import clean_text
from data.types import QAGroup

Kind = Literal["question", "answer"]
LABELS: dict[Kind, str] = {"question": "질문", "answer": "답변"}
GROUP_LABEL = "group"

_NUMBERED = {"question": re.compile(r"질문_\d+"), "answer": re.compile(r"답변_\d+")}


@dataclass(frozen=True, slots=True)
class Cell:
    """One text of a file.

    Attributes:
        record: Number of the row (table) or line (JSONL) it stands in, from 0.
        line: Line number in the file, from 1.
        column: Column or JSON key.
        item: Position in a JSON list; -1 for a CSV cell or a bare JSON string.
        kind: Question or answer.
        group_id: Group the reader puts it into.
        label: Its name within the group, `질문_2` or `답변_3`; rows of a plain table may share one.
        raw: The text as it stands.
        text: The text as the reader gives it.
    """

    record: int
    line: int
    column: str
    item: int
    kind: Kind
    group_id: str
    label: str
    raw: str
    text: str

    @property
    def field(self) -> str:
        """Returns the label with a digest of the present text, by which a stale mend is noticed."""
        return f"{self.label} #{digest(self.raw)}"


@dataclass(frozen=True)
class RawFile:
    """A QA file: what the reader makes of it, and its cells.

    Attributes:
        path: The file.
        result: Groups, rejects and notes.
        cells: All texts that belong to a group, in file order.
        header: Columns of a table (CSV, or the first sheet of a workbook); empty for JSONL.
        rows: Rows of a table; empty for JSONL.
        lines: JSONL lines; empty for a table.
        plain: Whether each row holds one question and one answer.
    """

    path: Path
    result: ReadResult
    cells: tuple[Cell, ...]
    header: tuple[str, ...] = ()
    rows: tuple[TableRow, ...] = ()
    lines: tuple[str, ...] = ()
    plain: bool = False

    @cached_property
    def by_group(self) -> dict[str, list[Cell]]:
        """Returns each group's cells, in file order."""
        grouped: dict[str, list[Cell]] = defaultdict(list)
        for cell in self.cells:
            grouped[cell.group_id].append(cell)
        return dict(grouped)

    def field_of(self, group_id: str, kind: Kind, text: str) -> str:
        """Returns the field of a group's text, by the text as the reader gives it."""
        return next(c.field for c in self.by_group[group_id] if c.kind == kind and c.text == text)

    def group_field(self, group_id: str) -> str:
        """Returns the field that stands for a whole group."""
        return f"{GROUP_LABEL} #{digest(*(cell.raw for cell in self.by_group[group_id]))}"


def digest(*texts: str) -> str:
    """Returns eight hexadecimal digits that change when the texts do."""
    return blake2s("\x1f".join(texts).encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def is_workbook(path: Path) -> bool:
    """Tells whether a file is read as an XLSX workbook, by its name."""
    return path.suffix.lower() == ".xlsx"


def read_raw(path: Path) -> RawFile:
    """Reads a QA file with its cells.

    Raises:
        FileFormatError: As `data.readers.read_groups`.
        DuplicateGroupError: As `data.readers.read_groups`.
    """
    result = read_groups(path)
    if path.suffix.lower() in {".jsonl", ".ndjson"}:
        lines = read_text(path).split("\n")
        return RawFile(path, result, tuple(_of_json_lines(lines, result.groups)), lines=tuple(lines))
    if is_workbook(path):
        header, lazy_rows, _ = rows_of_sheet(path)
    else:
        header, lazy_rows = rows_of_csv(read_text(path), path)
    rows = list(lazy_rows)
    questions = [name for name in header if _NUMBERED["question"].fullmatch(name)]
    answers = [name for name in header if _NUMBERED["answer"].fullmatch(name)]
    plain = not (questions and answers)
    if plain:
        questions, answers = [_column(header, QUESTION_COLUMNS, path)], [_column(header, ANSWER_COLUMNS, path)]
        cells = _of_plain_rows(rows, questions[0], answers[0], header, result.groups)
    else:
        cells = _of_wide_rows(rows, questions, answers, header, result.groups)
    return RawFile(path, result, tuple(cells), tuple(header), tuple(rows), plain=plain)


def _column(header: Sequence[str], wanted: Sequence[str], path: Path) -> str:
    names = {name.casefold(): name for name in header}
    for name in wanted:
        if name in names:
            return names[name]
    raise FileFormatError(f"{path}: needs a column {' or '.join(wanted)}")


def _id_column(header: Sequence[str]) -> str | None:
    return next((name for name in header if name.casefold() in ID_COLUMNS), None)


def _cleaned(kind: Kind, raw: str) -> str:
    return clean_text(raw, keep_lines=kind == "answer").text


def _of_wide_rows(
    rows: Sequence[TableRow],
    questions: Sequence[str],
    answers: Sequence[str],
    header: Sequence[str],
    groups: Sequence[QAGroup],
) -> Iterator[Cell]:
    find = _GroupFinder(groups)
    identifier = _id_column(header)
    for record, row in enumerate(rows):
        raws: list[tuple[Kind, str, str]] = [("question", name, row.cell(name)) for name in questions]
        raws += [("answer", name, row.cell(name)) for name in answers]
        group_id = find(row.cell(identifier), [(kind, raw) for kind, _, raw in raws])
        if row.problem or group_id is None:
            continue
        for kind, name, raw in raws:
            if raw.strip():
                yield Cell(record, row.line, name, -1, kind, group_id, name, raw, _cleaned(kind, raw))


def _of_plain_rows(
    rows: Sequence[TableRow], question: str, answer: str, header: Sequence[str], groups: Sequence[QAGroup]
) -> Iterator[Cell]:
    identifier = _id_column(header)
    by_id = {group.id: group for group in groups}
    by_pair = {(q, a): group for group in groups for q in group.questions for a in group.answers}
    for record, row in enumerate(rows):
        pair = _cleaned("question", row.cell(question)), _cleaned("answer", row.cell(answer))
        group = by_id.get(clean_text(row.cell(identifier)).text) or by_pair.get(pair)
        if row.problem or group is None or pair[0] not in group.questions or pair[1] not in group.answers:
            continue
        labels = (f"질문_{group.questions.index(pair[0]) + 1}", f"답변_{group.answers.index(pair[1]) + 1}")
        yield Cell(record, row.line, question, -1, "question", group.id, labels[0], row.cell(question), pair[0])
        yield Cell(record, row.line, answer, -1, "answer", group.id, labels[1], row.cell(answer), pair[1])


def _of_json_lines(lines: Sequence[str], groups: Sequence[QAGroup]) -> Iterator[Cell]:
    find = _GroupFinder(groups)
    for number, line in enumerate(lines):
        try:
            record = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            continue
        if not isinstance(record, dict):
            continue
        raws = [*_json_texts(record, "question"), *_json_texts(record, "answer")]
        group_id = find(str(record.get("id") or ""), [(kind, raw) for kind, _, _, raw in raws])
        if group_id is None:
            continue
        for kind, key, item, raw in raws:
            label = f"{LABELS[kind]}_{max(item, 0) + 1}"
            yield Cell(number, number + 1, key, item, kind, group_id, label, raw, _cleaned(kind, raw))


def _json_texts(record: Mapping[str, Any], kind: Kind) -> list[tuple[Kind, str, int, str]]:
    key = f"{kind}s" if f"{kind}s" in record else kind
    value = record.get(key)
    if isinstance(value, str):
        return [(kind, key, -1, value)]
    if isinstance(value, list):
        return [(kind, key, item, text) for item, text in enumerate(value) if isinstance(text, str) and text.strip()]
    return []


class _GroupFinder:
    """Finds the group that the reader made of a row: by its id, or by what it holds."""

    def __init__(self, groups: Sequence[QAGroup]) -> None:
        self._ids = {group.id for group in groups}
        self._by_content = {(group.questions, group.answers): group.id for group in groups}

    def __call__(self, raw_id: str, raws: Sequence[tuple[Kind, str]]) -> str | None:
        given = clean_text(raw_id).text
        if given in self._ids:
            return given
        questions, answers = (
            tuple(dict.fromkeys(text for k, raw in raws if k == kind and (text := _cleaned(k, raw))))
            for kind in ("question", "answer")
        )
        return self._by_content.get((questions, answers))
