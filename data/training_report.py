"""What the report of a training run says about groups, for whoever trains on, evaluates or measures its adapter."""

import json
from pathlib import Path
from typing import NamedTuple

from data.errors import InputError

REPORT = "training.json"
"""Its name in an adapter's folder: settings, losses, and which groups were trained on."""


class SeenGroups(NamedTuple):
    """Ids of the groups an adapter was trained on, in whichever of its runs, and of those held out of all of them."""

    train: frozenset[str]
    held_out: frozenset[str]


def seen_groups(adapter: Path) -> SeenGroups | None:
    """Returns what an adapter has seen, or None where it has no report, or the report does not say.

    Raises:
        InputError: The report is damaged.
    """
    path = adapter / REPORT
    if not path.is_file():
        return None
    try:
        report = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    splits = report.get("splits") if isinstance(report, dict) else None
    parts = [splits.get(name) if isinstance(splits, dict) else None for name in SeenGroups._fields]
    ids = [frozenset(map(str, part)) for part in parts if isinstance(part, list)]
    return SeenGroups(*ids) if len(ids) == len(parts) else None
