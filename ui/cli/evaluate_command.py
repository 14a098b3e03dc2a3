"""`dobae evaluate`: runs an evaluation, compares two of them, says how far the support judge can be trusted."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ui.cli.options import JsonOption
from ui.cli.progress import note, progress_bar
from ui.cli.run_by_default import RunByDefault

if TYPE_CHECKING:
    from rag.evaluation.comparing import Change

app = typer.Typer(
    cls=RunByDefault,
    help="Measure arms over held-out questions: `dobae evaluate CONFIG --out DIR` (a TOML file or a preset).",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _evaluate() -> None:
    """Measure arms over held-out questions, compare two evaluations, check the support judge."""


@app.command()
def run(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A TOML file, or the name of a preset.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder of report.json, report.md, report.html; a run in it is continued.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Run an evaluation (the default: `dobae evaluate CONFIG --out DIR`)."""
    from data.errors import InputError
    from data.settings import find_config
    from rag.evaluation.config import PRESETS, read_config
    from rag.evaluation.report import holds_other_settings, write_report
    from rag.evaluation.running import evaluate

    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a directory with --out")
    settings = read_config(find_config(config, PRESETS))
    if holds_other_settings(out, settings.to_json()):
        note(f"{out}: holds a report of other settings, which is replaced (answers are kept); another --out keeps both")
    with progress_bar("evaluating") as bar:
        found = evaluate(settings, out, progress=lambda what, done, total: bar(done, total, what))
    write_report(found.report, out)
    for line in found.notes:
        note(line)
    report = found.report
    answers = sum(entry["answers"] for entry in report["timings"]["arms"].values())
    if as_json:
        facts = {"out": str(out), "answers": answers, "computed": found.computed, "metric": report["metric_encoder"]}
        typer.echo(json.dumps({**facts, "means": report["means"]}, ensure_ascii=False))
        return
    typer.echo(f"{out}: {answers:,} answers, {found.computed:,} of them computed now")
    name = "cosine (proxy)" if report["metric_encoder"]["proxy"] else "cosine"
    for arm, protocols in report["means"].items():
        scores = [
            f"{protocol} {entry['metrics']['cosine']['value']:.3f}"
            for protocol, entry in protocols.items()
            if "cosine" in entry["metrics"]
        ]
        typer.echo(f"  {arm}: {name} {', '.join(scores) or 'not measured'}")
    typer.echo(f"see {out / 'report.html'} and {out / 'report.md'}")


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="report.json of the earlier evaluation, or its folder.")],
    after: Annotated[Path, typer.Argument(help="report.json of the later one, or its folder.")],
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if", help='Exit with 1 if so: "ARM.METRIC drops 0.01" or "ARM.PROTOCOL.METRIC rises 2"; repeatable.'
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two evaluations question by question; p-values are adjusted by Holm over all lines printed."""
    from rag.evaluation.comparing import apply_rule, check_comparable, parse_rule
    from rag.evaluation.comparing import compare as compare_reports
    from rag.evaluation.report import read_report

    rules = [parse_rule(text) for text in fail_if or ()]
    first, second = read_report(before), read_report(after)
    for line in check_comparable(first, second):
        note(line)
    changes = compare_reports(first, second)
    judged = [(rule, *apply_rule(rule, first, second)) for rule in rules]
    for rule, change, _ in judged:
        if change.unpaired:
            note(
                f"{rule.text}: {change.unpaired} questions have this score in one report only and are not compared "
                f"(was the other refused?); {rule.arm}.answered says how many were answered"
            )
    broken = [rule.text for rule, _, fails in judged if fails]
    if as_json:
        facts = {"changes": [_as_json(change) for change in changes]}
        facts["rules"] = [{"rule": rule.text, "broken": fails, **_as_json(change)} for rule, change, fails in judged]
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        for change in changes:
            typer.echo(_line(change))
        for rule, change, fails in judged:
            typer.echo(f"{'BROKEN' if fails else 'kept'}: {rule.text} ({change.difference:+.4f})")
    if broken:
        note(f"dobae evaluate compare: {len(broken)} of {len(rules)} rules broken: {'; '.join(broken)}")
        raise typer.Exit(1)


@app.command()
def presets(as_json: JsonOption = False) -> None:
    """List the presets."""
    from data.settings import preset_names, preset_summary
    from rag.evaluation.config import PRESETS

    names = preset_names(PRESETS)
    if as_json:
        typer.echo(json.dumps(names))
        return
    for name in names:
        typer.echo(f"{name:18} {preset_summary(PRESETS, name)}")


@app.command()
def judge(
    file: Annotated[
        Path | None, typer.Option("--file", help="JSONL of labelled sentences; the hand-labelled ones by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say how often the support judge agrees with hand-made labels."""
    from rag.evaluation.judging import LABELS, measure_judge, read_labels

    found = measure_judge(read_labels(file or LABELS))
    if as_json:
        typer.echo(json.dumps([agreement.to_json() for agreement in found], ensure_ascii=False))
        return
    for agreement in found:
        typer.echo(agreement.line())


def _as_json(change: "Change") -> dict[str, Any]:
    interval = change.difference
    return {
        **{key: value for key, value in change._asdict().items() if key != "difference"},
        "difference": {"value": interval.value, "low": interval.low, "high": interval.high},
    }


def _line(change: "Change") -> str:
    where = f"{change.arm}.{change.protocol}.{change.metric}" if change.protocol else f"{change.arm}.{change.metric}"
    tested = "" if change.p_holm is None else f", p (Holm) {change.p_holm:.4f}"
    return (
        f"{where}: {change.before:.4f} -> {change.after:.4f}, {change.difference:+.4f}{tested} "
        f"({change.questions} questions)"
    )
