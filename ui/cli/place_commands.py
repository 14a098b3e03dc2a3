"""`dobae index migrate|attach`: moves a base to PostgreSQL and Milvus and back, and serves it from more machines."""

import json
import os
from typing import Annotated, Any

import typer

from ui.cli.options import DEFAULT_KB, BatchOption, DeviceOption, EncoderOption, JsonOption, KbOption, encoder_settings
from ui.cli.progress import note, progress_bar


def migrate(
    truth: Annotated[
        str | None,
        typer.Option("--truth", help="Where the groups shall lie: postgresql://USER@HOST:PORT/DATABASE, or sqlite."),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            "--vectors",
            help="Where the vectors shall lie: http://HOST:19530 of a Milvus cluster, a Milvus Lite folder NAME.db, "
            "or files.",
        ),
    ] = None,
    kb: KbOption = DEFAULT_KB,
    as_json: JsonOption = False,
) -> None:
    """Move a base between its directory and servers; what was moved is compared, and a target must be empty."""
    from data.errors import InputError
    from index.live import encoder_of
    from index.migrating import move_groups, move_vectors
    from index.places import MILVUS_VARIABLE, TOKEN_VARIABLE, TRUTH_VARIABLE, read_places

    if not truth and not vectors:
        raise InputError("name what to move: --truth for the groups, --vectors for the vectors")
    facts: dict[str, Any] = {}
    if truth:
        moved, left = move_groups(kb, truth)
        place = read_places(kb).truth
        facts |= {"truth": place or "sqlite", "revision": moved.state.revision}
        facts |= {table: count for table, (count, _) in moved.tables.items()}
        if not as_json:
            typer.echo(
                f"{kb}: {facts['groups']:,} groups, {facts['revisions']:,} revisions and {facts['changes']:,} changes "
                f"moved to {place or 'the SQLite file'} and found equal there; {left}"
            )
        if place:
            note(f"set {TRUTH_VARIABLE} to that address wherever the base is opened; a password goes into PGPASSWORD")
            # The vectors are made from the groups where they lie now.
            os.environ[TRUTH_VARIABLE] = truth
    if vectors:
        with progress_bar("encoding questions") as progress:
            manifest, left = move_vectors(kb, vectors, encoder_of(kb), progress=progress)
        place = read_places(kb).vectors
        facts |= {"vectors": place or "files", "questions": manifest.questions}
        if not as_json:
            where, kept = place or "files", f"; {left}" if left else ""
            typer.echo(f"{kb}: {manifest.questions:,} vectors moved to {where} and found equal there{kept}")
        if place:
            note(
                f"set {MILVUS_VARIABLE} to that address wherever the base is opened; a token goes into {TOKEN_VARIABLE}"
            )
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))


def attach(
    kb: KbOption = DEFAULT_KB,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    batch_size: BatchOption = 32,
    as_json: JsonOption = False,
) -> None:
    """Make a directory on this machine for the base in PostgreSQL that DOBAE_TRUTH_URL names."""
    from index.encoders.base import make_encoder
    from index.migrating import attach_groups

    with progress_bar("encoding questions") as progress:
        manifest = attach_groups(kb, make_encoder(encoder_settings(encoder, device, batch_size)), progress=progress)
    facts = {"groups": manifest.groups, "revision": manifest.revision}
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        typer.echo(f"{kb}: {manifest.groups:,} groups of revision {manifest.revision}, index files made here")


def register(app: typer.Typer) -> None:
    """Adds the commands to `dobae index`."""
    app.command("migrate")(migrate)
    app.command("attach")(attach)
