"""Applies accepted rows of `suspects.csv` to a copy of the file they were found in.

Every row is checked before anything is written: an unknown group, a mend that does not fit, or a text that has changed
since the audit stops the whole. Cells that no row names are copied as they stand.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import InputError
from data.text import clean_text
from data.text_form import BOM, FROM_SPREADSHEET, TextForm, form_of
from data.writers import check_new_target, write_atomically
from index.audit.raw import GROUP_LABEL, Cell, RawFile, is_workbook, read_raw
from index.audit.suspects import AcceptedRow, csv_text, read_accepted

DELETE = "delete"
DELETE_GROUP = "delete group"
REPLACE = "replace:"

CHANGE_COLUMNS = ("group_id", "field", "action", "before", "after", "reason", "line", "suspects_line")


@dataclass(frozen=True, slots=True)
class Change:
    """One change made.

    Attributes:
        row: The accepted row that asked for it.
        action: "replace", "delete" or "delete group".
        cells: The cells changed.
        after: The new text; empty for a deletion.
    """

    row: AcceptedRow
    action: str
    cells: tuple[Cell, ...]
    after: str = ""


def changes_path(out: Path) -> Path:
    """Returns where the change log of `out` is written: `NEW.changes.csv` beside `NEW.csv`."""
    return out.with_name(f"{out.stem}.changes.csv")


class Mended(NamedTuple):
    """The changes, in the order of the list, and notes about what else differs in the new file."""

    changes: list[Change]
    notes: list[str]


def apply_suspects(path: Path, suspects: Path, out: Path) -> Mended:
    """Writes `path` with the accepted mends to `out`, and a change log beside it.

    Lines end and a byte-order mark stands in the new file as in the old one. What was CP949 becomes UTF-8, a table with
    the mark, by which spreadsheets know it; so does a workbook's first sheet, which becomes CSV.

    Args:
        path: The audited QA file; it is not touched.
        suspects: The list, with accepted rows marked.
        out: A new file of the same format; a CSV file for a workbook.

    Raises:
        InputError: A row cannot be applied, or `out` exists or is of another format. Nothing is written then.
        FileFormatError: A file cannot be read.
    """
    log = changes_path(out)
    for target in (out, log):
        check_new_target(target, ())
    file = read_raw(path)
    if is_workbook(out):
        raise InputError(f"{out}: mends are not written into workbooks; name a .csv file with --out")
    if bool(file.lines) != (out.suffix.lower() in {".jsonl", ".ndjson"}):
        raise InputError(f"{out}: must end like {path.name}, since the format stays the same")
    broken = next((row for row in file.rows if row.problem), None)
    if broken:
        raise InputError(f"{path}, line {broken.line}: {broken.problem}; mend this row first, or it would be lost")
    changes = [_change(file, suspects, row) for row in read_accepted(suspects)]
    _check_together(file, suspects, changes)
    form = FROM_SPREADSHEET if is_workbook(path) else form_of(path)
    text = _rendered_lines(file, changes, form) if file.lines else _rendered_rows(file, changes, form)
    marked = form.bom or (form.cp949 and not file.lines)
    write_atomically(log, csv_text([CHANGE_COLUMNS, *_log_rows(changes)]))
    try:
        write_atomically(out, f"{BOM}{text}" if marked else text)
    except BaseException:
        log.unlink(missing_ok=True)
        raise
    how = "UTF-8 with a byte-order mark" if marked else "UTF-8"
    return Mended(changes, [f"{out}: is in {how}; {path.name} is in CP949"] if form.cp949 else [])


def _change(file: RawFile, suspects: Path, row: AcceptedRow) -> Change:
    place = f"{suspects}, line {row.line}"
    cells = file.by_group.get(row.group_id)
    if not cells:
        raise InputError(f"{place}: {file.path.name} has no group {row.group_id!r}")
    label = row.field.partition("#")[0].strip()
    named = [cell for cell in cells if cell.label == label]
    if label != GROUP_LABEL and not named:
        raise InputError(f"{place}: group {row.group_id} has no field {label!r}")
    present = {file.group_field(row.group_id)} if label == GROUP_LABEL else {cell.field for cell in named}
    if row.field not in present:
        raise InputError(
            f"{place}: {label} of {row.group_id} has changed since the audit; run `dobae data audit` again"
        )
    word = " ".join(row.suggestion.split()).casefold()
    if word == DELETE_GROUP:
        return Change(row, DELETE_GROUP, tuple(cells))
    if label == GROUP_LABEL:
        raise InputError(f'{place}: only "{DELETE_GROUP}" can be applied to a whole group')
    if word == DELETE:
        return Change(row, DELETE, tuple(named))
    if not word.startswith(REPLACE):
        raise InputError(
            f'{place}: suggestion {row.suggestion[:40]!r} cannot be applied; write "replace: NEW TEXT", "delete" or '
            '"delete group"'
        )
    after = row.suggestion.strip()[len(REPLACE) :].strip()
    if not any(char.isalnum() for char in clean_text(after).text):
        raise InputError(f'{place}: "replace:" names no new text; write it after the colon, or write "delete"')
    return Change(row, "replace", tuple(named), after)


def _check_together(file: RawFile, suspects: Path, changes: Sequence[Change]) -> None:
    """Refuses two mends of one text that differ, and groups left without a question or an answer."""
    owners: dict[tuple[int, str, int], Change] = {}
    for change in changes:
        for cell in change.cells:
            earlier = owners.setdefault(_key(cell), change)
            if (earlier.action, earlier.after) == (change.action, change.after):
                continue
            if DELETE_GROUP in (earlier.action, change.action):
                raise InputError(
                    f"{suspects}, line {change.row.line}: group {change.row.group_id} is both deleted and mended "
                    f"(line {earlier.row.line}); accept one of the two"
                )
            raise InputError(
                f"{suspects}, line {change.row.line}: line {earlier.row.line} mends the same text differently; "
                "accept one of the two"
            )
    for change in changes:
        if change.action != DELETE:
            continue
        left = {
            cell.kind
            for cell in file.by_group[change.row.group_id]
            if _key(cell) not in owners or owners[_key(cell)].action != DELETE
        }
        if len(left) < 2:
            raise InputError(
                f"{suspects}, line {change.row.line}: would leave group {change.row.group_id} without a "
                f'{change.cells[0].kind}; write "{DELETE_GROUP}" if it shall go'
            )


def _key(cell: Cell) -> tuple[int, str, int]:
    return cell.record, cell.column, cell.item


def _rendered_rows(file: RawFile, changes: Sequence[Change], form: TextForm) -> str:
    rows: list[dict[str, str] | None] = [dict(row.cells) for row in file.rows]
    for change in changes:
        for cell in change.cells:
            row = rows[cell.record]
            # A plain table's row is one question with one answer: without either it says nothing.
            if change.action == DELETE_GROUP or (change.action == DELETE and file.plain):
                rows[cell.record] = None
            elif row is not None:
                row[cell.column] = change.after
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator=form.line_end)
    writer.writerow(file.header)
    writer.writerows(
        [row.get(name, "").replace("\n", form.inner_end) for name in file.header] for row in rows if row is not None
    )
    return buffer.getvalue()


def _rendered_lines(file: RawFile, changes: Sequence[Change], form: TextForm) -> str:
    removed: set[int] = set()
    records: dict[int, dict[str, Any]] = {}
    for change in changes:
        for cell in change.cells:
            if change.action == DELETE_GROUP:
                removed.add(cell.record)
                continue
            record = records.setdefault(cell.record, json.loads(file.lines[cell.record]))
            if cell.item < 0:
                record[cell.column] = change.after
            else:
                record[cell.column][cell.item] = change.after or None
    for record in records.values():
        for key, value in record.items():
            if isinstance(value, list):
                record[key] = [text for text in value if text is not None]
    lines = [
        json.dumps(records[number], ensure_ascii=False) if number in records else line
        for number, line in enumerate(file.lines)
        if number not in removed
    ]
    return form.line_end.join(lines)


def _log_rows(changes: Sequence[Change]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for change in changes:
        for cell in change.cells:
            row = replace(change.row, field=cell.label)
            rows.append(
                (
                    row.group_id,
                    row.field,
                    change.action,
                    cell.raw,
                    change.after,
                    row.reason,
                    str(cell.line),
                    str(row.line),
                )
            )
    return rows
