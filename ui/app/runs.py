"""Runs started from the page in a process of their own, so that a page that answers is never held up by them."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from data.errors import InputError, one_line


def runs_folder() -> Path:
    """Returns where runs lie: `$DOBAE_RUNS`, or `runs` here, as the commands leave them."""
    return Path(os.environ.get("DOBAE_RUNS", "runs")).resolve()


def new_folder(name: str) -> Path:
    """Makes a folder for a new run.

    Raises:
        InputError: It cannot be made.
    """
    folder = runs_folder() / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({one_line(error)}); set DOBAE_RUNS") from error
    return folder


class Command:
    """A `dobae` command at work beside the page.

    Attributes:
        folder: Its run's folder.
        stopped: Whether somebody stopped it.
    """

    def __init__(self, arguments: list[str], folder: Path) -> None:
        """Starts it; what it says goes to a file in the folder."""
        self.folder = folder
        self.stopped = False
        self._log = folder / "page.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command; the page gives names of presets only
                [sys.executable, "-m", "ui.cli.main", *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def done(self) -> bool:
        """Returns whether it has ended."""
        return self._process.poll() is not None

    @property
    def failed(self) -> bool:
        """Returns whether it ended otherwise than well."""
        return self._process.poll() not in (None, 0)

    def stop(self) -> None:
        """Asks it to end."""
        self.stopped = True
        self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Waits until it has ended, at most `seconds`; returns whether it has."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.done

    def last_line(self) -> str:
        """Returns the last line it said."""
        with suppress(OSError):
            lines = self._log.read_text("utf-8", "replace").split("\n")
            return next((line for line in reversed(lines) if line.strip()), "")
        return ""


class TrainingRun(Command):
    """A fine-tuning run of one preset."""

    def __init__(self, preset: str, steps: int) -> None:
        """Starts it.

        Raises:
            InputError: Its folder cannot be made.
        """
        folder = new_folder(f"page-{preset}")
        super().__init__(["train", preset, "--max-steps", str(steps), "--out", str(folder)], folder)

    @property
    def adapter(self) -> Path:
        """Returns where its adapter is, once it has ended well."""
        return self.folder / "adapter"

    def losses(self) -> list[dict[str, Any]]:
        """Returns what the last checkpoint, or at the end the run's report, says of the losses."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            for path in self.adapter.glob("*.json"):
                found = json.loads(path.read_text("utf-8")).get("losses")
                if isinstance(found, list):
                    return found
        states = sorted(
            (self.folder / "checkpoints").glob("checkpoint-*/trainer_state.json"),
            key=lambda path: int(path.parent.name.rpartition("-")[2]),
        )
        # A checkpoint that is being written is not whole yet: the one before it is.
        for path in reversed(states):
            with suppress(OSError, ValueError, KeyError):
                return list(json.loads(path.read_text("utf-8"))["log_history"])
        return []
