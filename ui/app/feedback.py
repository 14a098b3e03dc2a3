"""Readers' verdicts, in SQLite: masked before they are stored, deleted when their time is over."""

import sqlite3
import threading
import time
from pathlib import Path

from data.errors import DobaeError, one_line
from ui.app.privacy import masked

DAY = 86_400
_SCHEMA = """CREATE TABLE IF NOT EXISTS feedback (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, good INTEGER NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
    reason TEXT NOT NULL, generator TEXT NOT NULL, groups TEXT NOT NULL)"""


class FeedbackError(DobaeError):
    """The store of verdicts cannot be written."""

    code = "feedback"


class FeedbackStore:
    """Verdicts on answers.

    Args:
        path: The database; its folder is made.
        days: A verdict is deleted after so many days.

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
                self._connection.execute("DELETE FROM feedback WHERE at < ?", (now - self.days * DAY,))
                self._connection.execute(
                    "INSERT INTO feedback (at, good, question, answer, reason, generator, groups)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (now, int(good), *texts, generator, " ".join(groups)),
                )
        except sqlite3.Error as error:
            raise FeedbackError(f"a verdict could not be stored ({one_line(error)})") from error

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()
