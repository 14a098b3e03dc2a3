"""Numbers of a report as the cells of its tables, with their intervals; Markdown and the page tell them alike."""

from typing import Any

Json = dict[str, Any]
NOTHING = "–"

REFUSALS = ("refused_by_threshold", "refused_by_model", "empty")
"""Shares of a report's `abstention`, in the order they are told."""


def value_cell(entry: Json | None, *, signed: bool = False) -> str:
    """Returns a value of a report; of one from 10 up one digit is enough."""
    if not entry:
        return NOTHING
    digits = 1 if abs(entry["value"]) >= 10 else 3
    return _told(entry, f"{'+' if signed else ''}.{digits}f")


def share_cell(entry: Json | None) -> str:
    """Returns a share in hundredths."""
    return _told(entry, ".0%") if entry else NOTHING


def _told(entry: Json, spec: str) -> str:
    shown = format(entry["value"], spec)
    return shown if entry["low"] is None else f"{shown} [{entry['low']:{spec}}, {entry['high']:{spec}}]"


def p_cell(value: float | None) -> str:
    """Returns a p-value."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def number_cell(value: float | None, digits: int) -> str:
    """Returns a number without interval."""
    return NOTHING if value is None else f"{value:,.{digits}f}"
