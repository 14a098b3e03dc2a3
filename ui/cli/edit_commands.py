"""`dobae index add|update|remove|import|export|history|undo|compact`: a base edited while it serves."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ui.cli.options import DEFAULT_KB, JsonOption, KbOption, UnapprovedOption
from ui.cli.progress import note, progress_bar

if TYPE_CHECKING:
    from data.readers import ReadResult
    from index.editing import Edited, Editor

AuthorOption = Annotated[
    str | None,
    typer.Option("--author", envvar="DOBAE_AUTHOR", help="Who edits, for the history; the system's user by default."),
]
WaitOption = Annotated[float, typer.Option("--wait", min=0, max=86_400, help="Seconds to wait for another writer.")]
QuestionsOption = Annotated[
    list[str] | None, typer.Option("--question", "-q", help="A wording of the question; may be repeated.")
]
AnswersOption = Annotated[list[str] | None, typer.Option("--answer", "-a", help="An answer; may be repeated.")]
CategoryOption = Annotated[str | None, typer.Option("--category", help="The category.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Where it comes from.")]


def add(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="CSV, XLSX or JSONL files of new groups.")
    ] = None,
    question: QuestionsOption = None,
    answer: AnswersOption = None,
    identifier: Annotated[str | None, typer.Option("--id", help="Id; made from the content by default.")] = None,
    category: CategoryOption = None,
    source: SourceOption = None,
    unapproved: UnapprovedOption = False,
    kb: KbOption = DEFAULT_KB,
    author: AuthorOption = None,
    wait: WaitOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Add groups from files, or one from --question and --answer."""
    from data.cleaning import content_id
    from data.errors import InputError
    from data.types import QAGroup

    if bool(files) == bool(question or answer):
        raise InputError("give either files, or --question and --answer")
    more: dict[str, Any] = {}
    if files:
        if any(option is not None for option in (identifier, category, source)):
            raise InputError("--id, --category and --source go with --question; in files they are columns")
        result = _read(files, approved_only=not unapproved)
        groups, more = result.groups, {"rejected": len(result.rejects)}
    else:
        questions, answers = _cleaned(question), _cleaned(answer, keep_lines=True)
        if not questions or not answers:
            raise InputError("a new group needs --question and --answer")
        given = content_id(questions, answers) if identifier is None else identifier
        groups = (QAGroup(given, questions, answers, category or "", source or ""),)
    _report(kb, _editor(kb, author, wait).add(groups), as_json, more)


