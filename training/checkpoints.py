"""Checkpoints on disk: which of them are whole, and what the run had cost by then. Knows nothing of torch."""

import json
from pathlib import Path
from typing import NamedTuple

COMPLETE = "dobae_complete"
"""Marks a checkpoint whose every file was written; one without it is left over from a kill."""


COST = "dobae_cost.json"


class Cost(NamedTuple):
    """What a run has cost, in all its processes one after the other.

    Attributes:
        tokens: Tokens trained on, padding left out.
        seconds: Seconds spent in steps.
        cpu_seconds: CPU seconds spent in steps, of all threads.
        peak_bytes: The most memory that any of them held.
    """

    tokens: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


def write_cost(checkpoint: Path, cost: Cost) -> None:
    """Writes the cost beside a checkpoint's other files."""
    (checkpoint / COST).write_text(json.dumps(cost._asdict()) + "\n", encoding="utf-8")


def read_cost(checkpoint: Path) -> Cost:
    """Reads the cost of a whole checkpoint."""
    return Cost(**json.loads((checkpoint / COST).read_text(encoding="utf-8")))


def last_checkpoint(folder: Path) -> Path | None:
    """Returns the newest whole checkpoint in a folder, or None."""
    found = [
        path
        for path in folder.glob("checkpoint-*")
        if (path / COMPLETE).exists() and path.name.removeprefix("checkpoint-").isdigit()
    ]
    return max(found, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)
