"""Who may keep the base: a passphrase set by the operator, kept as a salted slow hash, asked a limited number of times.

There is no default: without a passphrase nobody gets in. Knows nothing about Streamlit.
"""

import hashlib
import hmac
import json
import os
import secrets
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from data.errors import DobaeError, InputError, one_line
from data.writers import write_atomically

MIN_CHARS = 10
N, R, P = 1 << 15, 8, 1
"""scrypt's cost: 32 MiB and about a tenth of a second for each try (RFC 7914)."""

FREE_TRIES = 5
"""Wrong passphrases in a row before a visitor's first pause."""

FREE_TRIES_OF_ALL = 100
"""The same over all visitors: whoever guesses from many addresses is slowed down too."""

FIRST_PAUSE, LONGEST_PAUSE = 30.0, 900.0
"""Seconds; each further wrong passphrase doubles the pause."""

REMEMBERED = 10_000
"""Visitors whose wrong passphrases are counted; beyond, the one who was wrong longest ago is forgotten."""


class PassphraseError(DobaeError):
    """The file of the passphrase cannot be read or written."""

    code = "passphrase"


def passphrase_file() -> Path:
    """Returns where the hash is kept: `$DOBAE_PASSPHRASE_FILE`, or the user's configuration folder."""
    if chosen := os.environ.get("DOBAE_PASSPHRASE_FILE"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_config_path("dobae", appauthor=False) / "passphrase.json"


def set_passphrase(path: Path, passphrase: str) -> None:
    """Keeps a passphrase's hash; who was let in by an earlier one is let in no longer.

    Raises:
        InputError: It is too short.
        PassphraseError: The file cannot be written.
    """
    if len(passphrase.strip()) < MIN_CHARS or len(set(passphrase)) < 4:
        raise InputError(f"the passphrase is too easy; choose at least {MIN_CHARS} characters, not all alike")
    salt = secrets.token_bytes(16)
    record = {"kdf": "scrypt", "n": N, "r": R, "p": P, "salt": salt.hex(), "hash": _hash(passphrase, salt).hex()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, json.dumps(record) + "\n")
        path.chmod(0o600)
    except OSError as error:
        raise PassphraseError(f"{path}: cannot be written ({one_line(error)}); set DOBAE_PASSPHRASE_FILE") from error


@dataclass(slots=True)
class _Tries:
    """Wrong passphrases in a row, and the clock until which no other is taken."""

    wrong: int = 0
    closed_until: float = 0.0

    def count(self, free: int, now: float) -> None:
        self.wrong += 1
        if self.wrong >= free:
            self.closed_until = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(20, self.wrong - free))


class Gate:
    """Lets the keeper in; shared by all sessions of a process, so that a new session brings no new tries.

    Each visitor has tries of their own, so that nobody locks the keeper out. Guesses from very many addresses make
    strangers wait; not one from whose address the keeper has entered before.

    Args:
        path: As `set_passphrase` wrote it.
        clock: Seconds that only rise.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._of_all = _Tries()
        self._welcome: set[str] = set()

    def key(self) -> str | None:
        """Returns what changes with the passphrase; None where none is set.

        Raises:
            PassphraseError: The file cannot be read.
        """
        record = self._record()
        return None if record is None else hashlib.sha256(record[0] + record[1]).hexdigest()

    def pause(self, address: str | None) -> float:
        """Returns the seconds for which a visitor's passphrase is not taken.

        Args:
            address: IP address of the visitor; None on this machine.
        """
        visitor = _visitor(address)
        own = self._tries.get(visitor, _Tries())
        until = own.closed_until if visitor in self._welcome else max(own.closed_until, self._of_all.closed_until)
        return max(0.0, until - self._clock())

    def enter(self, passphrase: str, address: str | None) -> str | None:
        """Tries a passphrase.

        Args:
            passphrase: As given.
            address: IP address of the visitor; None on this machine.

        Returns:
            The key of the passphrase, to be compared with `key` at every later step, or None: wrong, or in a pause.

        Raises:
            PassphraseError: The file cannot be read.
        """
        visitor = _visitor(address)
        with self._lock:  # One at a time: guesses in parallel would outrun the count.
            record = self._record()
            if record is None or self.pause(address) > 0:
                return None
            salt, expected = record
            if hmac.compare_digest(_hash(passphrase[:1000], salt), expected):
                self._tries.pop(visitor, None)
                self._of_all = _Tries()
                self._welcome.add(visitor)
                return hashlib.sha256(salt + expected).hexdigest()
            own = self._tries.setdefault(visitor, _Tries())
            self._tries.move_to_end(visitor)
            if len(self._tries) > REMEMBERED:
                self._tries.popitem(last=False)
            own.count(FREE_TRIES, self._clock())
            self._of_all.count(FREE_TRIES_OF_ALL, self._clock())
            return None

    def _record(self) -> tuple[bytes, bytes] | None:
        try:
            record = json.loads(self._path.read_text("utf-8"))
            _check_kdf(record)
            return bytes.fromhex(record["salt"]), bytes.fromhex(record["hash"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PassphraseError(
                f"{self._path}: cannot be read ({one_line(error)}); run `dobae ui passphrase` again"
            ) from error


def _visitor(address: str | None) -> str:
    """Returns whose tries are counted together: an address, or the network of 2**64 that an IPv6 visitor has."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(int(parsed) >> 64)
    return str(parsed)


def _check_kdf(record: dict[str, object]) -> None:
    if (record["kdf"], record["n"], record["r"], record["p"]) != ("scrypt", N, R, P):
        raise ValueError("it was hashed another way")


def _hash(passphrase: str, salt: bytes) -> bytes:
    text = unicodedata.normalize("NFC", passphrase.strip())
    return hashlib.scrypt(text.encode("utf-8", "replace"), salt=salt, n=N, r=R, p=P, maxmem=64 << 20, dklen=32)
