"""`report.html`: one page that needs nothing beside itself. Questions and answers are others' text and are escaped."""

from html import escape
from typing import Any

import numpy as np

from data.catalog import message
from index.charts import Estimate, histogram, intervals, lines, scatter
from index.page_parts import document, table, tiles
from rag.evaluation.cells import REFUSALS, number_cell, p_cell, share_cell, value_cell
from rag.evaluation.scoring import METRICS
from rag.evaluation.statistics import LEAST_CLUSTERS

Json = dict[str, Any]


def render_page(report: Json) -> str:
    """Renders a report as one HTML page without scripts or outside resources."""
    title = _text("title", name=report["name"])
    encoder = report["metric_encoder"]
    sections = [
        f"<h1>{escape(title)}</h1><p class='soft'>"
        f"{escape(_text('subtitle', digest=report['config_digest'], encoder=encoder['name']))}</p>",
        f"<p><b>{escape(_text('proxy_warning', encoder=encoder['name']))}</b></p>" if encoder["proxy"] else "",
        _tiles(report),
        _notes(report),
        _plots(_text("quality"), _quality(report)),
        _plots(_text("differences", against=report["against"]), _differences(report)),
        _tested(report),
        _plots("", _categories(report)),
        _plots("", [*_coverage(report), *_similarity(report)]),
        _plots("", [*_lengths(report), *_latency(report)]),
        _means(report),
        _abstention(report),
        _cost(report),
        _cases(report, "best"),
        _cases(report, "worst"),
    ]
    return document(title, sections)


def _text(key: str, **values: object) -> str:
    return message(f"evaluation.{key}", **values)


def _protocol(name: str) -> str:
    return message(f"protocol.{name}")


def _tiles(report: Json) -> str:
    left_out = sum(len(entry["left_out"]) for entry in report["protocols"].values())
    boxes = [
        (_text("questions"), f"{len(report['questions']):,}", ""),
        (_text("arms"), str(len(report["arms"])), ""),
        (_text("protocols"), str(len(report["protocols"])), ""),
        (_text("main"), report["main"], ""),
        (_text("against"), report["against"], ""),
    ]
    note = f"<p class='soft'>{escape(_text('left_out', count=left_out))}</p>" if left_out else ""
    return tiles(boxes) + note


def _notes(report: Json) -> str:
    if not report["notes"]:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in report["notes"])
    return f"<h2>{escape(_text('notes'))}</h2><ul>{items}</ul>"


def _plots(heading: str, plots: list[str]) -> str:
    if not plots:
        return ""
    head = f"<h2>{escape(heading)}</h2>" if heading else ""
    return f"{head}<div class='plots wide2'>{''.join(plots)}</div>"


def _quality(report: Json) -> list[str]:
    plots = []
    for protocol in report["protocols"]:
        found = [
            Estimate(arm, entry["value"], entry["low"], entry["high"])
            for arm in report["means"]
            if (entry := report["means"][arm].get(protocol, {}).get("metrics", {}).get("cosine"))
        ]
        if found:
            plots.append(intervals(_protocol(protocol), found))
    return plots


def _differences(report: Json) -> list[str]:
    plots = []
    for protocol in report["protocols"]:
        found = []
        for entry in report["differences"]:
            if entry["protocol"] != protocol or entry["metric"] != "cosine":
                continue
            if entry["against"] == report["against"]:
                found.append(Estimate(entry["arm"], entry["value"], entry["low"], entry["high"]))
            elif entry["arm"] == report["against"]:
                low, high = (None if end is None else -end for end in (entry["high"], entry["low"]))
                found.append(Estimate(entry["against"], -entry["value"], low, high))
        if found:
            plots.append(intervals(_protocol(protocol), found, zero=True))
    return plots


def _tested(report: Json) -> str:
    """The differences from the reference arm as a table, with their p-values."""
    rows = [
        [
            _protocol(entry["protocol"]),
            message(f"metric.{entry['metric']}"),
            f"{entry['arm']} − {entry['against']}",
            value_cell(entry, signed=True),
            p_cell(entry["p_holm"]),
        ]
        for entry in report["differences"]
        if report["against"] in (entry["arm"], entry["against"])
    ]
    if not rows:
        return ""
    head = (_text("protocol"), _text("metric"), _text("arm"), _text("difference"), _text("p_value"))
    return f"<details><summary>{escape(_text('tested'))}</summary>{table(head, rows, numbers=2)}</details>"


def _categories(report: Json) -> list[str]:
    plots = []
    for protocol in report["protocols"]:
        found = [
            Estimate(entry["category"], entry["value"], entry["low"], entry["high"])
            for entry in report["category_differences"]
            if entry["protocol"] == protocol and entry["arm"] == report["main"]
        ]
        if found:
            title = _text("by_category", arm=report["main"], against=report["against"], protocol=_protocol(protocol))
            plots.append(intervals(title, found, zero=True))
    return plots


def _coverage(report: Json) -> list[str]:
    plots = []
    for protocol in report["protocols"]:
        series = [
            (arm, [(coverage, quality) for coverage, quality, _ in entry.get(protocol, {}).get("points", ())])
            for arm, entry in report["coverage"].items()
        ]
        if any(points for _, points in series):
            title = _text("coverage", protocol=_protocol(protocol))
            plots.append(lines(title, series, _text("coverage_x"), _text("coverage_y")))
    return plots


