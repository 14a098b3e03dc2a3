"""How a text file was written, so that a mended copy of it is written alike."""

from pathlib import Path
from typing import NamedTuple

BOM = "\ufeff"


class TextForm(NamedTuple):
    r"""The outside of a text file.

    Attributes:
        cp949: Whether it is in CP949, not in UTF-8.
        bom: Whether it begins with a byte-order mark.
        line_end: "\n" or "\r\n", as its first line ends.
        inner_end: How lines end inside a cell: a spreadsheet ends rows with "\r\n" and breaks cells with "\n".
    """

    cp949: bool
    bom: bool
    line_end: str
    inner_end: str


FROM_SPREADSHEET = TextForm(cp949=False, bom=True, line_end="\r\n", inner_end="\n")
"""How a spreadsheet program writes CSV in UTF-8."""


def form_of(path: Path) -> TextForm:
    """Looks at a file that `data.tables.read_text` can read."""
    raw = path.read_bytes()
    bom = raw.startswith(BOM.encode())
    line_end = "\r\n" if raw.partition(b"\n")[0].endswith(b"\r") else "\n"
    always = raw.count(b"\r\n") == raw.count(b"\n")
    return TextForm(not bom and not _is_utf8(raw), bom, line_end, line_end if always else "\n")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
