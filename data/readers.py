"""Reads QA files into groups: the DACON layout, plain question-answer tables, and JSON lines of groups.

A row that cannot be used becomes a `Reject` with its line number and reason; a file that cannot be used raises
`FileFormatError`. Nothing is dropped silently: repairs and merges are counted in `ReadResult.notes`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from data.approval import approved_rows, check_approved
from data.cleaning import cleaned_group, content_id, repair_notes, unread_note
from data.errors import DuplicateGroupError, FileFormatError, InputError, one_line
from data.exact import DIGEST_COLUMN, exact_group, exact_record, restored
from data.tables import TableRow, read_text, rows_of_csv, rows_of_sheet
from data.text import comparable
from data.types import QAGroup

QUESTION_COLUMNS = ("질문", "question", "q")
ANSWER_COLUMNS = ("답변", "answer", "a")
CATEGORY_COLUMNS = ("category", "카테고리", "분류")
SOURCE_COLUMNS = ("source", "출처")
ID_COLUMNS = ("id",)
RECORD_KEYS = ("questions", "question", "answers", "answer", "id", "category", "source", DIGEST_COLUMN)

_NUMBERED_QUESTION = re.compile(r"질문_(\d{1,9})")
_NUMBERED_ANSWER = re.compile(r"답변_(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Reject:
    """One row or line that could not be used.

    Attributes:
        file: Name of the file.
        line: Line number on which the row begins, from 1.
        reason: What is wrong, and what would mend it.
        content: The row as read: for a CSV row its cells as JSON, none left out.
    """

    file: str
    line: int
    reason: str
    content: str


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a file held: usable groups, rejected rows, and notes about what was changed on the way."""

    groups: tuple[QAGroup, ...]
    rejects: tuple[Reject, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Located:
    group: QAGroup
    file: str
    line: int


def read_groups(path: Path, *, approved_only: bool = False) -> ReadResult:
    """Reads one QA file.

    CSV files are told apart by their header: `질문_1, 답변_1, ...` (DACON) or `question, answer[, category]`,
    `Q, A`, `질문, 답변` (plain); so are workbooks named `*.xlsx`, of which the first sheet is read. Files named
    `*.jsonl` hold one group a line: `{"questions": [...], "answers": [...], "id"?, "category"?, "source"?}` or
    `{"question": str, "answer": str}`. What `data.exchange` exported comes back letter for letter.

    Args:
        path: File in UTF-8 (with or without BOM) or CP949.
        approved_only: Reject the groups whose `provenance` says that a model wrote them and nobody has approved them.

    Returns:
        Groups in file order, rejects and notes.

    Raises:
        FileFormatError: The file is missing, empty, in an unknown encoding, badly quoted, or lacks needed columns.
        DuplicateGroupError: One id stands for two different groups.
    """
    if path.suffix.lower() == ".xlsx":
        header, rows, sheets = rows_of_sheet(path)
        located, rejects, notes = _from_table(header, rows, path, approved_only)
        return _result(path, located, rejects, [*notes, *unread_note(path, "sheets", sheets)])
    text = read_text(path)
    if path.suffix.lower() in {".jsonl", ".ndjson"}:
        return _result(path, *_from_json_lines(text, path, approved_only))
    return _result(path, *_from_table(*rows_of_csv(text, path), path, approved_only))


def _result(path: Path, located: list[_Located], rejects: list[Reject], notes: list[str]) -> ReadResult:
    groups, merged = _unique_ids(located)
    if merged:
        notes.append(f"{path.name}: {merged} repeated groups were read once")
    if not groups:
        raise FileFormatError(
            f"{path}: no usable row ({len(rejects)} rejected{_first_reason(rejects)}); "
            "each row needs a question and an answer"
        )
    return ReadResult(tuple(groups), tuple(rejects), tuple(notes))


def read_all(paths: Iterable[Path], *, approved_only: bool = False) -> ReadResult:
    """Reads several files as one, each as `read_groups` does; an id may stand in two only with the same content.

    Raises:
        FileFormatError: As `read_groups`.
        DuplicateGroupError: As `read_groups`, across files too.
    """
    located: list[_Located] = []
    rejects: list[Reject] = []
    notes: list[str] = []
    for path in paths:
        result = read_groups(path, approved_only=approved_only)
        located += [_Located(group, str(path), 0) for group in result.groups]
        rejects += result.rejects
        notes += result.notes
    groups, merged = _unique_ids(located)
    if merged:
        notes.append(f"{merged} groups stand in several files and were read once")
    return ReadResult(tuple(groups), tuple(rejects), tuple(notes))


def _first_reason(rejects: list[Reject]) -> str:
    return f", first: line {rejects[0].line}: {rejects[0].reason}" if rejects else ""


def _unique_ids(located: Iterable[_Located]) -> tuple[list[QAGroup], int]:
    seen: dict[str, _Located] = {}
    merged = 0
    for item in located:
        earlier = seen.setdefault(item.group.id, item)
        if earlier is item:
            continue
        if replace(earlier.group, source="") != replace(item.group, source=""):
            raise DuplicateGroupError(
                f"{_place(item)}: id {item.group.id!r} already stands in {_place(earlier)} with other content; "
                "give one of the two another id"
            )
        merged += 1
    return [item.group for item in seen.values()], merged


def _place(item: _Located) -> str:
    return f"{item.file}, line {item.line}" if item.line else item.file


def _from_table(
    header: list[str], rows: Iterable[TableRow], path: Path, approved_only: bool
) -> tuple[list[_Located], list[Reject], list[str]]:
    if approved_only:
        rows = approved_rows(rows)
    names = {name.casefold(): name for name in header}
    questions = _numbered(header, _NUMBERED_QUESTION)
    answers = _numbered(header, _NUMBERED_ANSWER)
    repairs: Counter[str] = Counter()
    if questions and answers:
        located, rejects = _dacon_rows(rows, questions, answers, names, path, repairs)
        unread = unread_note(path, "columns", _unread(header, names, [*questions, *answers]))
        return located, rejects, [*repair_notes(path, repairs), *unread]
    question, answer = _named(names, QUESTION_COLUMNS), _named(names, ANSWER_COLUMNS)
    if question is None or answer is None:
        columns = one_line(", ".join(header), 400)
        raise FileFormatError(
            f"{path}: needs columns 질문_1 and 답변_1 (DACON), or question and answer; found: {columns}"
        )
    located, rejects, merges = _plain_rows(rows, question, answer, names, path, repairs)
    notes = repair_notes(path, repairs)
    notes += unread_note(path, "columns", _unread(header, names, [question, answer]))
    if merges:
        notes.append(f"{path.name}: {merges} rows were merged into groups with the same question or the same answers")
    return located, rejects, notes


def _unread(header: list[str], names: Mapping[str, str], texts: Iterable[str]) -> list[str]:
    """Returns the named columns that hold neither texts nor anything else that a group has."""
    facts = (_named(names, wanted) for wanted in (CATEGORY_COLUMNS, SOURCE_COLUMNS, ID_COLUMNS))
    read = {*texts, *facts, DIGEST_COLUMN, ""}
    return [name for name in header if name not in read]


def _numbered(header: list[str], pattern: re.Pattern[str]) -> list[str]:
    found = [(int(match[1]), name) for name in header if (match := pattern.fullmatch(name))]
    return [name for _, name in sorted(found)]


def _named(names: Mapping[str, str], wanted: tuple[str, ...]) -> str | None:
    return next((names[name] for name in wanted if name in names), None)


def _dacon_rows(
    rows: Iterable[TableRow],
    question_columns: list[str],
    answer_columns: list[str],
    names: Mapping[str, str],
    path: Path,
    repairs: Counter[str],
) -> tuple[list[_Located], list[Reject]]:
    located: list[_Located] = []
    rejects: list[Reject] = []
    for row in rows:
        if row.problem:
            rejects.append(_reject(path, row, row.problem))
            continue
        if exact := exact_group(row.cells):
            located.append(_Located(exact, str(path), row.line))
            continue
        exported = bool(row.cell(DIGEST_COLUMN))
        if exported:
            row = replace(row, cells={name: restored(cell) for name, cell in row.cells.items()})
        try:
            group = _group_of_row(row, question_columns, answer_columns, names, repairs)
        except InputError as error:
            rejects.append(_reject(path, row, str(error)))
            continue
        group = _named_group(group, "" if exported else path.name)
        located.append(_Located(group, str(path), row.line))
    return located, rejects


def _group_of_row(
    row: TableRow, questions: Iterable[str], answers: Iterable[str], names: Mapping[str, str], repairs: Counter[str]
) -> QAGroup:
    """Makes a group of the named columns of a row, as `cleaned_group` does."""
    return cleaned_group(
        map(row.cell, questions),
        map(row.cell, answers),
        identifier=row.cell(_named(names, ID_COLUMNS)),
        category=row.cell(_named(names, CATEGORY_COLUMNS)),
        source=row.cell(_named(names, SOURCE_COLUMNS)),
        repairs=repairs,
    )


def _plain_rows(
    rows: Iterable[TableRow],
    question_column: str,
    answer_column: str,
    names: Mapping[str, str],
    path: Path,
    repairs: Counter[str],
) -> tuple[list[_Located], list[Reject], int]:
    """Reads one pair a row; rows of one question become one group, and so do questions with the very same answers."""
    rejects: list[Reject] = []
    pairs: dict[str, _Located] = {}
    count = 0
    for row in rows:
        if row.problem:
            rejects.append(_reject(path, row, row.problem))
            continue
        try:
            group = _group_of_row(row, [question_column], [answer_column], names, repairs)
        except InputError as error:
            rejects.append(_reject(path, row, str(error)))
            continue
        group = replace(group, source=group.source or path.name)
        count += 1
        key = f"id {group.id}" if group.id else comparable(group.questions[0])
        earlier = pairs.get(key)
        if earlier and group.id and replace(earlier.group, source="") != replace(group, source=""):
            raise DuplicateGroupError(
                f"{path}, line {row.line}: id {group.id!r} already stands on line {earlier.line} with other content; "
                "give one of the two another id"
            )
        if earlier:
            group = replace(earlier.group, answers=_union(earlier.group.answers, group.answers))
            pairs[key] = replace(earlier, group=group)
        else:
            pairs[key] = _Located(group, str(path), row.line)
    located = _same_answers_merged(pairs.values())
    return located, rejects, count - len(located)


def _same_answers_merged(located: Iterable[_Located]) -> list[_Located]:
    """Merges groups without an id whose answer sets are equal: the rows of a question x answer cross product."""
    merged: dict[object, _Located] = {}
    for item in located:
        group = item.group
        # A single short answer ("네, 가능합니다.") is shared by unrelated questions.
        distinctive = len(group.answers) > 1 or len(group.answers[0]) >= 40
        key = group.id or (frozenset(group.answers) if distinctive else object())
        earlier = merged.get(key)
        if earlier and not group.id:
            questions = _union(earlier.group.questions, group.questions)
            merged[key] = replace(earlier, group=replace(earlier.group, questions=questions))
        else:
            merged[key] = item
    return [
        item if item.group.id else replace(item, group=replace(item.group, id=content_id(*_content(item.group))))
        for item in merged.values()
    ]


def _content(group: QAGroup) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return group.questions, group.answers


def _union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(first + second))


