"""`dobae data join`: compound questions from single ones."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.options import JsonOption
from ui.cli.progress import note


def join(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSONL of questions and answers.")],
    out: Annotated[Path, typer.Option("--out", help="New JSONL file for the joined questions.")],
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="Number of joins; one a group by default.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same joins.")] = 0,
    held_out: Annotated[
        Path | None,
        typer.Option(
            "--held-out",
            metavar="IDS.txt|FILE",
            help="Held-out group ids, one a line, or a CSV or JSONL of such groups; joined only with one another.",
        ),
    ] = None,
    held_out_out: Annotated[
        Path | None,
        typer.Option("--held-out-out", help="JSONL file for held-out joins; OUT.held_out.jsonl by default."),
    ] = None,
    links: Annotated[
        Path | None,
        typer.Option(
            "--links",
            help="Further pairs of ids never to join: near_pairs.csv of `dobae data audit` (near by meaning, too), or "
            "two ids a line, separated by a comma or a tab.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Join single questions into compound ones, two answers in one, for training and for tests."""
    from data.errors import InputError
    from data.join_files import read_ids, read_links, write_joined
    from data.joining import join_groups
    from data.readers import read_groups
    from data.writers import check_new_target, check_target

    # Two files, so that training on one of them cannot meet a held-out question by oversight.
    held_out_target = held_out_out or out.with_name(f"{out.stem}.held_out{out.suffix or '.jsonl'}")
    inputs = (file, held_out, links)
    check_new_target(out, inputs)
    check = check_new_target if held_out else check_target
    check(held_out_target, (*inputs, out), "--held-out-out")
    result = read_groups(file)
    for line in result.notes:
        note(line)
    if result.rejects:
        first = result.rejects[0]
        note(f"{len(result.rejects)} rows cannot be used; first: {first.file}, line {first.line}: {first.reason}")
    kept_back = read_ids(held_out) if held_out else frozenset()
    made = join_groups(
        result.groups, count=count, seed=seed, held_out=kept_back, links=read_links(links) if links else ()
    )
    for line in made.notes:
        note(line)
    targets = [(out, False), *([(held_out_target, True)] if kept_back else [])]
    for target, side in targets:
        try:
            write_joined(target, [join for join in made.joined if join.held_out == side])
        except OSError as error:
            raise InputError(f"{target}: cannot be written ({error.strerror}); choose another place") from error
    facts = {
        "joined": sum(not join.held_out for join in made.joined),
        "held_out": sum(join.held_out for join in made.joined),
        "styles": dict(Counter(join.style for join in made.joined).most_common()),
        "files": [str(target) for target, _ in targets],
    }
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    more = f", and {facts['held_out']:,} held-out ones in {held_out_target}" if kept_back else ""
    styles = ", ".join(f"{name} {number}" for name, number in Counter(join.style for join in made.joined).most_common())
    typer.echo(f"{out}: {facts['joined']:,} compound questions{more} ({styles})")
