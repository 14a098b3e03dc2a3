"""XLSX workbooks as tables of text.

A workbook is a ZIP of XML, from anyone: its sizes are bounded before anything is unpacked, and XML that declares
entities is refused. Formulas are never computed; of a formula's cell only the value that was stored with it is read.
"""

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import FileFormatError, one_line

MAX_FILE_BYTES = 64 << 20
MAX_PARTS = 2_000
MAX_UNPACKED_BYTES = 256 << 20
MAX_RATIO = 200
"""Bytes unpacked from one; real sheets of text stay below 30."""

MAX_ROWS = 200_000
MAX_COLUMNS = 300
MAX_CELL = 32_767
"""Characters in a cell; Excel's limit."""

_RATIO_FROM_BYTES = 1 << 20
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_DECLARATION = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_FORMULA = re.compile(rb"<f[ >/]")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The first sheet of a workbook.

    Attributes:
        rows: Row number, from 1, and cells as text, of each row that is not empty.
        uncomputed: A cell, such as "B3", by the number of its row: a formula without a stored value.
        others: Names of further sheets that hold something.
    """

    rows: list[tuple[int, list[str]]]
    uncomputed: dict[int, str]
    others: tuple[str, ...]


def read_workbook(path: Path) -> Sheet:
    """Reads the first sheet.

    Raises:
        FileFormatError: The file is no workbook, is larger than the limits, or holds what a table does not need.
    """
    raw, formulas = _checked(path)
    try:
        with _opened(raw, values=True) as book:
            rows = _rows(book.worksheets[0], path)
            others = tuple(sheet.title for sheet in book.worksheets[1:] if _holds_something(sheet))
        uncomputed: dict[int, str] = {}
        if formulas:
            with _opened(raw, values=False) as book:
                uncomputed = _uncomputed(book.worksheets[0], dict(rows))
            # A row of nothing else is not empty.
            rows = sorted(({number: [""] for number in uncomputed} | dict(rows)).items())
    except FileFormatError:
        raise
    except Exception as error:  # openpyxl and zipfile raise whatever a broken file makes them meet
        raise FileFormatError(f"{path}: is a broken workbook ({one_line(error, 100)}); save it again") from error
    if not rows:
        raise FileFormatError(f"{path}: the first sheet is empty; it needs a header and at least one row")
    return Sheet(rows, uncomputed, others)


@contextmanager
def _opened(raw: bytes, *, values: bool) -> Iterator[Any]:
    """Opens a workbook with the values stored for its formulas, or with the formulas."""
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(raw), read_only=True, data_only=values, keep_links=False)
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()
        yield book
    finally:
        book.close()


def _rows(sheet: Any, path: Path) -> list[tuple[int, list[str]]]:
    rows = []
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        if number > MAX_ROWS or len(cells) > MAX_COLUMNS:
            raise FileFormatError(
                f"{path}: has more than {MAX_ROWS:,} rows or {MAX_COLUMNS} columns; split it, or save it as CSV"
            )
        texts = [_text(value) for value in cells]
        if any(text.strip() for text in texts):
            rows.append((number, texts))
    return rows


def _holds_something(sheet: Any) -> bool:
    return any(value is not None and str(value).strip() for row in sheet.iter_rows(values_only=True) for value in row)


def _uncomputed(sheet: Any, rows: Mapping[int, Sequence[str]]) -> dict[int, str]:
    """Returns the first formula without a value in each row that has one."""
    found: dict[int, str] = {}
    for number, cells in enumerate(sheet.iter_rows(), 1):
        values = rows.get(number, ())
        for place, cell in enumerate(cells):
            if cell.data_type == "f" and not (place < len(values) and values[place]):
                found.setdefault(number, cell.coordinate)
    return found


def write_workbook(path: Path, table: Sequence[Sequence[str]]) -> None:
    """Writes one sheet of text cells, whole or not at all.

    Raises:
        OSError: The folder cannot be written.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    from data.writers import write_bytes_atomically

    book = Workbook(write_only=True)
    sheet = book.create_sheet("groups")
    for row in table:
        cells = []
        for text in row:
            cell = WriteOnlyCell(sheet, value=_escaped(text))
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    write_bytes_atomically(path, content.getvalue())


def _checked(path: Path) -> tuple[bytes, bool]:
    """Reads a file that is a workbook within the limits; returns it, and whether a sheet holds a formula."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise FileFormatError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror})") from error
    if len(raw) > MAX_FILE_BYTES:
        raise FileFormatError(f"{path}: is larger than {MAX_FILE_BYTES >> 20} MiB; split it, or save it as CSV")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            formulas = _check_parts(path, archive, len(raw))
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise FileFormatError(f"{path}: is not a workbook ({one_line(error, 100)}); save it as .xlsx or CSV") from error
    except Exception as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path}: is a broken workbook ({one_line(error, 100)}); save it again") from error
    return raw, formulas


def _check_parts(path: Path, archive: zipfile.ZipFile, size: int) -> bool:
    parts = archive.infolist()
    if len(parts) > MAX_PARTS:
        raise FileFormatError(f"{path}: has {len(parts):,} parts, a workbook of text has few; save it as CSV")
    names = [part.filename for part in parts]
    if len(set(names)) < len(names):
        raise FileFormatError(f"{path}: names a part twice; save it again")
    for name in names:
        if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or ":" in name or "\x00" in name:
            raise FileFormatError(f"{path}: holds a part named {name[:60]!r}, outside the workbook; do not trust it")
        if name.casefold().endswith((".bin", ".pkl", ".pickle", ".exe", ".dll", ".so", ".py")):
            raise FileFormatError(f"{path}: holds {name[:60]!r}, which is no table; save it as .xlsx without macros")
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MAX_UNPACKED_BYTES:
        raise FileFormatError(
            f"{path}: unpacks to {unpacked >> 20:,} MiB, the most is {MAX_UNPACKED_BYTES >> 20}; "
            "split it, or save it as CSV"
        )
    if unpacked > _RATIO_FROM_BYTES and unpacked > MAX_RATIO * size:
        raise FileFormatError(f"{path}: unpacks to {unpacked // size:,} times its size; do not trust it")
    formulas = False
    for part in parts:
        # A part gives no more bytes than it declares: zipfile stops there and the checksum fails.
        with archive.open(part) as stream:
            tail = b""
            while chunk := stream.read(1 << 20):
                plain = (tail + chunk).replace(b"\x00", b"")
                if part.filename.casefold().endswith((".xml", ".rels", ".vml")) and _DECLARATION.search(plain):
                    raise FileFormatError(f"{path}: declares entities in {part.filename!r}; do not trust it")
                formulas = formulas or _FORMULA.search(plain) is not None
                tail = chunk[-64:]
    return formulas


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), str(value))
    return unicodedata.normalize("NFC", text) if not isinstance(value, str) else text


def _escaped(text: str) -> str:
    # "_x000D_" is how a workbook writes a carriage return; text that merely looks so is written with its underscore.
    return _ESCAPED.sub(lambda match: f"_x005F_x{match[1]}_", text)
