"""One writer at a time, across processes and threads, and a word about who it is.

The lock lies beside the base, which may be replaced whole. The system frees it when its owner dies, however it dies.
"""

import errno
import getpass
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from data.errors import KnowledgeBaseError, one_line

_threads: dict[Path, threading.Lock] = {}
_threads_lock = threading.Lock()


def lock_file(path: Path) -> Path:
    """Returns the file that writers of the base at `path` lock; the first one makes it, and it stays."""
    return path.parent / f".{path.name}.lock"


@contextmanager
def writing(path: Path, purpose: str, *, wait: float = 0.0) -> Iterator[None]:
    """Keeps other writers of the base at `path` out.

    Args:
        path: The base.
        purpose: What is being done, told to those who wait.
        wait: Seconds to wait for another writer before giving up.

    Raises:
        KnowledgeBaseError: Another writer is at work, or the folder cannot be written.
    """
    path = path.resolve()
    lock = FileLock(lock_file(path))
    owner = path.parent / f".{path.name}.lock.owner"
    with _threads_lock:
        among_threads = _threads.setdefault(path, threading.Lock())
    if not among_threads.acquire(timeout=wait if wait > 0 else 0.001):
        raise KnowledgeBaseError(_busy(path, owner))
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=wait, poll_interval=0.02)
        except Timeout:
            raise KnowledgeBaseError(_busy(path, owner)) from None
        except OSError as error:
            raise KnowledgeBaseError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
        try:
            _sign(owner, purpose)
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            mend = "free some space" if full else "mend its permissions"
            raise KnowledgeBaseError(
                f"{path}: cannot be written ({error.strerror}); {mend}; nothing was changed"
            ) from error
        finally:
            with suppress(OSError):
                owner.unlink(missing_ok=True)
            lock.release()
    finally:
        among_threads.release()


def user_name() -> str:
    """Returns the name of the user, or "unknown" where the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _sign(owner: Path, purpose: str) -> None:
    """Says who holds the lock; only a courtesy, so that a failure to say it stops nobody."""
    record = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "user": user_name(),
        "purpose": purpose,
        "since": time.time(),
    }
    with suppress(OSError):
        owner.write_text(json.dumps(record), "utf-8")


def _busy(path: Path, owner: Path) -> str:
    return f"{path}: another process is writing here{_owner(owner)}; wait for it to end"


def _owner(owner: Path) -> str:
    try:
        record = json.loads(owner.read_text("utf-8"))
        age = time.time() - float(record["since"])
        # A clock that was set back makes the age negative.
        since = f"for {age:.0f} s" if age >= 0 else "for an unknown time (the clock went back)"
        who = f"{record['user']}@{record['host']}, process {int(record['pid'])}, `{record['purpose']}`"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f" ({one_line(who, 120)}, {since})"
