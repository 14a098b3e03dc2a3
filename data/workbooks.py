"""XLSX workbooks as tables of text.

A workbook is a ZIP of XML, from anyone: its sizes are bounded before anything is unpacked, and XML that declares
entities is refused. Formulas are never computed; of a formula's cell only the value that was stored with it is read.
"""

import io
import re
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import Path

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


def rows_of_workbook(path: Path) -> list[tuple[int, list[str]]]:
    """Reads the first sheet: row number, from 1, and cells as text, for each row that is not empty.

    Raises:
        FileFormatError: The file is no workbook, is larger than the limits, or holds what a table does not need.
    """
    from openpyxl import load_workbook

    raw = _checked(path)
    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True, keep_links=False)
        try:
            sheet = book.worksheets[0]
            sheet.reset_dimensions()
            rows = []
            for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
                if number > MAX_ROWS or len(values) > MAX_COLUMNS:
                    raise FileFormatError(
                        f"{path}: has more than {MAX_ROWS:,} rows or {MAX_COLUMNS} columns; split it, or save it as CSV"
                    )
                cells = [_text(value) for value in values]
                if any(cell.strip() for cell in cells):
                    rows.append((number, cells))
        finally:
            book.close()
    except FileFormatError:
        raise
    except Exception as error:  # openpyxl and zipfile raise whatever a broken file makes them meet
        raise FileFormatError(f"{path}: is a broken workbook ({one_line(error, 100)}); save it again") from error
    if not rows:
        raise FileFormatError(f"{path}: the first sheet is empty; it needs a header and at least one row")
    return rows


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


def _checked(path: Path) -> bytes:
    """Reads a file that is a workbook within the limits."""
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
            _check_parts(path, archive, len(raw))
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise FileFormatError(f"{path}: is not a workbook ({one_line(error, 100)}); save it as .xlsx or CSV") from error
    except Exception as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path}: is a broken workbook ({one_line(error, 100)}); save it again") from error
    return raw


def _check_parts(path: Path, archive: zipfile.ZipFile, size: int) -> None:
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
    for part in parts:
        # A part gives no more bytes than it declares: zipfile stops there and the checksum fails.
        with archive.open(part) as stream:
            tail = b""
            while chunk := stream.read(1 << 20):
                plain = (tail + chunk).replace(b"\x00", b"")
                if part.filename.casefold().endswith((".xml", ".rels", ".vml")) and _DECLARATION.search(plain):
                    raise FileFormatError(f"{path}: declares entities in {part.filename!r}; do not trust it")
                tail = chunk[-64:]


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
