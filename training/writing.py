"""Writes files and folders whole or not at all, and says in one line why not."""

import errno
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.errors import InputError, one_line
from training.errors import TrainingError


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Turns what a full or read-only disk raises while `target` is written into one line."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:  # its own class, whatever the system said
        raise TrainingError(f"{target} could not be written ({one_line(error)}); free some space") from error
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        mend = "free some space" if full else "mend that, or choose another folder"
        raise TrainingError(f"{target} could not be written ({error.strerror or error}); {mend}") from error


def make_folder(folder: Path) -> None:
    """Makes a run's folder.

    Raises:
        InputError: It cannot be made there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {folder} ({error.strerror or error}); choose another --out") from error


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file.

    Raises:
        TrainingError: The disk is full.
    """
    with disk_errors(path):
        path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def replace_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fills a new folder and puts it in place of the old one, which survives a failure.

    Raises:
        TrainingError: The disk is full.
    """
    with disk_errors(folder):
        temp = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            temp.chmod(0o755)
            fill(temp)
            old = temp.with_name(f"{temp.name}-old")
            if folder.exists():
                folder.rename(old)
            try:
                temp.rename(folder)
            except OSError:
                if old.exists():
                    old.rename(folder)
                raise
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(temp, ignore_errors=True)
