"""Small plots as inline SVG: bars, histograms, intervals, lines, points.

Text is text, shown in the page's fonts. Styled by `index.page_parts`.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT, _BASE, _TOP = 360, 150, 122, 14


def histogram(
    title: str,
    edges: Sequence[float],
    bars: Sequence[int],
    unit: str,
    mark: float | None = None,
    *,
    whole: bool = False,
    cut: bool = False,
) -> str:
    """Draws a histogram.

    Args:
        title: Read out by screen readers and shown above the plot.
        edges: One more than there are bars.
        bars: Count of each bin.
        unit: Follows the numbers in each bar's tooltip.
        mark: Value at which a line is drawn, such as the median.
        whole: The values are whole numbers, so that a bin ends one below its right edge.
        cut: The last bin holds all greater values, too.
    """
    low, high = edges[0], edges[-1]
    span = (high - low) or 1.0
    tallest = max(bars) or 1
    shapes = []
    for number, (count, left, right) in enumerate(zip(bars, edges, edges[1:], strict=False), 1):
        x, width = (left - low) / span * _WIDTH, max(1.0, (right - left) / span * _WIDTH - 1)
        height = count / tallest * (_BASE - _TOP)
        label = f"{_reach(left, right - int(whole), open_end=cut and number == len(bars))} {unit}: {count:,}"
        shapes.append(
            f'<rect class="bar" x="{x:.1f}" y="{_BASE - height:.1f}" width="{width:.1f}" height="{height:.1f}">'
            f"<title>{escape(label)}</title></rect>"
        )
    if mark is not None and low <= mark <= high:
        x = (mark - low) / span * _WIDTH
        shapes.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{_BASE}"/>')
        anchor = "end" if x > _WIDTH * 0.75 else "start"
        shift = -4 if anchor == "end" else 4
        shapes.append(f'<text x="{x + shift:.1f}" y="{_TOP - 4}" text-anchor="{anchor}">{_number(mark)}</text>')
    middle = (low + high) / 2
    for value, anchor in ((low, "start"), (middle, "middle"), (high, "end")):
        x = (value - low) / span * _WIDTH
        shapes.append(f'<text x="{x:.1f}" y="{_BASE + 15}" text-anchor="{anchor}">{_number(value)}</text>')
    shapes.append(f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_BASE}" y2="{_BASE}"/>')
    body = "".join(shapes)
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg role="img" aria-label="{escape(title, quote=True)}" '
        f'viewBox="-2 0 {_WIDTH + 4} {_HEIGHT - 8}">{body}</svg></figure>'
    )


def bar_list(counts: Sequence[tuple[str, int]]) -> str:
    """Draws named counts as horizontal bars of HTML, so that long Korean names wrap instead of being cut."""
    largest = max((count for _, count in counts), default=1) or 1
    rows = "".join(
        f'<div class="row"><span class="name">{escape(name)}</span><span class="track">'
        f'<span class="fill" style="width:{count / largest * 100:.1f}%"></span></span>'
        f'<span class="count">{count:,}</span></div>'
        for name, count in counts
    )
    return f'<div class="bars">{rows}</div>'


class Estimate(NamedTuple):
    """A value with its interval, None for both ends where there is none, and what it is of."""

    label: str
    value: float
    low: float | None
    high: float | None

    @property
    def ends(self) -> tuple[float, float]:
        """Returns the ends of the interval; the value twice without one."""
        if self.low is None or self.high is None:
            return self.value, self.value
        return self.low, self.high


def intervals(title: str, estimates: Sequence[Estimate], *, zero: bool = False) -> str:
    """Draws values with their intervals, one a row.

    Args:
        title: Shown above the plot.
        estimates: At least one.
        zero: Draw a line at 0, for differences.
    """
    low = min(estimate.ends[0] for estimate in estimates)
    high = max(estimate.ends[1] for estimate in estimates)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    span = (high - low) or 1.0
    low, span = low - span * 0.04, span * 1.08
    left, right, step = 150, 56, 24
    room = _WIDE - left - right
    height = step * len(estimates) + 26
    shapes = []
    if zero:
        x = left + (0 - low) / span * room
        shapes.append(f'<line class="zero" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{height - 22}"/>')
    for row, estimate in enumerate(estimates):
        y = step * row + 16
        first, last = estimate.ends
        x0, x, x1 = (left + (value - low) / span * room for value in (first, estimate.value, last))
        told = f"{estimate.label}: {estimate.value:z.3f}"
        if estimate.low is not None:
            told += f" [{first:z.3f}, {last:z.3f}]"
        shapes.append(
            f'<g><title>{escape(told)}</title><text class="label" x="0" y="{y + 4}">{escape(estimate.label)}</text>'
            f'<line class="span" x1="{x0:.1f}" x2="{x1:.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="dot" cx="{x:.1f}" cy="{y}" r="4"/>'
            f'<text x="{_WIDE}" y="{y + 4}" text-anchor="end">{estimate.value:z.3f}</text></g>'
        )
    shapes += _x_axis(low, low + span, left, room, height - 18)
    return _figure(title, shapes, height)


def lines(title: str, series: Sequence[tuple[str, Sequence[tuple[float, float]]]], x_label: str, y_label: str) -> str:
    """Draws lines through points.

    Args:
        title: Shown above the plot.
        series: Name and points of each line, at least one point in all; a line keeps its colour by its place, so a
            line without points keeps the colours of those after it alike in several plots.
        x_label: Name of the axis from left to right.
        y_label: Name of the axis from bottom to top.
    """
    points = [point for _, line in series for point in line]
    frame = _Frame.around(points)
    shapes = frame.axes(x_label, y_label)
    drawn = [(number, name, line) for number, (name, line) in enumerate(series) if line]
    for number, name, line in drawn:
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in line)
        shapes.append(f'<polyline class="line c{number % 9}" points="{path}"><title>{escape(name)}</title></polyline>')
    legend = "".join(f'<span><i class="b{number % 9}"></i>{escape(name)}</span>' for number, name, _ in drawn)
    return _figure(title, shapes, _TALL, f'<div class="legend">{legend}</div>')


def scatter(title: str, points: Sequence[tuple[float, float, str]], x_label: str, y_label: str) -> str:
    """Draws points with their tooltips: (x, y, text)."""
    frame = _Frame.around([(x, y) for x, y, _ in points])
    shapes = frame.axes(x_label, y_label)
    shapes += [
        f'<circle class="dot dim" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3.2"><title>{escape(text)}</title>'
        "</circle>"
        for x, y, text in points
    ]
    return _figure(title, shapes, _TALL)


_WIDE, _TALL = 520, 250


class _Frame(NamedTuple):
    """Maps values into a plot with room for its axes."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float

    @classmethod
    def around(cls, points: Sequence[tuple[float, float]]) -> "_Frame":
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return cls(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1, *_padded(min(ys), max(ys)))

    def x(self, value: float) -> float:
        return 44 + (value - self.low_x) / (self.high_x - self.low_x) * (_WIDE - 60)

    def y(self, value: float) -> float:
        return _TALL - 44 - (value - self.low_y) / (self.high_y - self.low_y) * (_TALL - 60)

    def axes(self, x_label: str, y_label: str) -> list[str]:
        bottom = _TALL - 44
        shapes = [
            f'<line class="axis" x1="44" x2="{_WIDE - 16}" y1="{bottom}" y2="{bottom}"/>',
            f'<line class="axis" x1="44" x2="44" y1="14" y2="{bottom}"/>',
            f'<text x="{_WIDE - 16}" y="{_TALL - 8}" text-anchor="end">{escape(x_label)}</text>',
            f'<text x="48" y="12">{escape(y_label)}</text>',
        ]
        for share in (0.0, 0.5, 1.0):
            x = self.low_x + share * (self.high_x - self.low_x)
            y = self.low_y + share * (self.high_y - self.low_y)
            shapes.append(f'<text x="{self.x(x):.1f}" y="{bottom + 16}" text-anchor="middle">{_number(x)}</text>')
            shapes.append(f'<text x="40" y="{self.y(y) + 4:.1f}" text-anchor="end">{_number(y)}</text>')
        return shapes


def _padded(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * 0.05 or 0.5
    return low - room, high + room


def _x_axis(low: float, high: float, left: float, room: float, y: float) -> list[str]:
    shapes = [f'<line class="axis" x1="{left}" x2="{left + room}" y1="{y - 4}" y2="{y - 4}"/>']
    for share in (0.0, 0.5, 1.0):
        value = low + share * (high - low)
        x = left + share * room
        shapes.append(f'<text x="{x:.1f}" y="{y + 10}" text-anchor="middle">{value:z.2f}</text>')
    return shapes


def _figure(title: str, shapes: Sequence[str], height: float, below: str = "") -> str:
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg role="img" aria-label="{escape(title, quote=True)}" '
        f'viewBox="-2 0 {_WIDE + 4} {height}">{"".join(shapes)}</svg>{below}</figure>'
    )


def _reach(first: float, last: float, *, open_end: bool) -> str:
    if open_end:
        return f"{_number(first)}+"
    return _number(first) if first == last else f"{_number(first)}–{_number(last)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2f}"
