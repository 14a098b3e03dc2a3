"""`report.md`: the numbers of an evaluation as Markdown tables, every mean with its interval."""

from collections.abc import Iterable, Sequence
from typing import Any

from rag.evaluation.scoring import METRICS

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
        "## Differences",
        "Paired by question; intervals by bootstrap over groups, p by sign flips of groups, adjusted by Holm within "
        "each protocol and metric.",
        _differences(report),
        "## Coverage",
        "Mean cosine when only the surer half of the questions is answered, and when all are.",
        _coverage(report),
        "## Refusing",
        _abstention(report),
        "## Cost",
        _cost(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _heading(report: Json) -> str:
    encoder = report["metric_encoder"]
    warning = (
        " **A proxy: not DACON's own encoder, so these cosines are not competition scores.**"
        if encoder["proxy"]
        else " DACON's own encoder."
    )
    files = ", ".join(f"`{name}` (sha256 {digest[:12]})" for name, digest in report["files"].items())
    return (
        f"Settings {report['config_digest']}; prompts of version {report['prompt']['version']}; {files}.\n\n"
        f"Cosine: mean over the references, each clipped at 0, by {encoder['name']}.{warning} "
        f"chrF++ and ROUGE-L over Kiwi morphemes, the best reference counting. Brackets are 95% intervals."
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
            [metric, *(_value(report["means"][arm][protocol]["metrics"].get(metric)) for arm in arms)]
            for metric in metrics
        ]
        yield f"### {protocol} ({report['protocols'][protocol]['asked']} questions)"
        yield _table(("metric", *arms), rows)


def _differences(report: Json) -> str:
    rows = [
        [
            entry["protocol"],
            entry["metric"],
            f"{entry['arm']} − {entry['against']}",
            _value(entry, signed=True),
            _p(entry["p_holm"]),
        ]
        for entry in report["differences"]
        if entry["metric"] in _SHOWN_DIFFERENCES and report["against"] in (entry["arm"], entry["against"])
    ]
    return _table(("protocol", "metric", "difference", "value", "p (Holm)"), rows) if rows else ""


def _coverage(report: Json) -> str:
    rows = [
        [protocol, arm, _value(entry["at_half"]), f"{entry['points'][-1][1]:.3f}"]
        for arm, protocols in report["coverage"].items()
        for protocol, entry in protocols.items()
    ]
    return _table(("protocol", "arm", "at 50% coverage", "at 100%"), rows) if rows else ""


def _abstention(report: Json) -> str:
    rows = []
    for arm, entry in report["abstention"].items():
        told = ", ".join(f"{name} {value:.3f}" for name, value in entry["auroc"].items()) or "–"
        for protocol, shares in entry["protocols"].items():
            rows.append(
                [
                    arm,
                    protocol,
                    _share(shares["refused_by_threshold"]),
                    _share(shares["refused_by_model"]),
                    _share(shares["empty"]),
                    told,
                ]
            )
    head = ("arm", "protocol", "below the threshold", "refused by the model", "empty", "AUROC against answerable")
    return _table(head, rows)


def _cost(report: Json) -> str:
    timings = report["timings"]
    rows = [
        [
            arm,
            str(entry["batch"]),
            f"{entry['seconds_median']:.2f}",
            f"{entry['seconds_p95']:.2f}",
            _number(entry["first_text_median"]),
            _number(entry["tokens_per_second"]),
            f"{entry['peak_memory_mib']:,.0f}",
        ]
        for arm, entry in timings["arms"].items()
    ]
    machine = timings["environment"]
    return (
        f"{machine['cpus']} CPUs, load {machine['load_1m']}; generation alone, as measured when each answer was "
        "computed.\n\n"
        + _table(("arm", "batch", "s (median)", "s (p95)", "first text, s", "tokens/s", "peak memory, MiB"), rows)
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _value(entry: Json | None, *, signed: bool = False) -> str:
    if entry is None:
        return "–"
    digits = 1 if abs(entry["value"]) >= 10 else 3
    sign = "+" if signed else ""
    return f"{entry['value']:{sign}.{digits}f} [{entry['low']:{sign}.{digits}f}, {entry['high']:{sign}.{digits}f}]"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