def _similarity(report: Json) -> list[str]:
    main = report["main"]
    points = [
        (drawn["similarity"], drawn["cosine"], f"{_protocol(item['protocol'])}: {item['question']}")
        for item in report["questions"]
        for drawn in item["draws"].get(main, ())
        if drawn["similarity"] is not None and drawn["cosine"] is not None
    ]
    if not points:
        return []
    return [scatter(_text("similarity", arm=main), points, _text("similarity_x"), _text("similarity_y"))]


def _lengths(report: Json) -> list[str]:
    plots = []
    for arm in report["arms"]:
        values = [
            item["scores"][arm]["characters"]
            for item in report["questions"]
            if "characters" in item["scores"].get(arm, {})
        ]
        if values:
            bars, edges = np.histogram(values, bins=24)
            plots.append(
                histogram(_text("lengths", arm=arm), edges.tolist(), bars.tolist(), "", float(np.median(values)))
            )
    return plots


def _latency(report: Json) -> list[str]:
    plots = []
    for arm, entry in report["timings"]["arms"].items():
        if entry["seconds_median"] >= 0.01:
            bars, edges = np.histogram(entry["seconds"], bins=24)
            plots.append(
                histogram(_text("latency", arm=arm), edges.tolist(), bars.tolist(), "s", entry["seconds_median"])
            )
    return plots


def _means(report: Json) -> str:
    note = _text("few_groups", least=LEAST_CLUSTERS)
    parts = [f"<h2>{escape(_text('means'))}</h2><p class='soft'>{escape(note)}</p>"]
    for protocol in report["protocols"]:
        arms = [arm for arm in report["means"] if protocol in report["means"][arm]]
        rows = []
        for metric in METRICS:
            cells = [report["means"][arm][protocol]["metrics"].get(metric) for arm in arms]
            if any(cells):
                rows.append([message(f"metric.{metric}"), *map(value_cell, cells)])
        heading = f"{_protocol(protocol)} ({report['protocols'][protocol]['asked']})"
        parts.append(
            f"<details open><summary>{escape(heading)}</summary>"
            f"{table((_text('metric'), *arms), rows, numbers=len(arms))}</details>"
        )
    return "".join(parts)


def _abstention(report: Json) -> str:
    rows = [
        [
            arm,
            _protocol(protocol),
            *(share_cell(shares[by]) for by in REFUSALS),
        ]
        for arm, entry in report["abstention"].items()
        for protocol, shares in entry["protocols"].items()
    ]
    told = [
        [
            arm,
            " + ".join(map(_protocol, entry["positives"])),
            _protocol(protocol),
            value_cell(value),
            value_cell(entry["auroc_confidence"][protocol]),
        ]
        for arm, entry in report["abstention"].items()
        for protocol, value in entry["auroc"].items()
    ]
    head = [_text(key) for key in ("arm", "protocol", "refused_threshold", "refused_model", "empty")]
    found = f"<h2>{escape(_text('abstention'))}</h2>{table(head, rows, numbers=3)}"
    if told:
        names = (_text("arm"), _text("positives"), _text("negatives"), _text("auroc"), _text("auroc_confidence"))
        found += f"<p class='soft'>{escape(_text('pooled'))}</p>{table(names, told, numbers=2)}"
    return found


def _cost(report: Json) -> str:
    arms = report["timings"]["arms"]
    on_cuda = any(entry["cuda_peak_mib"] is not None for entry in arms.values())
    rows = [
        [
            arm,
            str(entry["batch"]),
            f"{entry['seconds_median']:.2f}",
            f"{entry['seconds_p95']:.2f}",
            number_cell(entry["first_text_median"], 2),
            number_cell(entry["tokens_per_second"], 1),
            number_cell(entry["process_peak_mib"], 0),
            *([number_cell(entry["cuda_peak_mib"], 0)] if on_cuda else ()),
        ]
        for arm, entry in arms.items()
    ]
    keys = ["arm", "batch", "seconds", "seconds_p95", "first_text", "tokens_per_second", "memory"]
    keys += ["memory_cuda"] if on_cuda else []
    note = f"<p class='soft'>{escape(_text('memory_note'))}</p>"
    head = [_text(key) for key in keys]
    return f"<h2>{escape(_text('cost'))}</h2>{note}{table(head, rows, numbers=len(head) - 1)}"


def _cases(report: Json, side: str) -> str:
    chosen = report["cases"][side]
    heading = _text(side, count=len(chosen), main=report["main"], against=report["against"])
    if not chosen:
        return f"<h2>{escape(heading)}</h2><p>{escape(_text('no_cases'))}</p>"
    by_id = {item["id"]: item for item in report["questions"]}
    parts = [f"<h2>{escape(heading)}</h2>"]
    for line in chosen:
        item = by_id[line["question"]]
        rows = [[_text("reference"), "", item["references"][0]]]
        for arm, answer in item["answers"].items():
            rows.append([arm, f"{item['draws'][arm][0]['cosine']:.3f}", answer])
        told = f"{line['gain']:+.3f} · {_protocol(item['protocol'])} · {item['question']}"
        parts.append(
            f"<details><summary>{escape(told)}</summary>"
            f"{table((_text('arm'), message('metric.cosine'), ''), rows)}</details>"
        )
    return "".join(parts)
