"""Writes an audit: `audit.json` for programs, `audit.html` for people, `suspects.csv` for both, and its near pairs."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import InputError
from data.exact import neutralised
from data.join_files import LINK_COLUMNS
from data.writers import write_atomically
from index.audit.auditing import Audit, category_counts
from index.audit.page import render_page
from index.audit.suspects import csv_text, has_marks, write_suspects

NEAR_PAIRS = "near_pairs.csv"
SCHEMA = "dobae.audit/2"
MOST_PAIRS = 500
"""Near pairs listed in the report; the number of all of them stands beside."""


def write_report(audit: Audit, folder: Path) -> tuple[Path, Path | None]:
    """Writes the files of an audit.

    Args:
        audit: What to report.
        folder: Made if it does not exist.

    Returns:
        The path of `suspects.csv`, and where an earlier one that a person had marked was moved, if there was one.

    Raises:
        InputError: The folder cannot be written.
    """
    suspects = folder / "suspects.csv"
    kept = None
    try:
        write_atomically(folder / "audit.json", json.dumps(as_json(audit), ensure_ascii=False, indent=1) + "\n")
        write_atomically(folder / "audit.html", render_page(audit))
        if suspects.exists() and has_marks(suspects):
            number = next(n for n in range(1, 10_000) if not (folder / f"suspects.{n}.csv").exists())
            kept = suspects.rename(folder / f"suspects.{number}.csv")
        write_suspects(suspects, audit.suspects.findings)
        _write_near_pairs(folder / NEAR_PAIRS, audit)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error
    return suspects, kept


def _write_near_pairs(path: Path, audit: Audit) -> None:
    """Writes all near pairs, the nearest first, as `data.joining.read_links` reads them."""
    groups = audit.file.result.groups
    rows = [
        (groups[pair.first].id, groups[pair.second].id, *pair.questions, f"{pair.jaccard:.4f}", f"{pair.cosine:.4f}")
        for pair in audit.pairs
    ]
    table = [(*LINK_COLUMNS, "first_question", "second_question", "letters", "cosine"), *rows]
    write_atomically(path, csv_text([neutralised(cell) for cell in row] for row in table))


def summary(audit: Audit) -> dict[str, Any]:
    """Returns the numbers that the command prints and the report opens with."""
    groups = audit.file.result.groups
    suspected = len(audit.suspects.group_ids)
    return {
        "file": str(audit.file.path),
        "groups": len(groups),
        "questions": sum(len(group.questions) for group in groups),
        "answers": sum(len(group.answers) for group in groups),
        "pairs": sum(len(group.questions) * len(group.answers) for group in groups),
        "rejected": len(audit.file.result.rejects),
        "suspected_groups": suspected,
        "suspected_share": round(suspected / len(groups), 4),
        "suspects": len(audit.suspects.findings),
        "reasons": dict(Counter(finding.reason for finding in audit.suspects.findings).most_common()),
        "left_out": audit.suspects.left_out,
        "leaks": None if audit.leaks is None else dict(Counter(leak.kind for leak in audit.leaks)),
        "seconds": round(sum(audit.seconds.values()), 2),
    }


def as_json(audit: Audit) -> dict[str, Any]:
    """Returns the whole report as JSON values.

    The evidence of a finding is `{"seen": [{"key": ..., "values": {...}}], "texts": [...]}`: facts by name, with the
    names and numbers they hold, and the texts concerned.
    """
    groups = audit.file.result.groups
    return {
        "schema": SCHEMA,
        **summary(audit),
        "sha256": audit.sha256,
        "encoder": audit.encoder,
        "seconds_by_step": audit.seconds,
        "notes": [*audit.file.result.notes, *audit.notes],
        "rejects": [asdict(reject) for reject in audit.file.result.rejects],
        "categories": category_counts(audit),
        "questions_per_group": _counted(len(group.questions) for group in groups),
        "answers_per_group": _counted(len(group.answers) for group in groups),
        "lengths": [asdict(item) for item in audit.lengths],
        "repeated_questions": [{"question": text, "group_ids": ids} for text, ids in audit.repeated_questions],
        "near_pair_count": len(audit.pairs),
        "near_pairs": [
            {
                "groups": [groups[pair.first].id, groups[pair.second].id],
                "questions": list(pair.questions),
                "jaccard": round(pair.jaccard, 4),
                "cosine": round(pair.cosine, 4),
                "same": pair.same,
            }
            for pair in audit.pairs[:MOST_PAIRS]
        ],
        "agreement": {
            "measure": "cosine of jamo 4-gram counts, medoid answer with the others",
            **_quantiles([item.score for item in audit.agreements if len(item.each) > 1]),
            "groups": {groups[item.group].id: round(item.score, 4) for item in audit.agreements if len(item.each) > 1},
        },
        "margin": {
            "measure": "cosine of the medoid answer with its question, less that with the nearest other group's",
            **_quantiles(audit.margins),
        },
        "leakage": None if audit.leaks is None else [asdict(leak) for leak in audit.leaks],
        "findings": [asdict(finding) for finding in audit.suspects.findings],
    }


def _counted(sizes: Any) -> dict[str, int]:
    return {str(size): count for size, count in sorted(Counter(sizes).items())}


def _quantiles(values: Any) -> dict[str, float]:
    if not len(values):
        return {}
    names = {"p5": 5, "median": 50, "p95": 95}
    return {name: round(float(np.percentile(values, percent)), 4) for name, percent in names.items()}
