"""Progress bars on standard error, and notes beside them; silent where nobody watches."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from data.text import on_one_line, printable

_SPEED_OVER = 3600.0
"""Seconds of progress that the time left is estimated from: a batch of answers can take minutes."""


class Bar(Protocol):
    """Moves a bar: (done, total), and what is being done where that changes."""

    def __call__(self, done: int, total: int, what: str | None = None) -> None:
        """Moves the bar."""
        ...


@contextmanager
def progress_bar(label: str) -> Iterator[Bar]:
    """Shows a bar with the time left while work is done; yields a function that takes (done, total[, what])."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    silent = not sys.stderr.isatty()
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=silent, transient=True, speed_estimate_period=_SPEED_OVER) as bar:
        task = bar.add_task(label, total=None)
        shown = label

        def move(done: int, total: int, what: str | None = None) -> None:
            nonlocal task, shown
            if what is not None and what != shown:
                # A step of its own has a speed of its own, and so a time left of its own.
                bar.remove_task(task)
                task, shown = bar.add_task(what, total=total), what
            bar.update(task, completed=done, total=total)

        yield move


def note(text: str) -> None:
    """Prints one line on standard error."""
    print(on_one_line(printable(text)), file=sys.stderr)  # noqa: T201
