"""`report.md`: the numbers of an evaluation as Markdown tables, every mean with its interval."""

from collections.abc import Iterable, Sequence
from typing import Any

from rag.evaluation.cells import REFUSALS, number_cell, p_cell, share_cell, value_cell
from rag.evaluation.metric_encoders import PROXY_CHARS
from rag.evaluation.scoring import METRICS
from rag.evaluation.statistics import LEAST_CLUSTERS

Json = dict[str, Any]
_SHOWN_DIFFERENCES = ("cosine", "rouge_l", "chrf", "recall_1")


def render_markdown(report: Json) -> str:
    """Renders a report as Markdown; no text of questions or answers stands in it."""
    sections = [
        f"# Evaluation: {report['name']}",
        _heading(report),
        "## Questions",
        _protocols(report),
        _notes(report),
        "## Scores",
        *_means(report),
        *_differences(report),
        *_categories(report),
        "## Coverage",
        "Mean cosine when only the surer half of the questions is answered, and when all are; surer is what has the "
        "larger confidence, and least sure what was refused. Of answers that are "
        "equally sure at the border each counts in part. Of an arm asked with several seeds every answer counts by "
        "itself, here and under Refusing; its scores above are means over the seeds.",
        _coverage(report),
        *_curve(report, "unseen"),
        "## Refusing",
        _refused(report),
        *_auroc(report),
        "## Cost",
        _cost(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _heading(report: Json) -> str:
    encoder = report["metric_encoder"]
    warning = (
        " **A proxy: not DACON's own encoder, so these cosines are not competition scores.** It reads the first "
        f"{PROXY_CHARS} characters of a text."
        if encoder["proxy"]
        else " DACON's own encoder."
    )
    files = ", ".join(f"`{name}` (sha256 {digest[:12]})" for name, digest in report["files"].items())
    return (
        f"Settings {report['config_digest']}; prompts of version {report['prompt']['version']}; {files}.\n\n"
        f"Cosine: mean over the references, each clipped at 0, by {encoder['name']}.{warning} "
        f"chrF++ and ROUGE-L over Kiwi morphemes, the best reference counting. Brackets are 95% intervals by bootstrap "
        f"over groups; of fewer than {LEAST_CLUSTERS} groups none is given, and one without width says that all groups "
        "agree, not that the number is exact."
    )


def _protocols(report: Json) -> str:
    rows = [
        [
            name,
            str(entry["asked"]),
            str(entry["available"]),
            str(len(entry["left_out"])),
        ]
        for name, entry in report["protocols"].items()
    ]
    return _table(("protocol", "asked", "of", "left out as leaks"), rows)


def _notes(report: Json) -> str:
    return "\n".join(f"- {note}" for note in report["notes"])


def _means(report: Json) -> Iterable[str]:
    for protocol in report["protocols"]:
        arms = [arm for arm in report["means"] if protocol in report["means"][arm]]
        metrics = [
            metric for metric in METRICS if any(metric in report["means"][arm][protocol]["metrics"] for arm in arms)
        ]
        rows = [
            [metric, *(value_cell(report["means"][arm][protocol]["metrics"].get(metric)) for arm in arms)]
            for metric in metrics
        ]
        asked = report["protocols"][protocol]["asked"]
        yield f"### {protocol} ({asked} question{'s' * (asked != 1)})"
        yield _table(("metric", *arms), rows)


def _differences(report: Json) -> Iterable[str]:
    rows = [
        [
            entry["protocol"],
            entry["metric"],
            f"{entry['arm']} − {entry['against']}",
            value_cell(entry, signed=True),
            p_cell(entry["p_holm"]),
        ]
        for entry in report["differences"]
        if entry["metric"] in _SHOWN_DIFFERENCES and report["against"] in (entry["arm"], entry["against"])
    ]
    if rows:
        yield "## Differences"
        yield (
            "Paired by question; intervals by bootstrap over groups, p by sign flips of groups, adjusted by Holm "
            "within each protocol and metric."
        )
        yield _table(("protocol", "metric", "difference", "value", "p (Holm)"), rows)


def _categories(report: Json) -> Iterable[str]:
    entries = [entry for entry in report["category_differences"] if entry["arm"] == report["main"]]
    if entries:
        yield f"### {report['main']} − {report['against']} by category, cosine"
        yield (
            f"p adjusted by Holm within each protocol. Categories of fewer than {LEAST_CLUSTERS} groups have neither "
            "interval nor p."
        )
        rows = [
            [
                entry["protocol"],
                entry["category"],
                str(entry["questions"]),
                value_cell(entry, signed=True),
                p_cell(entry["p_holm"]),
            ]
            for entry in entries
        ]
        yield _table(("protocol", "category", "questions", "difference", "p (Holm)"), rows)


def _coverage(report: Json) -> str:
    rows = [
        [protocol, arm, value_cell(_at(entry, 0.5)), value_cell(_at(entry, 1.0))]
        for arm, protocols in report["coverage"].items()
        for protocol, entry in protocols.items()
    ]
    return _table(("protocol", "arm", "at 50% coverage", "at 100%"), rows) if rows else ""


def _curve(report: Json, protocol: str) -> Iterable[str]:
    curves = {arm: entry[protocol]["at"] for arm, entry in report["coverage"].items() if protocol in entry}
    if curves:
        yield f"### The whole curve of {protocol}"
        yield "Mean cosine of the surest share of the questions."
        rows = [
            [f"{points[0]['coverage']:.0%}", *map(value_cell, points)] for points in zip(*curves.values(), strict=True)
        ]
        yield _table(("coverage", *curves), rows)


def _at(entry: Json, coverage: float) -> Json:
    found: Json = next(point for point in entry["at"] if point["coverage"] == coverage)
    return found


def _refused(report: Json) -> str:
    rows = [
        [arm, protocol, *(share_cell(shares[by]) for by in REFUSALS)]
        for arm, entry in report["abstention"].items()
        for protocol, shares in entry["protocols"].items()
    ]
    return _table(("arm", "protocol", "below the threshold", "refused by the model", "empty"), rows)


def _auroc(report: Json) -> Iterable[str]:
    rows = [
        [
            arm,
            " + ".join(entry["positives"]),
            protocol,
            value_cell(value),
            value_cell(entry["auroc_confidence"][protocol]),
        ]
        for arm, entry in report["abstention"].items()
        for protocol, value in entry["auroc"].items()
    ]
    if rows:
        yield (
            "AUROC: how often a question that the base answers is nearer to a stored one (or has an answer of larger "
            "confidence) than one it should refuse. Positives are the questions of all protocols named, pooled."
        )
        yield _table(("arm", "positives", "negatives", "AUROC of similarity", "of confidence"), rows)


def _cost(report: Json) -> str:
    timings = report["timings"]
    on_cuda = any(entry["cuda_peak_mib"] is not None for entry in timings["arms"].values())
    rows = [
        [
            arm,
            str(entry["batch"]),
            f"{entry['seconds_median']:.2f}",
            f"{entry['seconds_p95']:.2f}",
            number_cell(entry["first_text_median"], 2),
            number_cell(entry["tokens_per_second"], 1),
            f"{entry['process_peak_mib']:,.0f}",
            *([number_cell(entry["cuda_peak_mib"], 0)] if on_cuda else ()),
        ]
        for arm, entry in timings["arms"].items()
    ]
    machine = timings["environment"]
    head = ("arm", "batch", "s (median)", "s (p95)", "first text, s", "tokens of text/s")
    return (
        f"{machine['cpus']} CPUs, load {machine['load_1m']}; generation alone, as measured when each answer was "
        "computed; those of a batch share its time evenly, and none has a first text. Tokens are those of the answer's "
        "text, with what was quoted without asking the model. Memory is the peak of the whole process while the arm "
        "answered, with what was loaded before.\n\n"
        + _table((*head, "process peak, MiB", *(("CUDA peak, MiB",) if on_cuda else ())), rows)
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
