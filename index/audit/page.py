"""`audit.html`: one page that needs nothing beside itself. Everything from the file is escaped: it is others' text."""

from collections import Counter
from html import escape
from typing import get_args

import numpy as np

from data.catalog import message
from data.problems import in_words
from index.audit.auditing import Audit, category_counts
from index.audit.findings import FEWEST_FOR_SPREAD, Finding, Reason
from index.audit.fixing import REPLACE
from index.audit.lengths import Lengths
from index.charts import bar_list, histogram
from index.page_parts import document, head_row, table, tiles

MOST_ROWS = 400
"""Suspects shown of one reason; `suspects.csv` holds all."""

REASONS: tuple[Reason, ...] = get_args(Reason)


def render_page(audit: Audit) -> str:
    """Renders the report as one HTML page without scripts or outside resources."""
    name = audit.file.path.name
    sections = [
        f"<h1>{_say('title')}</h1>"
        f"<p class='soft'>{escape(name)} · sha256 {audit.sha256[:12]} · {escape(audit.encoder)}</p>",
        _tiles(audit),
        _notes(audit),
        _rejects(audit),
        _heading("categories")
        + bar_list([(key or message("audit.no_category"), count) for key, count in category_counts(audit).items()]),
        _heading("lengths")
        + "<div class='plots wide2'>"
        + "".join(_length_plots(audit))
        + "</div>"
        + (f"<p class='soft'>{_say('last_bar')}</p>" if any(item.cut for item in audit.lengths) else "")
        + _length_table(audit),
        _heading("fit") + "<div class='plots'>" + "".join(_spread_plots(audit)) + "</div>",
        _heading("suspects") + _suspects(audit),
        _near_pairs(audit),
        _leaks(audit),
    ]
    return document(message("audit.page_title", name=name), sections)


def _tiles(audit: Audit) -> str:
    groups = audit.file.result.groups
    suspected = len(audit.suspects.group_ids)
    boxes = [
        (message("audit.groups"), f"{len(groups):,}", ""),
        (message("audit.questions"), f"{sum(len(group.questions) for group in groups):,}", ""),
        (message("audit.answers"), f"{sum(len(group.answers) for group in groups):,}", ""),
        (message("audit.rejected"), f"{len(audit.file.result.rejects):,}", "hot" if audit.file.result.rejects else ""),
        (message("audit.suspected"), f"{suspected:,} ({suspected / len(groups):.1%})", "hot" if suspected else ""),
    ]
    return tiles(boxes)


def _notes(audit: Audit) -> str:
    notes = [in_words(note, message) for note in audit.file.result.notes]
    if not any(item.unit == "tokens" for item in audit.lengths):
        notes.append(message("audit.no_tokens"))
    if audit.leaks is None:
        notes.append(message("audit.no_leakage"))
    if len(audit.file.result.groups) < FEWEST_FOR_SPREAD:
        notes.append(message("audit.too_few", count=len(audit.file.result.groups)))
    if audit.suspects.left_out:
        notes.append(message("audit.left_out", count=f"{audit.suspects.left_out:,}"))
    return "<ul class='soft'>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>"


def _rejects(audit: Audit) -> str:
    rejects = audit.file.result.rejects
    if not rejects:
        return ""
    names = [message("audit.line"), message("audit.why")]
    rows = ((f"{reject.line:,}", in_words(reject.reason, message)) for reject in rejects[:MOST_ROWS])
    rest = len(rejects) - MOST_ROWS
    more = f"<p class='soft'>{escape(message('audit.more_rows', count=f'{rest:,}'))}</p>" if rest > 0 else ""
    return f"{_heading('rejected')}{table(names, rows)}{more}"


def _length_plots(audit: Audit) -> list[str]:
    return [
        histogram(
            message("audit.length_plot", kind=_kind(item), unit=_unit(item)),
            item.edges,
            item.bars,
            _unit(item),
            item.median,
            whole=True,
            cut=item.cut,
        )
        for item in audit.lengths
    ]


def _length_table(audit: Audit) -> str:
    rows = "".join(
        f"<tr><td class='id'>{escape(_kind(item))}</td><td class='id'>{escape(_unit(item))}</td>"
        + "".join(
            f"<td class='num'>{value:,.0f}</td>"
            for value in (item.count, item.smallest, item.median, item.mean, item.p95, item.largest)
        )
        + "</tr>"
        for item in audit.lengths
    )
    names = [message(f"audit.{key}") for key in ("text", "unit", "count", "smallest", "median", "mean")]
    head = head_row([*names, "95%", message("audit.largest")], numbers=6)
    return (
        f"<details open><summary>{_say('in_numbers')}</summary>"
        f"<div class='wide'><table>{head}{rows}</table></div></details>"
    )


