"""An append-only record of a run that survives a kill: every reply paid for, every verdict given, once each.

One JSON object a line, synced before the next step. What a later run finds in it is not asked again, unless it was no
usable reply: such a task is asked again by a later run, a few times. A last line cut short by a kill is taken back. The
accepted groups are those of the journal: files for people are derived from it.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO, Self

from filelock import FileLock, Timeout

from data.errors import InputError

FORMAT = 1

UNUSABLE = frozenset(("bad_json", "refused"))
"""Why a reply may hold nothing; another model, or the same on another day, may do better."""

RUNS = 4
"""Runs in which a task is asked before an unusable reply stands for good."""

Record = dict[str, Any]

_BEGINS = b'{"kind": "begin"'
_NEEDED = {"reply": ("task", "value", "tokens"), "verdict": ("task", "accepted"), "lost": ("tokens",)}


class Journal:
    """The journal of one run, possibly continued.

    Attributes:
        replies: Reply records by task; of earlier runs only those that are not to be asked for again.
        verdicts: Verdict records by task, likewise, in the order given.
        resumed: Whether an earlier run left records.
    """

    def __init__(self, path: Path, settings: Record) -> None:
        """Opens or continues a journal.

        Args:
            path: The file.
            settings: What must not change between the runs that share a journal.

        Raises:
            InputError: Another run is writing it, it was begun with other settings, it is damaged, or it cannot be
                written.
        """
        self._path = path
        self._lock = Lock()
        self._broken: InputError | None = None
        self.replies: dict[str, Record] = {}
        self.verdicts: dict[str, Record] = {}
        self._spent = [0, 0]
        self._runs: Counter[str] = Counter()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._guard = FileLock(f"{path}.lock")
            self._guard.acquire(timeout=0)
            self._file: BinaryIO = path.open("a+b")
        except Timeout:
            raise InputError(
                f"{path}: another run is writing this journal; wait for it, or name another file"
            ) from None
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
        try:
            self.resumed = self._take_up(settings)
        except BaseException:
            self.close()
            raise

    def add_reply(self, record: Record) -> None:
        """Writes one reply and waits until it is on the disk; may be called from several threads."""
        self._write({"kind": "reply", **record})
        self._count(record["tokens"])
        self.replies[record["task"]] = record

    def add_lost(self, task: str, tokens: tuple[int, int]) -> None:
        """Writes what a task may have cost that no reply came of."""
        self._write({"kind": "lost", "task": task, "tokens": tokens})
        self._count(tokens)

    def add_verdict(self, record: Record) -> None:
        """Writes one verdict, the accepted group included, and waits until it is on the disk."""
        self._write({"kind": "verdict", **record})
        self.verdicts[record["task"]] = record

    def accepted(self) -> Iterator[Record]:
        """Yields the accepted groups in the order in which they were accepted."""
        return (record["group"] for record in self.verdicts.values() if record["accepted"])

    def rejected(self) -> Counter[str]:
        """Returns how many candidates were refused, and how many replies were unusable, by reason."""
        reasons = Counter(str(record["reason"]) for record in self.verdicts.values() if not record["accepted"])
        judged = self.verdicts.keys()
        reasons.update(
            str(record["problem"])
            for task, record in self.replies.items()
            if record["value"] is None and task not in judged
        )
        return reasons

    def tokens(self) -> tuple[int, int]:
        """Returns the tokens (in, out) of everything on record, unusable replies included."""
        return self._spent[0], self._spent[1]

    def close(self) -> None:
        """Closes the file and lets others have it."""
        if hasattr(self, "_file"):
            with suppress(OSError):  # what could not be written was said when it was to be
                self._file.close()
        self._guard.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, record: Record) -> None:
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        with self._lock:
            if self._broken:  # a line behind a torn one would not be a line
                raise self._broken
            try:
                self._file.write(line)
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                self._broken = InputError(
                    f"{self._path}: cannot be written ({error.strerror}); make room, then run again to go on"
                )
                raise self._broken from error

    def _take_up(self, settings: Record) -> bool:
        self._file.seek(0)
        whole = 0
        begun = False
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                if not begun and line[: len(_BEGINS)] != _BEGINS[: len(line)]:
                    raise InputError(f"{self._path}: is not a journal; name another file")
                break
            record = self._record_of(line, number)
            if not begun:
                self._check(record, settings)
                begun = True
            elif record["kind"] in {"reply", "lost"}:
                self._take_up_reply(record)
            elif record["kind"] == "verdict" and self._stands(record):
                self.verdicts.setdefault(record["task"], record)
            whole += len(line)
        self._file.truncate(whole)
        self._file.seek(0, os.SEEK_END)
        if not begun:
            self._write({"kind": "begin", "format": FORMAT, "settings": settings})
        return begun

    def _take_up_reply(self, record: Record) -> None:
        self._count(record["tokens"])
        if record["kind"] == "lost":
            return
        task = record["task"]
        self._runs[task] += 1
        if record["value"] is not None or self._runs[task] >= RUNS:
            self.replies[task] = record

    def _stands(self, verdict: Record) -> bool:
        """Tells whether a verdict is not about a reply that is to be asked for again."""
        return bool(verdict["accepted"]) or verdict.get("reason") not in UNUSABLE or verdict["task"] in self.replies

    def _count(self, tokens: Sequence[int]) -> None:
        with self._lock:
            self._spent[0] += tokens[0]
            self._spent[1] += tokens[1]

    def _record_of(self, line: bytes, number: int) -> Record:
        try:
            record = json.loads(line)
            for name in _NEEDED.get(record["kind"], ()):
                record[name]
            return dict(record)
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{self._path}, line {number}: is not a line of a journal; name another file, or mend the line"
            ) from None

    def _check(self, record: Record, settings: Record) -> None:
        if record["kind"] != "begin" or record.get("format") != FORMAT:
            raise InputError(f"{self._path}: is not a journal of this version; name another file")
        before = record.get("settings", {})
        changed = sorted(name for name in {*before, *settings} if before.get(name) != settings.get(name))
        if changed:
            name = changed[0]
            raise InputError(
                f"{self._path}: was begun with another {name} ({before.get(name)}, now {settings.get(name)}); "
                "name another file, or go on with the settings it was begun with"
            )
