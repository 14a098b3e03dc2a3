"""`dobae data`: audits question-answer files and applies the mends that a person accepts."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.options import BatchOption, DeviceOption, EncoderOption, JsonOption, encoder_settings
from ui.cli.progress import note, progress_bar

app = typer.Typer(help="Audit, mend and grow question-answer files.")


@app.callback()
def _data() -> None:
    """Audit, mend and grow question-answer files."""


@app.command()
def audit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, XLSX or JSONL file of questions and answers.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="Directory for audit.html, audit.json, suspects.csv, and near_pairs.csv (`dobae data join --links`).",
        ),
    ],
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", help="A file, such as a test set (CSV, XLSX or JSONL), whose questions FILE must not hold."
        ),
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help="Count its tokens too: Hugging Face name or path of a tokenizer.")
    ] = None,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    batch_size: BatchOption = 32,
    as_json: JsonOption = False,
) -> None:
    """Say what FILE holds and what is probably wrong with it; FILE itself is only read."""
    from data.errors import InputError
    from data.writers import can_be_written
    from index.audit.auditing import audit_file
    from index.audit.report import summary, write_report
    from index.encoders.base import make_encoder

    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a directory with --out")
    if not can_be_written(out):  # said now, and not after the minutes that an audit takes
        raise InputError(f"{out}: cannot be written; choose another --out")
    model = make_encoder(encoder_settings(encoder, device, batch_size))
    with progress_bar("auditing") as progress:
        result = audit_file(file, model, out, against=against, tokenizer=tokenizer, progress=progress)
    try:
        suspects, kept = write_report(result, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    for line in (*result.file.result.notes, *result.notes):
        note(line)
    if rejects := result.file.result.rejects:
        first = rejects[0]
        note(f"{len(rejects)} rows cannot be used; first: {first.file}, line {first.line}: {first.reason}")
    if kept:
        note(f"{kept}: your earlier suspects.csv, with its accept marks")
    facts = summary(result) | {"out": str(out), "suspects_file": str(suspects)}
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    typer.echo(
        f"{file}: {facts['groups']:,} groups, {facts['questions']:,} questions, {facts['answers']:,} answers, "
        f"{facts['rejected']:,} rows rejected"
    )
    reasons = ", ".join(f"{reason} {count}" for reason, count in facts["reasons"].items())
    typer.echo(
        f"{facts['suspects']:,} suspects in {facts['suspected_groups']:,} groups ({facts['suspected_share']:.1%})"
        + (f": {reasons}" if reasons else "")
    )
    if result.suspects.findings:
        apply = shlex.join(["dobae", "data", "fix", str(file), "--apply", str(suspects), "--out", str(_mended(file))])
        typer.echo(f"see {out / 'audit.html'}; accept mends in {suspects}, then: {apply}")
    else:
        typer.echo(f"see {out / 'audit.html'}")


def _mended(file: Path) -> Path:
    """Names a new file beside an audited one; a workbook's mends are written as CSV."""
    suffix = ".csv" if file.suffix.lower() == ".xlsx" else file.suffix
    return file.with_name(f"{file.stem}.mended{suffix}")


@app.command()
def fix(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The audited file; it is not changed.")],
    suspects: Annotated[
        Path, typer.Option("--apply", help="suspects.csv, with yes (y, 1, 예) in the accept cells of rows to apply.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="The new file, .csv for a workbook; a change log NEW.changes.csv is written beside it.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Write a copy of FILE with the accepted mends."""
    from collections import Counter

    from data.errors import InputError
    from index.audit.fixing import apply_suspects, changes_path

    try:
        changes, notes = apply_suspects(file, suspects, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    for line in notes:
        note(line)
    actions = Counter(change.action for change in changes)
    if as_json:
        facts = {
            "out": str(out),
            "changes_file": str(changes_path(out)),
            "rows": len(changes),
            "actions": dict(actions),
        }
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    done = ", ".join(f"{action} {count}" for action, count in sorted(actions.items()))
    typer.echo(f"{out}: {len(changes)} accepted rows applied ({done}); every change stands in {changes_path(out)}")
