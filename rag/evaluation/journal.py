"""What an evaluation has computed, one JSON object a line: a later run takes up what an earlier one finished.

Answers are kept by a digest of everything they depend on, so settings may change between runs: what still fits is
used, the rest is left where it is. Answers computed together are written together, so that a kill never leaves half
of a batch. A last line cut short is taken back.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from filelock import FileLock, Timeout

from data.errors import InputError

FORMAT = 1
Record = dict[str, Any]


class AnswerJournal:
    """Answers by key, in one file, written by one process at a time.

    Attributes:
        answers: Record of each key.
        written: Records added since the journal was opened.
    """

    def __init__(self, path: Path) -> None:
        """Opens a journal or begins one.

        Raises:
            InputError: Another run is writing it, it is damaged or of another version, or it cannot be written.
        """
        self._path = path
        self.answers: dict[str, Record] = {}
        self.written = 0
        self._guard = FileLock(f"{path}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._guard.acquire(timeout=0)
            self._file: BinaryIO = path.open("a+b")
        except Timeout:
            raise InputError(f"{path}: another evaluation writes here; wait for it, or name another --out") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error
        try:
            self._take_up()
        except BaseException:
            self.close()
            raise

    def add(self, records: Sequence[Record]) -> None:
        """Writes answers that were computed together, and waits until they are on the disk.

        Args:
            records: Each with its `key`.

        Raises:
            InputError: The disk is full or gone; what was written before stays.
        """
        line = json.dumps({"format": FORMAT, "answers": list(records)}, ensure_ascii=False).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InputError(
                f"{self._path}: cannot be written ({error.strerror}); make room and run the same command again"
            ) from error
        self.answers.update((record["key"], record) for record in records)
        self.written += len(records)

    def close(self) -> None:
        """Closes the file and lets others have it."""
        if hasattr(self, "_file"):
            # A full disk was reported when the answers were written.
            with suppress(OSError):
                self._file.close()
        self._guard.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_up(self) -> None:
        self._file.seek(0)
        whole = 0
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                entry = json.loads(line)
                if entry["format"] != FORMAT:
                    raise InputError(
                        f"{self._path}: is of version {entry['format']}, not {FORMAT}; remove it or name another --out"
                    )
                self.answers.update((record["key"], record) for record in entry["answers"])
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f"{self._path}, line {number}: is not a line of a journal; remove the line, or name another --out"
                ) from None
            whole += len(line)
        self._file.truncate(whole)
        self._file.seek(0, os.SEEK_END)
