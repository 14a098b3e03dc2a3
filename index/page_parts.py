"""What our reports as pages share: one document without scripts or outside resources, its style, its tiles.

Whoever adds a text escapes it: much of what stands in a report was written by others.
"""

from collections.abc import Iterable, Sequence
from html import escape

from data.catalog import spoken
from index.page_font import FONT_FAMILIES, font_face

_STYLE = """
:root{color-scheme:light dark;--ink:#1d2327;--soft:#5b6670;--line:#dde2e6;--paper:#fff;--card:#f6f7f8;--main:#2f6f8f;
--hot:#b4472f}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaed;--soft:#9aa6af;--line:#39424a;--paper:#15191c;--card:#1e2428;
--main:#6fb1d1;--hot:#e58b72}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:28px 20px 60px;background:var(--paper);color:var(--ink);
font:15px/1.6 @fonts@;
word-break:keep-all;overflow-wrap:anywhere}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:38px 0 10px}h3{font-size:16px;margin:22px 0 4px}
p.soft,.soft{color:var(--soft)}
.tiles{display:flex;flex-wrap:wrap;gap:10px;margin:18px 0}
.tile{background:var(--card);border-radius:10px;padding:10px 16px;min-width:120px}
.tile b{display:block;font-size:22px;line-height:1.3}.tile.hot b{color:var(--hot)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:18px}
figure{margin:0;background:var(--card);border-radius:10px;padding:12px 14px}figcaption{font-size:14px}
svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--soft)}
.bar{fill:var(--main)}.axis{stroke:var(--line)}.mark{stroke:var(--hot);stroke-width:1.5;stroke-dasharray:4 3}
.row{display:grid;grid-template-columns:11em 1fr 5em;gap:10px;align-items:center;margin:3px 0}
.track{background:var(--card);border-radius:4px}.fill{display:block;height:14px;background:var(--main);border-radius:4px}
.count{text-align:right;font-variant-numeric:tabular-nums}
@media(max-width:600px){.row{grid-template-columns:7.5em 1fr 3.5em}}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;vertical-align:top;padding:6px 8px;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}td.id,td.short{white-space:nowrap}td.num,th.num{text-align:right;white-space:nowrap}
th{min-width:3em}td{min-width:7em}td.id,td.short,td.num{min-width:0}td.text{min-width:18em}
details{margin:8px 0}summary{cursor:pointer}
.plots+.plots{margin-top:18px}
.plots.wide2{grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr))}
.legend{font-size:13px;color:var(--soft);display:flex;flex-wrap:wrap;gap:4px 14px;margin-top:4px}
.legend i{display:inline-block;width:14px;height:4px;border-radius:2px;margin-right:5px;vertical-align:middle}
.span{stroke:var(--main);stroke-width:2}.dot{fill:var(--main)}.dot.dim{fill-opacity:.45}svg text.label{fill:var(--ink)}
.zero{stroke:var(--soft);stroke-dasharray:2 3}.line{fill:none;stroke-width:1.8}
.c0{stroke:#2f6f8f}.c1{stroke:#b4472f}.c2{stroke:#4d8a3f}.c3{stroke:#8b5fa8}.c4{stroke:#b58a1f}.c5{stroke:#3c8f8a}
.c6{stroke:#a1486e}.c7{stroke:#6b7580}.c8{stroke:#7a5230}
.b0{background:#2f6f8f}.b1{background:#b4472f}.b2{background:#4d8a3f}.b3{background:#8b5fa8}.b4{background:#b58a1f}
.b5{background:#3c8f8a}.b6{background:#a1486e}.b7{background:#6b7580}.b8{background:#7a5230}
""".replace("@fonts@", FONT_FAMILIES)


def document(title: str, sections: Iterable[str]) -> str:
    """Puts sections of HTML into a page of its own.

    Args:
        title: Escaped here.
        sections: HTML.
    """
    body = "\n".join(sections)
    style = font_face(title + body) + _STYLE
    return (
        f"<!doctype html>\n<html lang='{spoken()}'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        "<meta http-equiv='Content-Security-Policy' "
        "content=\"default-src 'none'; style-src 'unsafe-inline'; font-src data:\">"
        f"<title>{escape(title)}</title><style>{style}</style></head><body>{body}</body></html>\n"
    )


def tiles(boxes: Iterable[tuple[str, str, str]]) -> str:
    """Draws numbers in boxes: label, value, and "hot" where it deserves attention."""
    return (
        "<div class='tiles'>"
        + "".join(
            f"<div class='tile {kind}'>{escape(label)}<b>{escape(value)}</b></div>" for label, value, kind in boxes
        )
        + "</div>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """Draws a table of plain texts, escaped here.

    Args:
        head: Names of the columns.
        rows: Cells as text.
        numbers: How many of the last columns hold numbers and are set to the right.
    """
    first = len(head) - numbers
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td class='num'>{escape(cell)}</td>" if place >= first else f"<td>{escape(cell)}</td>"
            for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    names = head_row(head, numbers)
    return f"<div class='wide'><table>{names}{lines}</table></div>"


def head_row(names: Sequence[str], numbers: int = 0) -> str:
    """Draws the names of a table's columns, escaped here; those of the last `numbers` columns stand over numbers."""
    first = len(names) - numbers
    cells = (
        f"<th class='num'>{escape(name)}</th>" if place >= first else f"<th>{escape(name)}</th>"
        for place, name in enumerate(names)
    )
    return f"<tr>{''.join(cells)}</tr>"
