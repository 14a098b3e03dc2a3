"""`dobae data split`: a training and a held-out part that share no question, not even nearly."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.options import JsonOption
from ui.cli.progress import note


def split(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSONL of questions and answers.")],
    out: Annotated[
        Path, typer.Option("--out", help="Directory for train.jsonl and held_out.jsonl, which must not hold them yet.")
    ],
    held_out: Annotated[float, typer.Option("--held-out", help="Share of the groups to hold out.")] = 0.15,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same split.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Split FILE by group; near-duplicate questions never straddle the border."""
    from data.errors import InputError
    from data.readers import read_groups
    from data.split import split_groups
    from data.writers import check_new_target, write_groups_jsonl, write_rejects

    for name in ("train.jsonl", "held_out.jsonl", "rejects.csv"):
        check_new_target(out / name, (file,))
    result = read_groups(file)
    for line in result.notes:
        note(line)
    if not 0 < held_out < 1:
        raise InputError(f"--held-out is {held_out:g}; it must lie between 0 and 1, for example 0.15")
    parts = split_groups(result.groups, held_out=held_out, seed=seed)
    try:
        write_groups_jsonl(out / "train.jsonl", parts.train)
        write_groups_jsonl(out / "held_out.jsonl", parts.held_out)
        if result.rejects:
            write_rejects(out / "rejects.csv", result.rejects)
            note(f"{len(result.rejects)} rows rejected, see {out / 'rejects.csv'}")
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    facts = {"train": len(parts.train), "held_out": len(parts.held_out), "rejected": len(result.rejects), "seed": seed}
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        typer.echo(f"{out}: {facts['train']:,} groups to train on, {facts['held_out']:,} held out (seed {seed})")
