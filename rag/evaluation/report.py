"""Writes an evaluation: `report.json` for programs, `report.md` for documents, `report.html` for people."""

import json
from collections.abc import Mapping
from math import isfinite
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


def holds_other_settings(folder: Path, config: Mapping[str, Any]) -> bool:
    """Says whether the folder holds a report of other settings than `config` (`EvaluationConfig.to_json`)."""
    try:
        report = json.loads((folder / JSON_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(report, dict) and report.get("config") != config


def read_report(path: Path) -> dict[str, Any]:
    """Reads a `report.json`, or the one in a folder.

    Raises:
        InputError: There is none, or it is damaged or of another version.
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
    if lacking := _lacking(report):
        raise InputError(f"{file}: is damaged, it lacks {lacking}; run the evaluation again")
    ids = [item["id"] for item in report["questions"]]
    if len(set(ids)) < len(ids):
        raise InputError(f"{file}: is damaged, a question stands there twice; run the evaluation again")
    return dict(report)


_READ = {
    "metric_encoder": dict,
    "prompt": dict,
    "files": dict,
    "protocols": dict,
    "arms": dict,
    "means": dict,
    "questions": list,
}
_READ_OF_A_QUESTION = {"id": str, "protocol": str, "targets": list, "scores": dict}


def _lacking(report: Mapping[str, Any]) -> str:
    """Names the first thing that a comparison reads and the report lacks, or holds as another kind; empty for none."""
    found = (name for name, kind in _READ.items() if not isinstance(report.get(name), kind))
    if name := next(found, ""):
        return name
    if "fingerprint" not in report["metric_encoder"]:
        return "metric_encoder.fingerprint"
    if arm := next((arm for arm, entry in report["arms"].items() if not isinstance(entry, dict)), ""):
        return f"arms.{arm}"
    for number, item in enumerate(report["questions"], 1):
        if not isinstance(item, dict):
            return f"question {number}"
        for name, kind in _READ_OF_A_QUESTION.items():
            if not isinstance(item.get(name), kind):
                return f"{name} of question {number}"
        for arm, scores in item["scores"].items():
            if not isinstance(scores, dict) or not all(_is_score(score) for score in scores.values()):
                return f"a score of {arm} for question {number}"
    return ""


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)
