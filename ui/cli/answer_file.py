"""A JSONL file of answers that can be continued after a kill."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from data.errors import InputError


class AnswerFile:
    """Appends one answer a line, each synced to the disk before the next question is asked.

    Attributes:
        done: Number of leading questions that the file answered when it was opened.
    """

    def __init__(self, path: Path, questions: list[str]) -> None:
        """Opens a new file or one that an earlier run left behind; a last line cut short is taken back.

        Raises:
            InputError: The file answers other questions, or cannot be written.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("a+b")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error
        try:
            self.done = self._take_up(questions)
        except BaseException:
            self._file.close()
            raise

    def append(self, answer: dict[str, Any]) -> None:
        """Writes one answer and waits until it is on the disk."""
        self._file.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _take_up(self, questions: list[str]) -> int:
        self._file.seek(0)
        whole = 0
        for number, line in enumerate(self._file):
            if not line.endswith(b"\n"):
                break
            if number >= len(questions) or self._question_of(line, number) != questions[number]:
                raise InputError(
                    f"{self._path}, line {number + 1}: answers another question than line {number + 1} of the "
                    "questions; give a new --out file, or the questions it was begun with"
                )
            whole += len(line)
        else:
            self._file.seek(0, os.SEEK_END)
            return min(len(questions), self._count_lines())
        self._file.truncate(whole)
        return self._count_lines()

    def _count_lines(self) -> int:
        self._file.seek(0)
        return sum(1 for _ in self._file)

    def _question_of(self, line: bytes, number: int) -> str:
        try:
            return str(json.loads(line)["question"])
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{self._path}, line {number + 1}: is not an answer of an earlier run; give a new --out file"
            ) from None
