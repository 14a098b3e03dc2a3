"""Runs started from the page in a process of their own, so that a page that answers is never held up by them."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from data.errors import DobaeError, InputError, one_line
from ui.app.worker import AUDIT_FILE


def runs_folder() -> Path:
    """Returns where runs lie: `$DOBAE_RUNS`, or `runs` here, as the commands leave them."""
    return Path(os.environ.get("DOBAE_RUNS", "runs")).resolve()


def adapters(model: str) -> list[Path]:
    """Returns the adapters that runs have left for a model, the newest first."""
    from rag.generators.adapters import read_card
    from rag.model_store import canonical_name

    found = []
    for config in runs_folder().glob("*/adapter/adapter_config.json"):
        with suppress(DobaeError, OSError):  # A folder that is no whole adapter is none of ours to offer.
            name = read_card(config.parent).base_model
            if name and canonical_name(name) == model:
                found.append(config.parent)
    return sorted(found, key=lambda folder: -folder.stat().st_mtime)


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


_LOSS = re.compile(r"step (?P<step>\d+)/\d+: (?P<held_out>held-out )?loss (?P<loss>\d+(?:\.\d+)?)")
"""As `dobae train` says it."""


class Command:
    """One of our modules at work beside the page, in a process of its own.

    Attributes:
        kind: Of its work; of each kind one is at work at a time.
        folder: Its run's folder.
        log: File in it with all that it says.
        stopped: Whether somebody stopped it.
    """

    kind: ClassVar[str] = "command"

    def __init__(self, module: str, arguments: list[str], folder: Path) -> None:
        """Starts it."""
        self.folder = folder
        self.stopped = False
        self.log = folder / "page.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command; the page gives names of presets only
                [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def done(self) -> bool:
        """Returns whether it has ended."""
        return self._process.poll() is not None

    @property
    def share(self) -> float:
        """Returns how much is done, from 0 to 1, as `ui.app.worker` prints it."""
        hundredths = next(filter(str.isdecimal, reversed(self._lines())), "0")
        return min(1.0, int(hundredths) / 100)

    @property
    def error(self) -> str:
        """Returns what went wrong, for the reader; "" means a mistake of the program."""
        return self.last_line() if self._process.poll() == InputError.exit_code else ""

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
        return next(reversed(self._lines()), "")

    def _lines(self) -> list[str]:
        with suppress(OSError):
            return [line for line in self.log.read_text("utf-8", "replace").split("\n") if line.strip()]
        return []


C = TypeVar("C", bound=Command)
_LATEST: dict[str, Command] = {}


def latest(kind: type[C]) -> C | None:
    """Returns the run of a kind that was started last, whoever did: it outlives the visit that started it."""
    return cast("C | None", _LATEST.get(kind.kind))


def keep(run: Command) -> None:
    """Keeps a run that has been started, for `latest`."""
    _LATEST[run.kind] = run


class TrainingRun(Command):
    """A fine-tuning run of one preset."""

    kind = "training"

    def __init__(self, preset: str, steps: int) -> None:
        """Starts it.

        Raises:
            InputError: Its folder cannot be made.
        """
        folder = new_folder(f"page-{preset}")
        super().__init__("ui.cli.main", ["train", preset, "--max-steps", str(steps), "--out", str(folder)], folder)

    @property
    def adapter(self) -> Path:
        """Returns where its adapter is, once it has ended well."""
        return self.folder / "adapter"

    def losses(self) -> list[dict[str, float]]:
        """Returns the losses said so far: "step", and "loss" or, of the held-out rows, "eval_loss"."""
        return [
            {"step": int(said["step"]), "eval_loss" if said["held_out"] else "loss": float(said["loss"])}
            for line in self._lines()
            if (said := _LOSS.match(line))
        ]


class EvaluationRun(Command):
    """An evaluation of one preset."""

    kind = "evaluation"

    def __init__(self, preset: str) -> None:
        """Starts it.

        Raises:
            InputError: Its folder cannot be made.
        """
        folder = new_folder(preset)
        super().__init__("ui.app.worker", ["evaluate", preset, str(folder)], folder)


class AuditRun(Command):
    """An audit of a copy of the base."""

    kind = "audit"

    def __init__(self, groups: bytes, encoder: str) -> None:
        """Starts it.

        Args:
            groups: The base as JSON lines.
            encoder: The spec of its encoder.

        Raises:
            InputError: Its folder cannot be made.
        """
        folder = new_folder("audit")
        file = folder / "base.jsonl"
        file.write_bytes(groups)
        super().__init__("ui.app.worker", ["audit", str(file), encoder, str(folder)], folder)

    def result(self) -> dict[str, Any]:
        """Returns what was found, once it has ended well."""
        return dict(json.loads((self.folder / AUDIT_FILE).read_text("utf-8")))
