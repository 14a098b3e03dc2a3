"""What a folder of the Hugging Face cache says about itself."""

import re
from pathlib import Path

_SNAPSHOT = re.compile(r"models--[^/]+/snapshots/([0-9a-f]{40})/?$")


def snapshot_commit(folder: Path) -> str | None:
    """Returns the commit of a model folder in the Hugging Face cache; None for any other folder, which has none."""
    found = _SNAPSHOT.search(folder.absolute().as_posix())
    return found[1] if found else None
