"""Readers' verdicts, in SQLite: masked before they are stored, deleted at the next use after their time is over.

Bad ones, and questions that found no answer, wait in a queue until the keeper of the base has dealt with them.
"""

import sqlite3
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from data.errors import DobaeError, one_line
from ui.app.privacy import masked

DAY = 86_400
_SCHEMA = """CREATE TABLE IF NOT EXISTS feedback (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, good INTEGER NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
    reason TEXT NOT NULL, generator TEXT NOT NULL, groups TEXT NOT NULL, settled INTEGER NOT NULL DEFAULT 0)"""


class FeedbackError(DobaeError):
    """The store of verdicts cannot be written."""

    code = "feedback"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question with bad verdicts, or without an answer, that nobody has dealt with.

    Attributes:
        numbers: Of the verdicts, the newest first.
        at: When the newest came, in seconds since 1970.
        question: As stored.
        answer: The newest one.
        reasons: Those given, each once, the newest first.
        groups: Cited by that answer, each once.
    """

    numbers: tuple[int, ...]
    at: float
    question: str
    answer: str
    reasons: tuple[str, ...]
    groups: tuple[str, ...]


class FeedbackStore:
    """Verdicts on answers.

    Args:
        path: The database; its folder is made.
        days: A verdict is deleted after so many days; those of earlier runs as soon as the database is opened.

    Raises:
        FeedbackError: The database cannot be opened.
    """

    def __init__(self, path: Path, days: int) -> None:
        self.days = days
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False)
            with self._connection:
                self._connection.execute("PRAGMA secure_delete = ON")
                self._connection.execute(_SCHEMA)
                columns = {row[1] for row in self._connection.execute("PRAGMA table_info(feedback)")}
                if "settled" not in columns:  # A database of the first version.
                    self._connection.execute("ALTER TABLE feedback ADD COLUMN settled INTEGER NOT NULL DEFAULT 0")
                self._purge(time.time())
        except (OSError, sqlite3.Error) as error:
            raise FeedbackError(f"{path}: cannot be opened ({one_line(error)}); set DOBAE_FEEDBACK") from error

    def add(self, *, good: bool, question: str, answer: str, reason: str, generator: str, groups: list[str]) -> None:
        """Stores one verdict, masked, and deletes those whose time is over.

        Raises:
            FeedbackError: It could not be stored.
        """
        now = time.time()
        texts = tuple(map(masked, (question, answer, reason)))
        try:
            with self._lock, self._connection:
                self._purge(now)
                self._connection.execute(
                    "INSERT INTO feedback (at, good, question, answer, reason, generator, groups)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (now, int(good), *texts, generator, "\n".join(groups)),
                )
        except sqlite3.Error as error:
            raise FeedbackError(f"a verdict could not be stored ({one_line(error)})") from error

    def waiting(self) -> list[Waiting]:
        """Returns what nobody has dealt with, the newest first; questions asked in the same words stand together.

        Raises:
            FeedbackError: They cannot be read.
        """
        try:
            with self._lock, self._connection:
                self._purge(time.time())
                rows = self._connection.execute(
                    "SELECT id, at, question, answer, reason, groups FROM feedback WHERE NOT good AND NOT settled"
                    " ORDER BY id DESC"
                ).fetchall()
        except sqlite3.Error as error:
            raise FeedbackError(f"verdicts cannot be read ({one_line(error)})") from error
        together: dict[str, Waiting] = {}
        for number, at, question, answer, reason, groups in rows:
            key = "".join(char for char in question.casefold() if char.isalnum()) or question
            each = together.setdefault(
                key, Waiting((), at, question, answer, (), tuple(dict.fromkeys(groups.splitlines())))
            )
            reasons = (*each.reasons, reason) if reason and reason not in each.reasons else each.reasons
            together[key] = replace(each, numbers=(*each.numbers, number), reasons=reasons)
        return list(together.values())

    def settle(self, waiting: Waiting) -> None:
        """Takes verdicts off the queue; they stay until their time is over.

        Raises:
            FeedbackError: It cannot be written.
        """
        try:
            with self._lock, self._connection:
                self._connection.executemany(
                    "UPDATE feedback SET settled = 1 WHERE id = ?", [(number,) for number in waiting.numbers]
                )
        except sqlite3.Error as error:
            raise FeedbackError(f"a verdict could not be settled ({one_line(error)})") from error

    def _purge(self, now: float) -> None:
        self._connection.execute("DELETE FROM feedback WHERE at < ?", (now - self.days * DAY,))

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()
