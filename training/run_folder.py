"""A run's folder: `adapter/` (weights, card, report: what is shipped), `checkpoints/`, `logs/`, and `run.json`.

The last says what the checkpoints were trained on, so that a resume cannot mix two runs.
"""

import json
import os
from pathlib import Path
from typing import Any

from data.errors import FileFormatError, InputError
from data.hub import snapshot_commit
from data.model_files import sampled_digest
from data.writers import can_be_written
from training.checkpoints import last_checkpoint
from training.config import TrainConfig
from training.rows import Prepared

ADAPTER = "adapter"
CHECKPOINTS = "checkpoints"
RUN_FILE = "run.json"


def check_folder(out: Path, *, resume: bool) -> None:
    """Checks that a run can begin in a folder, or go on in it.

    Raises:
        InputError: It cannot, and why.
    """
    last = last_checkpoint(out / CHECKPOINTS)
    if resume and last is None:
        raise InputError(f"no whole checkpoint in {out / CHECKPOINTS} to go on from; leave --resume out")
    if not resume and last is not None:
        raise InputError(f"{out} holds a run already ({last.name}); go on with --resume, or choose another --out")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; choose another --out")
    if not can_be_written(out):  # said now, and not after the minutes that preparing the rows takes
        raise InputError(f"cannot make {out} (no permission to write there); choose another --out")


def identity(config: TrainConfig, data: Prepared, base: Path, hardware: Any, max_steps: int | None) -> dict[str, Any]:
    """Returns what must be the same for a checkpoint to be gone on from."""
    return {
        "config_digest": config.digest(),
        "config": config.to_json(),
        "rows_digest": data.train.digest(),
        "held_out_digest": data.held_out.digest(),
        "base": snapshot_commit(base) or sampled_digest(base),
        "weights": hardware.weights,
        "compute": hardware.compute,
        "max_steps": max_steps,
        "world_size": int(os.environ.get("WORLD_SIZE", "1")),
    }


_SAME = {
    "rows_digest": "other training rows",
    "held_out_digest": "other held-out rows",
    "base": "another base model, or another version of it",
    "weights": "weights of another format",
    "compute": "arithmetic of another format",
    "max_steps": "another --max-steps",
    "world_size": "another number of GPUs",
}


def checkpoint_of(out: Path, now: dict[str, Any]) -> Path | None:
    """Returns the last whole checkpoint of a run, if it is of the run that is to go on.

    Args:
        out: Folder of the run.
        now: `identity` of the run that is to go on.

    Raises:
        FileFormatError: What the folder says about its run cannot be read.
        InputError: It is of another run.
    """
    try:
        before = json.loads((out / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{out / RUN_FILE} cannot be read ({error}); start again with another --out") from error
    if before.get("config_digest") != now["config_digest"]:
        changed = _changed(before.get("config", {}), now["config"])
        raise InputError(
            f"the checkpoints in {out} are of another configuration ({', '.join(changed) or 'unknown settings'} "
            "changed); put it back, or choose another --out"
        )
    for key, what in _SAME.items():
        if before.get(key) != now[key]:
            raise InputError(
                f"the checkpoints in {out} were trained with {what} ({before.get(key)}, now {now[key]}); "
                "put it back, or choose another --out"
            )
    return last_checkpoint(out / CHECKPOINTS)


def _changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    ignored = {"name", "logging", "output"}
    return [
        f"{section}.{key}"
        for section, values in now.items()
        if section not in ignored
        for key, value in values.items()
        if before.get(section, {}).get(key) != value
    ]
