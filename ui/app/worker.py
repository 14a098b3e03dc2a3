"""Long work in a process of its own: an evaluation, an audit. What it has done it prints, a number a line.

    python -m ui.app.worker evaluate PRESET FOLDER
    python -m ui.app.worker audit FILE ENCODER FOLDER

Beside the page's own process, because work that keeps an interpreter busy would keep every visitor waiting.
"""

import json
import os
import sys
from pathlib import Path

from data.errors import DobaeError
from data.writers import write_atomically
from index.encoders.base import Encoder, EncoderSettings, make_encoder

AUDIT_FILE = "audit.json"
LESS_URGENT = 5
"""Added to the process's niceness: visitors come first."""


STAGES = {"building bases": 0.15, "answering": 0.65, "encoding answers": 0.15, "scoring": 0.05}
"""Steps of an evaluation in their order, and how much of the whole each is, roughly."""


class Share:
    """Prints how much is done, in hundredths, whenever that grows: a step that begins anew takes nothing back."""

    def __init__(self) -> None:
        self._told = -1

    def __call__(self, done: float, total: float) -> None:
        """Tells that `done` of `total` is done."""
        hundredths = int(100 * done / max(1, total))
        if hundredths > self._told:
            self._told = hundredths
            print(hundredths, flush=True)  # noqa: T201

    def of_stage(self, stage: str, done: int, total: int) -> None:
        """Tells that `done` of `total` is done of one of the `STAGES`."""
        before = 0.0
        for name, weight in STAGES.items():
            if name == stage:
                self(before + weight * done / max(1, total), 1)
            before += weight


def evaluate(preset: str, folder: Path) -> None:
    """Runs an evaluation and writes its report.

    Raises:
        InputError: As `rag.evaluation.running.evaluate`.
    """
    from data.settings import find_config
    from rag.evaluation.config import PRESETS, read_config
    from rag.evaluation.report import write_report
    from rag.evaluation.running import evaluate as run

    found = run(read_config(find_config(preset, PRESETS)), folder, progress=Share().of_stage)
    write_report(found.report, folder)


def audit(file: Path, encoder: Encoder, folder: Path, vectors: Path) -> None:
    """Audits a file and writes what was found.

    Args:
        file: As `index.audit.auditing.audit_file` reads it.
        encoder: For neighbours.
        folder: Gets `AUDIT_FILE`.
        vectors: Folder that keeps vectors for the next audit.

    Raises:
        InputError: As `index.audit.auditing.audit_file`.
    """
    from index.audit.auditing import audit_file
    from index.audit.report import as_json

    found = as_json(audit_file(file, encoder, vectors, progress=Share()))
    write_atomically(folder / AUDIT_FILE, json.dumps(found, ensure_ascii=False))


def main(arguments: list[str]) -> int:
    """Does what the arguments say; returns the exit status, as the command line's."""
    os.nice(LESS_URGENT)
    try:
        match arguments:
            case ["evaluate", preset, folder]:
                evaluate(preset, Path(folder))
            case ["audit", file, encoder, folder]:
                from rag.model_store import cache_dir

                kept = cache_dir() / "audits"
                kept.mkdir(parents=True, exist_ok=True)
                audit(Path(file), make_encoder(EncoderSettings(spec=encoder)), Path(folder), kept)
            case _:
                return 2
    except DobaeError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
