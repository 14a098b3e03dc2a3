"""Vega-Lite plots of the page: what is drawn, as values. Hovering tells the numbers; texts are shown, never run."""

from collections.abc import Sequence
from typing import Any

Spec = dict[str, Any]
Rows = Sequence[dict[str, Any]]

BAR_PIXELS, STACK_PIXELS = 26, 40
SIZES: Spec = {"autosize": {"type": "fit-x", "contains": "padding"}}
"""As wide as the page; heights are of the plot itself, whatever its axis and its legend take below."""
LEGEND_COLUMNS = 2
"""So many fit on a phone."""
LEGEND: Spec = {"orient": "bottom", "columns": LEGEND_COLUMNS, "title": None}
# Told apart by people who see colours differently, on white as on the dark theme (after Okabe and Ito, and Tol).
COLOURS = (
    *("#0f766e", "#d55e00", "#0072b2", "#cc79a7", "#e69f00", "#56b4e9", "#009e73", "#7f7f7f"),
    *("#332288", "#882255", "#999933", "#44aa99", "#661100"),
)
LIMIT = "#dc3545"
ONCE: Spec = {"values": [{}]}
"""A mark is drawn for every row of its data."""


def bars(
    rows: Rows, value: str, name: str, *, colour: str | None = None, limit: int = 0, least_step: float = 0.0
) -> Spec:
    """Returns horizontal bars in the rows' order.

    Args:
        rows: One a bar.
        value: Field that gives the length.
        name: Field that names the bar.
        colour: Field that gives the colour; bars of one name then lie one behind another.
        limit: Characters of a name shown; 0 for all.
        least_step: Between two numbers below the axis: 1 for what is counted.
    """
    encoding: Spec = {
        "y": {"field": name, "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": limit or 260}},
        "x": {"field": value, "type": "quantitative", "title": value, "axis": {"tickMinStep": least_step}},
        "tooltip": [{"field": field} for field in (name, colour, value) if field],
    }
    if colour:
        encoding["color"] = {"field": colour, "scale": {"range": list(COLOURS)}, "legend": LEGEND}
        encoding["order"] = {"field": "order"}
    bars_shown = len({row[name] for row in rows})
    return {
        **SIZES,
        "data": {"values": list(rows)},
        "mark": {"type": "bar", "color": COLOURS[0]},
        "encoding": encoding,
        "height": (STACK_PIXELS if colour else BAR_PIXELS) * bars_shown,
    }


def _upright(at: float, **look: Any) -> Spec:
    return {
        "data": ONCE,
        "mark": {"type": "rule", "aria": False, **look},
        "encoding": {"x": {"datum": at}},
    }


def with_limit(spec: Spec, at: float, text: str) -> Spec:
    """Returns horizontal bars with a line that they should not reach beyond."""
    plot = {key: value for key, value in spec.items() if key not in (*SIZES, "height", "data")}
    # Told in words below every such plot; a screen reader would meet a line without a name.
    line = _upright(at, color=LIMIT, size=2)
    words = {
        "data": ONCE,
        "mark": {"type": "text", "align": "right", "dx": -6, "color": LIMIT, "text": text, "aria": False},
        "encoding": {"x": {"datum": at}, "y": {"value": -8}},
    }
    return {**SIZES, "data": spec["data"], "layer": [plot, line, words], "height": spec["height"]}


def histogram(edges: Sequence[float], counts: Sequence[int], value: str, count: str) -> Spec:
    """Returns a histogram; `edges` has one number more than `counts`."""
    rows = [
        {"from": start, "to": end, count: number}
        for start, end, number in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    return {
        **SIZES,
        "data": {"values": rows},
        "mark": {"type": "bar", "color": COLOURS[0]},
        "encoding": {
            "x": {"field": "from", "type": "quantitative", "bin": {"binned": True}, "title": value},
            "x2": {"field": "to"},
            "y": {"field": count, "type": "quantitative", "title": count},
            "tooltip": [{"field": "from"}, {"field": "to"}, {"field": count}],
        },
        "height": 160,
    }


def binned(values: Sequence[float], value: str, count: str, *, step: float) -> Spec:
    """Returns a histogram of values in bins of one width."""
    return {
        **SIZES,
        "data": {"values": [{value: each} for each in values]},
        "mark": {"type": "bar", "color": COLOURS[0]},
        "encoding": {
            "x": {"field": value, "type": "quantitative", "bin": {"step": step}, "title": value},
            "y": {"aggregate": "count", "type": "quantitative", "title": count},
            "tooltip": [{"field": value, "bin": {"step": step}}, {"aggregate": "count", "title": count}],
        },
        "height": 160,
    }


def intervals(rows: Rows, value: str, name: str, colour: str, *, zero: bool = False) -> Spec:
    """Returns points with their intervals.

    Args:
        rows: One a point; each also has "low" and "high".
        value: Field of the point.
        name: Field that names its line.
        colour: Field that gives the colour; points of one name lie one below another.
        zero: Draw a line where nothing has changed.
    """
    place = {
        "y": {"field": name, "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}},
        "yOffset": {"field": colour},
        "color": {"field": colour, "scale": {"range": list(COLOURS)}, "legend": LEGEND},
        "tooltip": [{"field": field, "format": ".3f"} for field in (value, "low", "high")]
        + [{"field": name}, {"field": colour}],
    }
    line = {"x": {"field": "low", "type": "quantitative", "title": value}, "x2": {"field": "high"}}
    point = {"x": {"field": value, "type": "quantitative", "scale": {"zero": False}}}
    groups = len({row[name] for row in rows})
    of_each = len({row[colour] for row in rows})
    unchanged = _upright(0, color=COLOURS[7], opacity=0.6, strokeDash=[4, 4])
    return {
        **SIZES,
        "data": {"values": list(rows)},
        "layer": [
            *([unchanged] if zero else []),
            {"mark": {"type": "rule", "size": 2, "aria": False}, "encoding": {**place, **line}},
            {"mark": {"type": "point", "filled": True, "size": 70}, "encoding": {**place, **point}},
        ],
        "height": groups * (16 * of_each + 14),
    }


def lines(rows: Rows, x: str, y: str, colour: str, *, least_step: float = 0.0) -> Spec:
    """Returns one line for each colour.

    Args:
        rows: One a point.
        x: Field to the right.
        y: Field upwards.
        colour: Field that gives the line.
        least_step: Between two numbers below the axis: 1 for what is counted.
    """
    return {
        **SIZES,
        "data": {"values": list(rows)},
        "mark": {"type": "line", "point": len(rows) < 60},
        "encoding": {
            "x": {"field": x, "type": "quantitative", "axis": {"tickMinStep": least_step}},
            "y": {"field": y, "type": "quantitative", "scale": {"zero": False}},
            "color": {"field": colour, "scale": {"range": list(COLOURS)}, "legend": LEGEND},
            "tooltip": [{"field": x}, {"field": y, "format": ".3f"}, {"field": colour}],
        },
        "height": 200,
    }
