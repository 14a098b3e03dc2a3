"""Small plots as inline SVG: bars of counts and histograms. Text is text, so the reader's own Korean font shows it."""

from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT, _BASE, _TOP = 360, 150, 122, 14


def histogram(title: str, edges: Sequence[float], bars: Sequence[int], unit: str, mark: float | None = None) -> str:
    """Draws a histogram.

    Args:
        title: Read out by screen readers and shown above the plot.
        edges: One more than there are bars.
        bars: Count of each bin.
        unit: Follows the numbers in each bar's tooltip.
        mark: Value at which a line is drawn, such as the median.
    """
    low, high = edges[0], edges[-1]
    span = (high - low) or 1.0
    tallest = max(bars) or 1
    shapes = []
    for count, left, right in zip(bars, edges, edges[1:], strict=False):
        x, width = (left - low) / span * _WIDTH, max(1.0, (right - left) / span * _WIDTH - 1)
        height = count / tallest * (_BASE - _TOP)
        label = f"{_number(left)}–{_number(right)} {unit}: {count:,}"
        shapes.append(
            f'<rect class="bar" x="{x:.1f}" y="{_BASE - height:.1f}" width="{width:.1f}" height="{height:.1f}">'
            f"<title>{escape(label)}</title></rect>"
        )
    if mark is not None and low <= mark <= high:
        x = (mark - low) / span * _WIDTH
        shapes.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{_BASE}"/>')
        anchor = "end" if x > _WIDTH * 0.75 else "start"
        shift = -4 if anchor == "end" else 4
        shapes.append(f'<text x="{x + shift:.1f}" y="{_TOP + 4}" text-anchor="{anchor}">{_number(mark)}</text>')
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


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2f}"