def _from_json_lines(text: str, path: Path, approved_only: bool) -> tuple[list[_Located], list[Reject], list[str]]:
    located: list[_Located] = []
    rejects: list[Reject] = []
    repairs: Counter[str] = Counter()
    unread: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            rejects.append(Reject(path.name, number, f"not JSON: {one_line(error)}", line))
            continue
        try:
            if approved_only and isinstance(record, dict):
                check_approved(record)
            located.append(_Located(_group_of_record(record, path, repairs), str(path), number))
        except InputError as error:
            rejects.append(Reject(path.name, number, str(error), line))
        else:
            unread |= dict.fromkeys(str(name) for name in record if name not in RECORD_KEYS)
    return located, rejects, [*repair_notes(path, repairs), *unread_note(path, "keys", unread)]


def _group_of_record(record: object, path: Path, repairs: Counter[str]) -> QAGroup:
    if not isinstance(record, dict):
        raise InputError("not a JSON object")
    if exact := exact_record(record):
        return exact
    group = cleaned_group(
        _texts(record, "questions", "question"),
        _texts(record, "answers", "answer"),
        identifier=_label(record, "id"),
        category=_label(record, "category"),
        source=_label(record, "source"),
        repairs=repairs,
    )
    return _named_group(group, "" if DIGEST_COLUMN in record else path.name)


def _named_group(group: QAGroup, source: str) -> QAGroup:
    """Gives a group what the file left out.

    Args:
        group: Of one row or line.
        source: The file, or nothing for a group that left a base without a source.
    """
    return replace(group, id=group.id or content_id(group.questions, group.answers), source=group.source or source)


def _label(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{name!r} must be a string")
    return str(value)


def _texts(record: Mapping[str, object], plural: str, singular: str) -> list[str]:
    value = record.get(plural, record.get(singular))
    values = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(text, str) for text in values):
        raise InputError(f"{plural!r} must be a list of strings")
    return list(values)


def _reject(path: Path, row: TableRow, reason: str) -> Reject:
    return Reject(path.name, row.line, reason, json.dumps(row.record, ensure_ascii=False))