def update(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Id of the group.")],
    question: QuestionsOption = None,
    answer: AnswersOption = None,
    add_question: Annotated[
        list[str] | None, typer.Option("--add-question", help="One more wording; may be repeated.")
    ] = None,
    add_answer: Annotated[list[str] | None, typer.Option("--add-answer", help="One more answer.")] = None,
    category: CategoryOption = None,
    source: SourceOption = None,
    kb: KbOption = DEFAULT_KB,
    author: AuthorOption = None,
    wait: WaitOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Change one group; what no option names stays, --question and --answer replace all that were there."""
    from dataclasses import replace

    from data.errors import InputError
    from data.types import QAGroup

    if not any((question, answer, add_question, add_answer)) and category is None and source is None:
        raise InputError(
            "name what to change: --question, --answer, --add-question, --add-answer, --category, --source"
        )
    for option, texts in (
        ("--question", question),
        ("--answer", answer),
        ("--add-question", add_question),
        ("--add-answer", add_answer),
    ):
        if any(not _cleaned([text], keep_lines=True) for text in texts or ()):
            raise InputError(f"{option} is empty; write a text, or leave the option out")

    def changed(group: QAGroup) -> QAGroup:
        questions = _cleaned(question) or group.questions
        answers = _cleaned(answer, keep_lines=True) or group.answers
        return replace(
            group,
            questions=tuple(dict.fromkeys(questions + _cleaned(add_question))),
            answers=tuple(dict.fromkeys(answers + _cleaned(add_answer, keep_lines=True))),
            category=group.category if category is None else category,
            source=group.source if source is None else source,
        )

    _report(kb, _editor(kb, author, wait).change(identifier, changed), as_json)


def remove(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of the groups.")],
    kb: KbOption = DEFAULT_KB,
    author: AuthorOption = None,
    wait: WaitOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Remove groups."""
    _report(kb, _editor(kb, author, wait).remove(ids), as_json)


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV, XLSX or JSONL files.")],
    mirror: Annotated[bool, typer.Option("--mirror", help="Also remove the groups that are not in the files.")] = False,
    unapproved: UnapprovedOption = False,
    kb: KbOption = DEFAULT_KB,
    author: AuthorOption = None,
    wait: WaitOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Add the groups of files whose ids are new, and update those whose ids are known, as one revision."""
    from data.errors import InputError

    result = _read(files, approved_only=not unapproved)
    if mirror and result.rejects:
        first = result.rejects[0]
        raise InputError(
            f"{first.file}, line {first.line}: {first.reason}; with --mirror every row must be usable, "
            "nothing was changed"
        )
    with progress_bar("encoding new questions") as progress:
        edited = _editor(kb, author, wait).import_groups(result.groups, mirror=mirror, progress=progress)
    _report(kb, edited, as_json, {"rejected": len(result.rejects)})


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write: .jsonl, .csv or .xlsx.")],
    kb: KbOption = DEFAULT_KB,
    as_json: JsonOption = False,
) -> None:
    """Write every group with every field; `import` takes the file back letter for letter."""
    from data.exchange import export_groups
    from index.store import open_store

    store = open_store(kb)
    state, stored = store.whole()
    store.close()
    export_groups(file, [each.group for each in stored])
    if as_json:
        typer.echo(json.dumps({"file": str(file), "groups": len(stored), "revision": state.revision}))
    else:
        typer.echo(f"{file}: {len(stored):,} groups of revision {state.revision}")


def history(
    identifier: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only the changes of this group.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Revisions shown, the newest first.")] = 20,
    kb: KbOption = DEFAULT_KB,
    as_json: JsonOption = False,
) -> None:
    """Say who changed what, and when; with --json also what was there before, one revision a line."""
    from data.text import printable
    from index.store import open_store

    store = open_store(kb)
    revisions = store.revisions(limit=limit, group_id=identifier)
    store.close()
    if identifier and not revisions:
        note(f"{kb}: no change of a group {identifier!r} since the base was built")
    for revision in revisions:
        if as_json:
            typer.echo(json.dumps(revision.to_json(), ensure_ascii=False))
            continue
        what = f"{revision.action} of {revision.undoes}" if revision.undoes else revision.action
        signs = [
            ("+" if change.before is None else "-" if change.after is None else "~") + change.group_id
            for change in revision.changes[:6]
        ]
        more = f" and {len(revision.changes) - 6} more" if len(revision.changes) > 6 else ""
        line = f"{revision.number:>6}  {revision.time}  {revision.author}  {what}  {' '.join(signs)}{more}"
        # A stranger's base may name authors and groups in a terminal's own commands.
        typer.echo(printable(line).rstrip())


def undo(
    revision: Annotated[
        int | None, typer.Argument(metavar="[REVISION]", help="Which revision; the last one by default.")
    ] = None,
    kb: KbOption = DEFAULT_KB,
    author: AuthorOption = None,
    wait: WaitOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Take back one revision, as a new one; undo a second time to take back the one before."""
    _report(kb, _editor(kb, author, wait).undo(revision), as_json)


def compact(kb: KbOption = DEFAULT_KB, wait: WaitOption = 5.0, as_json: JsonOption = False) -> None:
    """Make the index files again with all changes in them; the thresholds are calibrated anew."""
    from index.manifest import read_manifest

    before = read_manifest(kb).calibration
    with progress_bar("encoding questions") as progress:
        manifest = _editor(kb, None, wait).compact(progress=progress)
    after = manifest.calibration
    facts = {"revision": manifest.revision, "groups": manifest.groups, "refuse_below": after.refuse_below}
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        typer.echo(
            f"{kb}: index files made again at revision {manifest.revision}; "
            f"answers from cosine {after.refuse_below:.2f} up (before: {before.refuse_below:.2f})"
        )


def register(app: typer.Typer) -> None:
    """Adds these commands to `dobae index`."""
    for command in (add, update, remove, export, history, undo, compact):
        app.command()(command)
    app.command("import")(import_)


def _editor(kb: Path, author: str | None, wait: float) -> "Editor":
    from index.editing import Editor
    from index.live import encoder_of

    return Editor(kb, encoder_of(kb), author=author, wait=wait)


def _read(files: list[Path], *, approved_only: bool) -> "ReadResult":
    from data.readers import read_all

    result = read_all(files, approved_only=approved_only)
    for line in result.notes:
        note(line)
    for reject in result.rejects[:5]:
        note(f"rejected: {reject.file}, line {reject.line}: {reject.reason}")
    if len(result.rejects) > 5:
        note(f"rejected: {len(result.rejects) - 5} more rows")
    return result


def _cleaned(texts: list[str] | None, *, keep_lines: bool = False) -> tuple[str, ...]:
    from data.text import clean_text

    cleaned = (clean_text(text, keep_lines=keep_lines).text for text in texts or ())
    return tuple(dict.fromkeys(text for text in cleaned if text))


def _report(kb: Path, edited: "Edited", as_json: bool, more: dict[str, Any] | None = None) -> None:
    revision = edited.revision
    if edited.not_compacted:
        note(f"the change is stored, but the index files could not be made again: {edited.not_compacted}")
    facts: dict[str, Any] = {
        "revision": revision.number if revision else None,
        **edited.counts(),
        "unchanged": edited.unchanged,
        "ids": [change.group_id for change in revision.changes] if revision else [],
        "compacted": edited.compacted is not None,
        **(more or {}),
    }
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    if revision is None:
        typer.echo(f"{kb}: nothing to change")
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in edited.counts().items() if count)
    one = f" ({facts['ids'][0]})" if len(facts["ids"]) == 1 else ""
    # An undo is taken back by its number alone: without one, the revision before is undone as well.
    number = f" {revision.number}" if revision.undoes else ""
    # Without --kb the line, typed as it stands, would take something back in another base.
    mend = f"`dobae index undo{number} --kb {kb}`"
    typer.echo(f"{kb}: {counts}{one}; revision {revision.number}, {mend} takes it back")
    if edited.compacted:
        typer.echo("the index files were made again, and the thresholds calibrated anew")
