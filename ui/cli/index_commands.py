"""`dobae index`: builds and inspects knowledge bases."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ui.cli import edit_commands, place_commands
from ui.cli.options import (
    DEFAULT_KB,
    BatchOption,
    DeviceOption,
    EncoderOption,
    JsonOption,
    KbOption,
    UnapprovedOption,
    encoder_settings,
)
from ui.cli.progress import note, progress_bar

if TYPE_CHECKING:
    from index.manifest import Manifest

app = typer.Typer(help="Build, edit and inspect knowledge bases.")
edit_commands.register(app)
place_commands.register(app)


@app.command()
def build(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CSV, XLSX or JSONL files of questions and answers.")
    ],
    kb: KbOption = DEFAULT_KB,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    batch_size: BatchOption = 32,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", help="Where unusable rows are written; beside the base by default.")
    ] = None,
    unapproved: UnapprovedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build a knowledge base from CSV, XLSX or JSONL files; an existing one is kept as NAME.previous."""
    from data.errors import InputError
    from data.readers import read_all
    from data.writers import check_rejects_target, write_rejects
    from index.building import build_knowledge_base
    from index.encoders.base import make_encoder

    result = read_all(files, approved_only=not unapproved)
    target = rejects or kb.absolute().with_name(f"{kb.absolute().name}.rejects.csv")
    if result.rejects:
        check_rejects_target(target, files)
    for line in result.notes:
        note(line)
    model = make_encoder(encoder_settings(encoder, device, batch_size))
    with progress_bar("encoding questions") as progress:
        manifest = build_knowledge_base(kb, result.groups, model, progress=progress)
    if result.rejects:
        try:
            write_rejects(target, result.rejects)
        except OSError as error:
            raise InputError(
                f"{target}: cannot be written ({error.strerror}); {kb} is built, its rejected rows are not listed; "
                "name another file with --rejects"
            ) from error
        first = result.rejects[0]
        note(
            f"{len(result.rejects)} rows rejected, see {target}; first: {first.file}, line {first.line}: {first.reason}"
        )
    _report(kb, manifest, {"rejected": len(result.rejects)}, as_json)


@app.command()
def info(kb: KbOption = DEFAULT_KB, as_json: JsonOption = False) -> None:
    """Say what a knowledge base holds and how it was built."""
    from index.manifest import read_manifest
    from index.store import open_store

    manifest = read_manifest(kb)
    store = open_store(kb)
    state = store.state()
    store.close()
    more = {"groups": state.groups, "revision": state.revision, "waiting": state.changes - manifest.changes}
    _report(kb, manifest, more, as_json)


@app.command()
def verify(kb: KbOption = DEFAULT_KB, as_json: JsonOption = False) -> None:
    """Check every file, every group and every change against its digest, and say what was checked."""
    from index.knowledge_base import open_knowledge_base
    from index.manifest import DerivedFilesError
    from index.places import read_places

    base = open_knowledge_base(kb)
    base.store.check()
    try:
        base.segment.vectors.check()
    except ValueError as error:
        raise DerivedFilesError(f"{kb}: {error}; run `dobae index rebuild --kb {kb}`") from error
    state = base.store.state()
    places = read_places(kb)
    checked = {
        "ok": True,
        "files": len(base.manifest.files),
        "groups": state.groups,
        "changes": state.changes,
        "revision": state.revision,
    }
    if as_json:
        typer.echo(json.dumps(checked))
        return
    typer.echo(
        f"{kb}: sound; {checked['files']} index files and {checked['groups']} groups match their digests, "
        f"revision {checked['revision']}"
    )
    for line in (
        "manifest: its own digest, its format, no file named outside the base, no file beside the named ones",
        "index files: size and sha256 of each before it was opened, their sizes fit each other and the encoder",
        f"groups in PostgreSQL ({places.truth}): no view, trigger or rule of others, digests of each and all groups"
        if places.truth
        else "groups.sqlite: no table, view or trigger of others, SQLite's own check, digests of each and all groups",
        f"history: {checked['changes']} changes without a gap, a digest for each change and revision",
        *([f"every vector in Milvus ({places.vectors}): read, and their digest compared"] if places.vectors else []),
    ):
        typer.echo(f"  {line}")


@app.command()
def rebuild(
    kb: KbOption = DEFAULT_KB,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    batch_size: BatchOption = 32,
    as_json: JsonOption = False,
) -> None:
    """Make the index files again from the stored groups, for example for another encoder."""
    from index.building import rebuild_knowledge_base
    from index.encoders.base import make_encoder
    from index.manifest import recorded_encoder
    from index.store import open_database

    open_database(kb).close()
    if encoder is None:
        encoder = recorded_encoder(kb)
        if encoder is None:
            note(f"{kb}: the manifest cannot be read; rebuilding with the default encoder")
    with progress_bar("encoding questions") as progress:
        manifest = rebuild_knowledge_base(
            kb, make_encoder(encoder_settings(encoder, device, batch_size)), progress=progress
        )
    _report(kb, manifest, {}, as_json)


def _report(kb: Path, manifest: "Manifest", more: dict[str, Any], as_json: bool) -> None:
    calibration = manifest.calibration
    facts = {
        "kb": str(kb),
        "groups": manifest.groups,
        "questions": manifest.questions,
        "revision": manifest.revision,
        "encoder": manifest.encoder,
        "fingerprint": manifest.fingerprint,
        "space": manifest.space,
        "dim": manifest.dim,
        "refuse_below": calibration.refuse_below,
        "unsure_below": calibration.unsure_below,
        "index": manifest.index,
        "index_because": manifest.index_because,
        "created": manifest.created,
    }
    if as_json:
        typer.echo(json.dumps(facts | more, ensure_ascii=False))
        return
    shown = facts | more
    over = f" ({more['waiting']} changes over the index files)" if more.get("waiting") else ""
    typer.echo(
        f"{kb}: {shown['groups']:,} groups, {manifest.questions:,} questions indexed, "
        f"revision {shown['revision']}{over}, "
        f"encoder {manifest.encoder} ({manifest.dim} dimensions); "
        f"answers from cosine {calibration.refuse_below:.2f} up\n"
        f"  vector index: {manifest.index} ({manifest.index_because})"
    )
