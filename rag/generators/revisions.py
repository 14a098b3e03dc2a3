"""Which commit of its base model an adapter was trained on, and that this one answers.

A Hugging Face id names whatever its authors uploaded last; an adapter is for one commit of it.
"""

import json
from pathlib import Path

from data.errors import AdapterMismatchError, InputError
from data.hub import snapshot_commit
from data.model_files import sampled_digest
from rag.generators.adapters import CARD
from rag.model_store import DEFAULT_MODEL, find


def find_base(name: str, adapter: Path | None) -> Path:
    """Resolves a model's name as `model_store.find` does, at the commit that the adapter was trained on.

    A folder outside the Hugging Face cache has no commit; where the adapter was trained on a folder, what both hold is
    compared, and elsewhere vocabulary and shapes, later.

    Args:
        name: The model's name.
        adapter: Folder of the adapter that is put on it, if any.

    Raises:
        ModelNotFoundError: The model cannot be had at that commit.
        AdapterMismatchError: The folder named holds another commit, or other weights.
        InputError: The adapter's card cannot be read.
    """
    if adapter is None or name == DEFAULT_MODEL:
        return find(name)
    commit, digest = recorded(adapter, "base_revision"), recorded(adapter, "base_digest")
    local = Path(name).expanduser()
    if not local.is_dir():
        return find(name, commit or "")
    there = snapshot_commit(local)
    if commit and there and commit != there:
        raise AdapterMismatchError(
            f"the adapter in {adapter} was trained on revision {commit} of its base; {name} is revision {there}"
        )
    folder = find(name)
    if digest and digest != sampled_digest(folder):
        raise AdapterMismatchError(f"the adapter in {adapter} was trained on other weights than those in {name}")
    return folder


def recorded(adapter: Path, key: str) -> str | None:
    """Returns a text of an adapter's card; None where there is no card, or it does not say.

    Raises:
        InputError: The card cannot be read.
    """
    try:
        card = json.loads((adapter / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{adapter / CARD} cannot be read: {error}") from error
    value = card.get(key) if isinstance(card, dict) else None
    return value if isinstance(value, str) and value else None
