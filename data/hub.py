"""The Hugging Face hub: whether it answers, and which commit a folder of its cache holds."""

import re
from pathlib import Path

_SECONDS = 10.0
"""Waited for an answer."""

_SNAPSHOT = re.compile(r"models--[^/]+/snapshots/([0-9a-f]{40})/?$")


def hub_answers(name: str) -> bool:
    """Asks the hub once for a model or tokenizer; False where it cannot be reached, or may not be.

    To load by name without asking first is to try for minutes and to print each try. A name that the hub does not know
    is an answer, too: what loads it may complete the name.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().model_info(name, timeout=_SECONDS)
    except HfHubHTTPError:
        return True
    except Exception:  # whatever the hub's client of the day raises without a network
        return False
    return True


def snapshot_commit(folder: Path) -> str | None:
    """Returns the commit of a model folder in the Hugging Face cache; None for any other folder, which has none."""
    found = _SNAPSHOT.search(folder.absolute().as_posix())
    return found[1] if found else None
