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
from collections.abc import Callable
from pathlib import Path

from data.errors import DobaeError, InputError, one_line
from data.writers import write_atomically

MIN_CHARS = 10
N, R, P = 1 << 15, 8, 1
"""scrypt's cost: 32 MiB and about a tenth of a second for each try (RFC 7914)."""

FREE_TRIES = 5
"""Wrong passphrases in a row before the first pause, over all visitors."""

FIRST_PAUSE, LONGEST_PAUSE = 30.0, 900.0
"""Seconds; each further wrong passphrase doubles the pause."""


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


class Gate:
    """Lets the keeper in; shared by all sessions of a process, so that a new session brings no new tries.

    Args:
        path: As `set_passphrase` wrote it.
        clock: Seconds that only rise.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong = 0
        self._closed_until = 0.0

    def key(self) -> str | None:
        """Returns what changes with the passphrase; None where none is set.

        Raises:
            PassphraseError: The file cannot be read.
        """
        record = self._record()
        return None if record is None else hashlib.sha256(record[0] + record[1]).hexdigest()

    def pause(self) -> float:
        """Returns the seconds for which nobody is asked."""
        return max(0.0, self._closed_until - self._clock())

    def enter(self, passphrase: str) -> str | None:
        """Tries a passphrase.

        Returns:
            The key of the passphrase, to be compared with `key` at every later step, or None: wrong, or in a pause.

        Raises:
            PassphraseError: The file cannot be read.
        """
        with self._lock:  # One at a time: guesses in parallel would outrun the count.
            record = self._record()
            if record is None or self.pause() > 0:
                return None
            salt, expected = record
            if hmac.compare_digest(_hash(passphrase[:1000], salt), expected):
                self._wrong = 0
                return hashlib.sha256(salt + expected).hexdigest()
            self._wrong += 1
            if self._wrong >= FREE_TRIES:
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(20, self._wrong - FREE_TRIES))
                self._closed_until = self._clock() + pause
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


def _check_kdf(record: dict[str, object]) -> None:
    if (record["kdf"], record["n"], record["r"], record["p"]) != ("scrypt", N, R, P):
        raise ValueError("it was hashed another way")


def _hash(passphrase: str, salt: bytes) -> bytes:
    text = unicodedata.normalize("NFC", passphrase.strip())
    return hashlib.scrypt(text.encode("utf-8", "replace"), salt=salt, n=N, r=R, p=P, maxmem=64 << 20, dklen=32)
