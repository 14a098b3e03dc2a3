"""The journal on a disk that takes no more."""

import errno
import os
from pathlib import Path

import pytest

from data.errors import InputError
from rag.evaluation.journal import AnswerJournal


class FullDisk:
    """A file whose buffer cannot be written, not at the first try and not on closing."""

    def write(self, line: bytes) -> None:
        return

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    close = flush


def test_a_full_disk_is_told_in_one_line_and_leaves_the_journal_to_others(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with pytest.raises(InputError, match="make room and run the same command again"):
        _write_to_a_full_disk(path)
    with AnswerJournal(path) as journal:
        journal.add([{"key": "one"}])
    with AnswerJournal(path) as journal:
        assert list(journal.answers) == ["one"]


def _write_to_a_full_disk(path: Path) -> None:
    with AnswerJournal(path) as journal:
        journal._file.close()
        journal._file = FullDisk()  # type: ignore[assignment]
        journal.add([{"key": "one"}])
