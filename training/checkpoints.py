"""Checkpoints on disk: which of them are whole. Knows nothing of torch."""

from pathlib import Path

COMPLETE = "dobae_complete"
"""Marks a checkpoint whose every file was written; one without it is left over from a kill."""


def last_checkpoint(folder: Path) -> Path | None:
    """Returns the newest whole checkpoint in a folder, or None."""
    found = [
        path
        for path in folder.glob("checkpoint-*")
        if (path / COMPLETE).exists() and path.name.removeprefix("checkpoint-").isdigit()
    ]
    return max(found, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)
