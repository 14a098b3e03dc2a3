"""Which commit of its base model an adapter was trained on, and that this one answers.

A Hugging Face id names whatever its authors uploaded last; an adapter is for one commit of it.
"""

import json
from pathlib import Path

from data.errors import AdapterMismatchError, InputError
from data.hub import snapshot_commit
from rag.generators.adapters import CARD
from rag.model_store import DEFAULT_MODEL, find


def find_base(name: str, adapter: Path | None) -> Path:
    """Resolves a model's name as `model_store.find` does, at the commit that the adapter was trained on.

    A folder outside the Hugging Face cache has no commit to compare; its vocabulary and shapes are compared later.

    Args:
        name: The model's name.
        adapter: Folder of the adapter that is put on it, if any.

    Raises:
        ModelNotFoundError: The model cannot be had at that commit.
        AdapterMismatchError: The folder named holds another commit.
        InputError: The adapter's card cannot be read.
    """
    wanted = recorded_revision(adapter) if adapter is not None else None
    if wanted is None or name == DEFAULT_MODEL:
        return find(name)
    local = Path(name).expanduser()
    if not local.is_dir():
        return find(name, wanted)
    commit = snapshot_commit(local)
    if commit is not None and commit != wanted:
        raise AdapterMismatchError(
            f"the adapter in {adapter} was trained on revision {wanted} of its base; {name} is revision {commit}"
        )
    return find(name)


def recorded_revision(adapter: Path) -> str | None:
    """Returns the commit an adapter's card names; None where there is no card, or the base had none.

    Raises:
        InputError: The card cannot be read.
    """
    try:
        card = json.loads((adapter / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{adapter / CARD} cannot be read: {error}") from error
    revision = card.get("base_revision") if isinstance(card, dict) else None
    return revision if isinstance(revision, str) and revision else None
