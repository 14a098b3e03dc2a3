"""The Hugging Face hub, and what a folder of its cache says about itself."""

import re
from pathlib import Path

_SECONDS = 10.0
"""Waited for the hub to say whether it has a name."""

_SNAPSHOT = re.compile(r"models--[^/]+/snapshots/([0-9a-f]{40})/?$")


def snapshot_commit(folder: Path) -> str | None:
    """Returns the commit of a model folder in the Hugging Face cache; None for any other folder, which has none."""
    found = _SNAPSHOT.search(folder.absolute().as_posix())
    return found[1] if found else None


def ask_hub(name: str) -> None:
    """Asks the hub once whether it has a model or tokenizer: loading alone tries for minutes and prints each try.

    Raises:
        Exception: Whatever the hub's client of the day raises where it cannot be reached, or has no such name.
    """
    from huggingface_hub import HfApi

    HfApi().model_info(name, timeout=_SECONDS)
