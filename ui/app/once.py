"""Something that a process makes once, when it is first wanted, and all sessions share."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Makes a thing at the first call; who calls meanwhile waits. A making that fails is tried again."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: tuple[T] | None = None

    def __call__(self) -> T:
        """Returns the thing."""
        with self._lock:
            if self._made is None:
                self._made = (self._make(),)
            return self._made[0]

    def clear(self) -> None:
        """Forgets the thing, so that the next call makes another."""
        with self._lock:
            self._made = None
