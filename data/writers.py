"""Writes what the readers read: groups as JSON lines or DACON CSV, and rejected rows. Files appear whole or not."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.readers import Reject
from data.types import QAGroup


def write_atomically(path: Path, text: str) -> None:
    """Writes `text` in UTF-8 as `write_bytes_atomically` writes bytes.

    Raises:
        OSError: The folder cannot be written.
    """
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Writes `content` beside `path`, syncs it, and moves it into place.

    Raises:
        OSError: The folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's umask, which mkstemp ignores; the system lets one read it only by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def can_be_written(folder: Path) -> bool:
    """Says whether files may be made in a folder, which may have to be made first."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    return there.is_dir() and os.access(there, os.W_OK)


def check_target(target: Path, inputs: Iterable[Path | None], option: str = "--out") -> None:
    """Refuses to let a result take the place of what it is made from.

    Args:
        target: File to be written.
        inputs: Files that are read; None for one that was not given.
        option: What names the target on the command line.

    Raises:
        InputError: `target` is one of the inputs, or a directory.
    """
    if target.is_dir():
        raise InputError(f"{target}: is a directory; name a file with {option}")
    if target.resolve() in {source.resolve() for source in inputs if source is not None}:
        raise InputError(f"{target}: is an input file; name another file with {option}")


def check_new_target(target: Path, inputs: Iterable[Path | None], option: str = "--out") -> None:
    """Refuses to let a result take the place of any file; arguments as for `check_target`.

    Raises:
        InputError: As `check_target`; or `target` exists, or its folder cannot be written.
    """
    check_target(target, inputs, option)
    if target.exists():
        raise InputError(f"{target}: exists already; name a new file with {option}")
    check_folder(target, option)


def check_folder(target: Path, option: str = "--out") -> None:
    """Refuses a file whose folder cannot be written, before time or money is spent on what it is to hold.

    Raises:
        InputError: The folder cannot be written.
    """
    if not can_be_written(target.absolute().parent):
        raise InputError(f"{target}: the folder cannot be written; name another file with {option}")


REJECTS_HEADER = ("file", "line", "reason", "content")


def check_rejects_target(path: Path, inputs: Iterable[Path]) -> None:
    """Refuses to let a rejects file take the place of anything but an earlier rejects file.

    Raises:
        InputError: `path` is one of the inputs, holds something else, or its folder cannot be written.
    """
    if path.resolve() in {source.resolve() for source in inputs}:
        raise InputError(f"{path}: is an input file; name another file with --rejects")
    if path.exists():
        if not path.is_file():
            raise InputError(f"{path}: is not a regular file; name another file with --rejects")
        with path.open("rb") as file:
            if file.readline().decode("utf-8", "replace").strip() != ",".join(REJECTS_HEADER):
                raise InputError(f"{path}: holds something else than rejected rows; name another file with --rejects")
    check_folder(path, "--rejects")


def write_rejects(path: Path, rejects: Iterable[Reject]) -> None:
    """Writes rejected rows as CSV: file, line, reason, content."""
    rows = [(reject.file, str(reject.line), reject.reason, reject.content) for reject in rejects]
    write_atomically(path, _csv_text([REJECTS_HEADER, *rows]))


def write_json_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Writes one JSON object a line."""
    write_atomically(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def write_groups_jsonl(path: Path, groups: Iterable[QAGroup]) -> None:
    """Writes one group a line, every field kept."""
    write_json_lines(path, map(asdict, groups))


def _csv_text(rows: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
