"""Groups as they leave a knowledge base and come back, letter for letter.

Each exported record carries its group's digest. A record that still matches it is taken back as it is; one that a
person has changed since, or that no base may hold, is read, and normalised, like any other file's.

A spreadsheet runs cells that begin like a formula. They go out behind an apostrophe, and so does a cell that begins
with one, so that taking one apostrophe away gives back what was there.
"""

import re
from collections.abc import Mapping

from data.digest import group_digest
from data.groups import group_problem
from data.types import QAGroup

DIGEST_COLUMN = "sha256"

# OWASP's list, with the full-width forms that Korean and Japanese spreadsheets also read as formulas.
_DANGEROUS = re.compile("[=+\\-@\t\n＝＋－＠']")

_NUMBERED = re.compile(r"(질문|답변)_(\d{1,9})")


def neutralised(cell: str) -> str:
    """Returns a cell that no spreadsheet runs."""
    return f"'{cell}" if _DANGEROUS.match(cell) else cell


def restored(cell: str) -> str:
    """Returns what `neutralised` was given."""
    return cell[1:] if cell.startswith("'") and _DANGEROUS.match(cell[1:2]) else cell


def exact_group(cells: Mapping[str, str]) -> QAGroup | None:
    """Returns the group of an exported table's row if nothing in it was changed and a base may hold it; else None.

    Args:
        cells: Cell by column name, as they stand in the file.
    """
    digest = cells.get(DIGEST_COLUMN)
    if not digest:
        return None
    texts: dict[str, list[tuple[int, str]]] = {"질문": [], "답변": []}
    for name, cell in cells.items():
        if (match := _NUMBERED.fullmatch(name)) and cell:
            texts[match[1]].append((int(match[2]), restored(cell)))
    group = QAGroup(
        id=restored(cells.get("id", "")),
        questions=tuple(text for _, text in sorted(texts["질문"])),
        answers=tuple(text for _, text in sorted(texts["답변"])),
        category=restored(cells.get("category", "")),
        source=restored(cells.get("source", "")),
    )
    return group if group_digest(group) == digest and not group_problem(group) else None


def exact_record(record: Mapping[str, object]) -> QAGroup | None:
    """Returns the group of an exported JSON record if nothing in it was changed and a base may hold it; else None."""
    digest = record.get(DIGEST_COLUMN)
    names = ("id", "category", "source")
    lists = [record.get(name) for name in ("questions", "answers")]
    if not isinstance(digest, str) or not all(isinstance(record.get(name), str) for name in names):
        return None
    questions, answers = (
        tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else () for value in lists
    )
    identifier, category, source = (str(record[name]) for name in names)
    group = QAGroup(identifier, questions, answers, category, source)
    return group if group_digest(group) == digest and not group_problem(group) else None