def _spread_plots(audit: Audit) -> list[str]:
    plots = []
    scores = [item.score for item in audit.agreements if len(item.each) > 1]
    for title, values in (
        (message("audit.agreement_plot"), scores),
        (message("audit.margin_plot"), audit.margins),
    ):
        if len(values):
            bars, edges = np.histogram(values, bins=24)
            plots.append(histogram(title, edges.tolist(), bars.tolist(), "", float(np.median(values))))
    return plots


def _suspects(audit: Audit) -> str:
    findings = audit.suspects.findings
    if not findings:
        return f"<p>{_say('nothing_found')}</p>"
    counts = Counter(finding.reason for finding in findings)
    overview = bar_list([(message(f"suspect.{reason}"), counts[reason]) for reason in REASONS if counts[reason]])
    parts = [overview, f"<p class='soft'>{_say('how_to_accept')}</p>"]
    for reason in REASONS:
        chosen = [finding for finding in findings if finding.reason == reason]
        if chosen:
            title, meaning = (escape(message(f"suspect.{key}")) for key in (reason, f"{reason}_meaning"))
            parts.append(f"<h3>{title} ({len(chosen):,})</h3><p class='soft'>{meaning}</p>{_finding_table(chosen)}")
    return "".join(parts)


def _finding_table(findings: list[Finding]) -> str:
    head = head_row([message(f"audit.{key}") for key in ("group", "place", "evidence", "suggestion")])
    rows = "".join(
        f"<tr><td class='id'>{escape(f.group_id)}</td><td class='id'>{escape(f.field.partition(' #')[0])}</td>"
        f"<td class='text'>{_evidence(f)}</td><td class='{_width(f.suggestion)}'>{escape(f.suggestion)}</td></tr>"
        for f in findings[:MOST_ROWS]
    )
    rest = len(findings) - MOST_ROWS
    more = f"<p class='soft'>{escape(message('audit.more', count=f'{rest:,}'))}</p>" if rest > 0 else ""
    return f"<div class='wide'><table>{head}{rows}</table></div>{more}"


def _width(suggestion: str) -> str:
    """A verb alone stays on one line; a new text gets room."""
    return "text" if suggestion.startswith(REPLACE) else "short"


def _evidence(finding: Finding) -> str:
    return "<br>".join(escape(line) for line in finding.evidence.lines(message))


def _near_pairs(audit: Audit) -> str:
    if not audit.pairs:
        return ""
    groups = audit.file.result.groups
    rows = "".join(
        f"<tr><td class='id'>{escape(groups[pair.first].id)}<br>{escape(groups[pair.second].id)}</td>"
        f"<td class='text'>{escape(pair.questions[0])}<br>{escape(pair.questions[1])}</td>"
        f"<td class='num'>{pair.jaccard:.2f}</td><td class='num'>{pair.cosine:.3f}</td></tr>"
        for pair in audit.pairs[:100]
    )
    head = head_row([message(f"audit.{key}") for key in ("group", "question", "letters", "cosine")], numbers=2)
    summary = message("audit.near_summary", count=f"{len(audit.pairs):,}", shown=min(100, len(audit.pairs)))
    return (
        f"{_heading('near')}<details><summary>{escape(summary)}</summary>"
        f"<div class='wide'><table>{head}{rows}</table></div></details>"
    )


def _leaks(audit: Audit) -> str:
    if audit.leaks is None:
        return ""
    counts = Counter(leak.kind for leak in audit.leaks)
    keys = {"exact": "exact", "near": "nearly", "encoder": "by_encoder"}
    words = {kind: _say(key) for kind, key in keys.items()}
    listed = ", ".join(f"{words[kind]} {counts[kind]:,}" for kind in words if counts[kind]) or _say("none")
    rows = "".join(
        f"<tr><td class='id'>{escape(leak.group_id)}</td><td class='short'>{words[leak.kind]}</td>"
        f"<td class='text'>{escape(leak.question)}<br>{escape(leak.other)}</td>"
        f"<td class='num'>{leak.score:.2f}</td></tr>"
        for leak in audit.leaks[:200]
    )
    head = head_row([message(f"audit.{key}") for key in ("group", "overlap", "question", "likeness")], numbers=1)
    shown = f"<div class='wide'><table>{head}{rows}</table></div>" if rows else ""
    return f"{_heading('leaks')}<p>{listed}</p>{shown}"


def _say(key: str) -> str:
    return escape(message(f"audit.{key}"))


def _heading(key: str) -> str:
    return f"<h2>{_say(key)}</h2>"


def _kind(item: Lengths) -> str:
    return message(f"audit.kind_{item.of}")


def _unit(item: Lengths) -> str:
    return message(f"audit.unit_{item.unit}")
