"""A JSONL file of answers that can be continued after a kill, by one process at a time."""

import json
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from filelock import FileLock, Timeout

from data.errors import InputError
from data.text import on_one_line

_BEGINNING = b'{"question"'


class AnswerFile:
    """Appends one answer a line, each synced to the disk before the next question is asked.

    Attributes:
        done: Number of leading questions that the file answered when it was opened.
    """

    def __init__(self, path: Path, questions: list[str], generator: str, settings: dict[str, Any]) -> None:
        """Opens a new file or one that an earlier run left behind; a last line cut short is taken back.

        Args:
            path: The file.
            questions: All questions, in order.
            generator: Name of the generator; a run is not continued by another.
            settings: What else the answers depend on, as JSON values; written with every answer, and a run is not
                continued with others.

        Raises:
            InputError: The file holds something else, answers other questions, is being written by another process,
                or cannot be written.
        """
        self._path = path
        self._settings = settings
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is not a regular file; choose another --out")
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            self._file: BinaryIO = path.open("a+b")
        except Timeout:
            raise InputError(f"{path}: another process is writing answers here; wait for it, or name another") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error
        try:
            self.done = self._take_up([on_one_line(question) for question in questions], generator)
        except BaseException:
            self._close()
            raise

    def append(self, answer: dict[str, Any]) -> None:
        """Writes one answer and waits until it is on the disk.

        Raises:
            InputError: The disk is full or gone; what was written before stays.
        """
        line = json.dumps(answer | {"settings": self._settings}, ensure_ascii=False)
        try:
            self._file.write(line.encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InputError(
                f"{self._path}: cannot be written ({error.strerror}); make room and run the same command again"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        # A full disk was reported when the line was written.
        with suppress(OSError):
            self._file.close()
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def _take_up(self, questions: list[str], generator: str) -> int:
        self._file.seek(0)
        whole, done = 0, 0
        for line in self._file:
            if not line.endswith(b"\n"):
                # Only a line of ours that a kill cut short is taken back; a stranger's text is left alone.
                if not line.startswith(_BEGINNING[: len(line)]):
                    raise self._stranger(done)
                self._file.truncate(whole)
                break
            answered, by, settings = self._answer_of(line, done)
            if done >= len(questions) or answered != questions[done]:
                raise InputError(
                    f"{self._path}, line {done + 1}: answers another question than line {done + 1} of the "
                    "questions; give a new --out file, or the questions it was begun with"
                )
            if by != generator:
                raise InputError(
                    f"{self._path}, line {done + 1}: was answered by {by!r}, not by {generator!r}; "
                    "give a new --out file, or the generator it was begun with"
                )
            self._check(settings, done)
            whole += len(line)
            done += 1
        return done

    def _answer_of(self, line: bytes, number: int) -> tuple[str, str, dict[str, Any]]:
        try:
            record = json.loads(line)
            return str(record["question"]), str(record["generator"]), dict(record.get("settings", {}))
        except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
            raise self._stranger(number) from None

    def _check(self, found: dict[str, Any], number: int) -> None:
        where, mend = f"{self._path}, line {number + 1}", "give a new --out file"
        if not found:
            raise InputError(f"{where}: does not say with which settings it was answered; {mend}")
        names = [name for name in {**self._settings, **found} if found.get(name) != self._settings.get(name)]
        if names:
            told = ", ".join(f"{name} {found.get(name)!r}, not {self._settings.get(name)!r}" for name in names)
            raise InputError(f"{where}: was answered with {told}; {mend}, or the settings it was begun with")

    def _stranger(self, number: int) -> InputError:
        return InputError(f"{self._path}, line {number + 1}: is not an answer of an earlier run; give a new --out file")
