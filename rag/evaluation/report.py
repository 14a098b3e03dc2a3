"""Writes an evaluation: `report.json` for programs, `report.md` for documents, `report.html` for people."""

import json
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.writers import write_atomically
from rag.evaluation.markdown import render_markdown
from rag.evaluation.page import render_page
from rag.evaluation.running import SCHEMA

JSON_FILE, MARKDOWN_FILE, PAGE_FILE = "report.json", "report.md", "report.html"


def write_report(report: dict[str, Any], folder: Path) -> None:
    """Writes the three files.

    Args:
        report: As `rag.evaluation.running.evaluate` makes it.
        folder: Made if it does not exist.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        write_atomically(folder / JSON_FILE, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
        write_atomically(folder / MARKDOWN_FILE, render_markdown(report))
        write_atomically(folder / PAGE_FILE, render_page(report))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error


def read_report(path: Path) -> dict[str, Any]:
    """Reads a `report.json`, or the one in a folder.

    Raises:
        InputError: There is none, or it is of another version.
    """
    file = path / JSON_FILE if path.is_dir() else path
    try:
        report = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); name a report.json") from error
    except ValueError as error:
        raise InputError(f"{file}: is not JSON ({error}); name a report.json") from error
    found = report.get("schema") if isinstance(report, dict) else None
    if found != SCHEMA:
        raise InputError(f"{file}: has schema {found!r}, this dobae compares {SCHEMA!r}; run the evaluation again")
    return dict(report)
