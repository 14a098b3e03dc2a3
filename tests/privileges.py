"""Root may read and write everything: a test of permissions proves something only without that privilege."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION_3 = 0x20080522
_MAY_PASS_PERMISSIONS = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of `linux/capability.h`."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def unprivileged() -> Iterator[None]:
    """Lets file permissions hold for this thread, also where the tests run as root (Linux); others need nothing."""
    if os.geteuid() != 0:
        yield
        return
    before = _effective()
    _set_effective(before & ~_MAY_PASS_PERMISSIONS)
    try:
        yield
    finally:
        _set_effective(before)


def _effective() -> int:
    return int(_read()[0].effective)


def _read() -> ctypes.Array[_Sets]:
    sets = (_Sets * 2)()
    _call("capget", sets)
    return sets


def _set_effective(mask: int) -> None:
    sets = _read()
    sets[0].effective = mask
    _call("capset", sets)


def _call(name: str, sets: ctypes.Array[_Sets]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(ctypes.byref(_Header(_VERSION_3, 0)), sets) != 0:
        raise OSError(ctypes.get_errno(), f"{name} failed")
