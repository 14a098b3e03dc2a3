"""Groups that a model wrote and nobody has approved: how they are known, and why they are not taken."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from data.errors import InputError
from data.tables import TableRow

PROVENANCE = "provenance"
_REASON = (
    "nobody has approved this group yet; take it out of a review queue by `dobae data augment --approve`, "
    "or take it as it is with --unapproved"
)


def check_approved(record: Mapping[str, object]) -> None:
    """Refuses a record whose provenance says that nobody has approved it.

    Raises:
        InputError: It waits to be approved.
    """
    if _waits(record.get(PROVENANCE)):
        raise InputError(_REASON)


def approved_rows(rows: Iterable[TableRow]) -> Iterator[TableRow]:
    """Yields rows, those of a review queue with the problem that nobody has approved them."""
    for row in rows:
        yield replace(row, problem=row.problem or _REASON) if _waits(row.cell(PROVENANCE)) else row


def _waits(provenance: object) -> bool:
    if isinstance(provenance, str):
        try:
            provenance = json.loads(provenance)
        except (ValueError, RecursionError):
            return False
    return isinstance(provenance, dict) and provenance.get("approved") is False
