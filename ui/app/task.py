"""One piece of long work beside the page: its progress, its result, what went wrong. Knows nothing about Streamlit."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from data.errors import DobaeError

T = TypeVar("T")
Progress = Callable[[int, int], None]

_log = logging.getLogger(__name__)


class Task(Generic[T]):
    """Work in a thread of its own; read by any thread.

    Attributes:
        result: What it returned, once it has.
        error: What went wrong; other than a `DobaeError`, a mistake of the program.
    """

    def __init__(self, work: Callable[[Progress], T]) -> None:
        """Starts `work`, which tells its progress as (done, total)."""
        self.result: T | None = None
        self.error: Exception | None = None
        self._share = 0.0
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True, name="dobae-task")
        self._thread.start()

    @property
    def done(self) -> bool:
        """Returns whether it has ended."""
        return not self._thread.is_alive()

    @property
    def share(self) -> float:
        """Returns how much is done, from 0 to 1."""
        return self._share

    def wait(self, seconds: float) -> bool:
        """Waits until it has ended, at most `seconds`; returns whether it has."""
        self._thread.join(seconds)
        return self.done

    def _run(self, work: Callable[[Progress], T]) -> None:
        try:
            self.result = work(self._tell)
        except DobaeError as error:
            self.error = error
        except Exception as error:
            _log.exception("work beside the page failed inside")
            self.error = error

    def _tell(self, done: int, total: int) -> None:
        self._share = max(0.0, min(1.0, done / total)) if total else 0.0
