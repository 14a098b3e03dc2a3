"""Text files and CSV tables, with the line numbers that error messages need."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from data.errors import FileFormatError

MAX_CELL_CHARS = 1_000_000
_IN_EXCEL = " (in Excel: CSV UTF-8)"


@dataclass(frozen=True, slots=True)
class TableRow:
    """One CSV row.

    Attributes:
        line: Line on which the row begins, from 1 (a quoted cell may span lines).
        cells: Cell by column name; missing trailing cells are absent.
        record: All cells as they stand in the file, also those that the header does not name.
        problem: Why the row cannot be used, or empty.
    """

    line: int
    cells: dict[str, str] = field(default_factory=dict)
    record: tuple[str, ...] = ()
    problem: str = ""

    def cell(self, name: str | None) -> str:
        """Returns the cell under `name`, or the empty string."""
        return self.cells.get(name, "") if name else ""


def read_text(path: Path, *, table: bool = True) -> str:
    """Reads a text file in UTF-8 (with or without BOM) or CP949, with line feeds alone as line ends.

    Args:
        path: The file.
        table: Errors tell how to mend a table, not a text of any kind.

    Raises:
        FileFormatError: The file is missing, unreadable, empty, binary, or in another encoding.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise FileFormatError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise FileFormatError(f"{path}: is a directory; name a file in it") from None
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not raw.strip():
        raise FileFormatError(f"{path}: the file is empty" + "; it needs a header and at least one row" * table)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileFormatError(f"{path}: is UTF-16; save it as UTF-8" + _IN_EXCEL * table)
    if b"\x00" in raw:
        raise FileFormatError(
            f"{path}: is not a text file (it holds zero bytes)" + "; give a CSV or JSONL file" * table
        )
    text = _decoded(raw, path, table)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(raw: bytes, path: Path, table: bool) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        utf8_error = error
    try:
        return raw.decode("cp949")
    except UnicodeDecodeError:
        line = raw.count(b"\n", 0, utf8_error.start) + 1
        raise FileFormatError(
            f"{path}, line {line}: is neither UTF-8 nor CP949; save the file as UTF-8" + _IN_EXCEL * table
        ) from None


def rows_of_csv(text: str, path: Path) -> tuple[list[str], Iterator[TableRow]]:
    """Reads a CSV table with a header line; a row with more cells than the header carries a `problem`.

    Args:
        text: The whole file.
        path: Named in errors.

    Returns:
        Column names, and rows without those whose cells are all empty (blank lines).

    Raises:
        FileFormatError: A quotation mark is not closed or not escaped, a column is named twice, or the header is
            empty. Quoting errors are raised before the first row is returned, so no half-read file is ever used.
    """
    records = list(_records(text, path))
    if not records:
        raise FileFormatError(f"{path}: has no header; the first line must name the columns")
    header = [unicodedata.normalize("NFC", name).strip() for name in records[0][1]]
    if len(header) == 1 and (separator := next((mark for mark in ";\t" if mark in header[0]), None)):
        name = "tabs" if separator == "\t" else "semicolons"
        raise FileFormatError(f"{path}: separates its cells by {name}; save it with commas (in Excel: CSV UTF-8)")
    _check_header(header, path)
    return header, _table_rows(header, records[1:])


def rows_of_sheet(path: Path) -> tuple[list[str], Iterator[TableRow], tuple[str, ...]]:
    """Reads the first sheet of a workbook as `rows_of_csv` reads a CSV table; lines are the sheet's row numbers.

    Returns:
        Column names, rows, and names of further sheets that hold something.

    Raises:
        FileFormatError: As `data.workbooks.read_workbook`, or a column is named twice.
    """
    from data.workbooks import read_workbook

    sheet = read_workbook(path)
    (_, names), *records = sheet.rows
    header = [unicodedata.normalize("NFC", name).strip() for name in names]
    _check_header(header, path)
    # Cells without a column that are empty are only the sheet's width.
    trimmed = [(number, [*cells[: len(header)], *filter(None, cells[len(header) :])]) for number, cells in records]
    return header, _sheet_rows(_table_rows(header, trimmed), sheet.uncomputed), sheet.others


def _sheet_rows(rows: Iterable[TableRow], uncomputed: Mapping[int, str]) -> Iterator[TableRow]:
    for row in rows:
        if cell := uncomputed.get(row.line):
            problem = f"cell {cell} holds a formula without its value; save the file in a spreadsheet program"
            row = replace(row, problem=row.problem or problem)
        yield row


def _check_header(header: Sequence[str], path: Path) -> None:
    repeated = {name for name in header if name and header.count(name) > 1}
    if repeated:
        raise FileFormatError(f"{path}: column {min(repeated)!r} stands in the header twice; rename one")


def _records(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    with _cell_limit():
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        begin = 1
        while True:
            try:
                record = next(reader, None)
            except csv.Error as error:
                if "field limit" in str(error):
                    raise FileFormatError(
                        f"{path}, line {begin}: a cell has more than {MAX_CELL_CHARS:,} characters; shorten it, or "
                        "close the quotation mark that it begins with"
                    ) from None
                raise FileFormatError(
                    f"{path}, line {begin}: broken CSV quoting ({error}); close the quotation mark, "
                    'and write a quotation mark inside a cell as ""'
                ) from None
            if record is None:
                return
            if any(cell.strip() for cell in record):
                yield begin, record
            begin = reader.line_num + 1


@contextmanager
def _cell_limit() -> Iterator[None]:
    before = csv.field_size_limit(MAX_CELL_CHARS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _table_rows(header: Sequence[str], records: Iterable[tuple[int, list[str]]]) -> Iterator[TableRow]:
    for line, record in records:
        problem = ""
        if len(record) > len(header):
            problem = f"has {len(record)} cells, the header names {len(header)}; quote cells that hold commas"
        yield TableRow(line, dict(zip(header, record, strict=False)), tuple(record), problem)
