"""`dobae data augment`: grows data with a chat model, from topics, documents or pages, for a person to approve."""

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.cli.options import BatchOption, DeviceOption, EncoderOption, JsonOption, encoder_settings
from ui.cli.progress import note, progress_bar

if TYPE_CHECKING:
    from data.types import QAGroup
    from training.augment.documents import Documents
    from training.augment.run import Outcome


def augment(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The data to grow: CSV or JSONL; nothing in it is repeated."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="PROVIDER:MODEL, for example openai:gpt-4o-mini.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            "--base-url",
            help="Address of an OpenAI-compatible server; with Ollama http://127.0.0.1:11434/v1, --model openai:qwen3.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="New JSONL file for the groups.")] = None,
    review: Annotated[
        Path | None,
        typer.Option(
            "--review", help="CSV for a person to mark in its accept column (y or O, n or X); marks made are kept."
        ),
    ] = None,
    approve: Annotated[
        Path | None, typer.Option("--approve", help="Write the groups accepted in this review CSV to --out.")
    ] = None,
    registers: Annotated[
        Path | None,
        typer.Option("--registers", help="Add 반말 and polite wordings to this file's groups, without a model."),
    ] = None,
    from_docs: Annotated[
        Path | None, typer.Option("--from-docs", help="Directory of TXT, MD, HTML and PDF files to ask about.")
    ] = None,
    from_urls: Annotated[
        Path | None, typer.Option("--from-urls", help="File of page addresses to ask about, one a line.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Directory for fetched pages; the user's cache by default.")
    ] = None,
    host_delay: Annotated[
        float, typer.Option("--host-delay", min=0.0, help="Least seconds between two requests to one host.")
    ] = 2.0,
    held_out: Annotated[
        Path | None,
        typer.Option("--held-out", help="Questions that must not leak: JSONL, CSV, or one a line."),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", help="Record of the run, continued if it exists; OUT.journal.jsonl by default."),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="Groups wanted; 100, or all that documents and pages give.")
    ] = None,
    per_topic: Annotated[int, typer.Option("--per-topic", min=1, max=10, help="Questions a topic or passage.")] = 3,
    answer_chars: Annotated[int, typer.Option("--answer-chars", min=40, help="Most characters of an answer.")] = 200,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Tokens to spend, over all runs of the journal.")
    ] = None,
    max_cost: Annotated[float | None, typer.Option("--max-cost", min=0.0, help="Money to spend, likewise.")] = None,
    price_in: Annotated[float, typer.Option("--price-in", min=0.0, help="Price of a million prompt tokens.")] = 0.0,
    price_out: Annotated[float, typer.Option("--price-out", min=0.0, help="Price of a million reply tokens.")] = 0.0,
    max_reply_tokens: Annotated[int, typer.Option("--max-reply-tokens", min=64)] = 2_048,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, max=2.0)] = 0.7,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=64, help="Requests sent at the same time.")] = 2,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait for a reply.")] = 120.0,
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="How often a request is sent at most.")] = 6,
    first_wait: Annotated[
        float, typer.Option("--first-wait", min=0.0, help="Seconds before the second attempt; doubled each time.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    batch_size: BatchOption = 32,
    as_json: JsonOption = False,
) -> None:
    """Grow FILE's data with a chat model; every candidate is filtered, and a person approves before it is indexed."""
    from data.errors import InputError
    from data.writers import check_new_target, check_target

    inputs = [file, held_out, from_urls, registers, approve]
    for target, option in ((out, "--out"), (review, "--review"), (journal, "--journal")):
        if target is not None:
            check_target(target, inputs, option)
    named = [target.resolve() for target in (out, review, journal) if target is not None]
    if len(set(named)) < len(named):
        raise InputError("--out, --review and --journal need a file each; name different ones")
    if approve is not None or registers is not None:
        if approve is not None and registers is not None:
            raise InputError("--approve and --registers are separate steps; give one of them")
        if out is None:
            raise InputError("--out FILE is needed, for the groups")
        check_new_target(out, inputs)
        _approve(approve, out, as_json) if approve is not None else _vary(registers or Path(), out, as_json)
        return
    if model is None:
        raise InputError("--model PROVIDER:MODEL is needed, for example --model openai:gpt-4o-mini")
    if out is None and review is None:
        raise InputError("--out FILE or --review FILE is needed, for the groups")
    if from_docs is not None and from_urls is not None:
        raise InputError("--from-docs and --from-urls are separate runs; give one of them")
    if file is None and from_docs is None and from_urls is None:
        raise InputError("a FILE to grow is needed, or --from-docs or --from-urls")
    if max_cost is not None and not price_in and not price_out:
        raise InputError("--max-cost needs --price-in and --price-out")

    from training.augment.budget import BudgetLimits
    from training.augment.chat import ChatSettings, LangChainChat
    from training.augment.heldout import read_held_out
    from training.augment.outputs import check_outputs
    from training.augment.run import AugmentSettings

    target = journal or Path(f"{out or review}.journal.jsonl")
    check_outputs(out, review, target)
    pages = _page_cache(cache) if from_urls is not None else Path()
    base = _base(file)
    secret = read_held_out(held_out) if held_out is not None else ()
    chat = LangChainChat(
        ChatSettings(
            spec=model, base_url=base_url, timeout=timeout, attempts=attempts, first_wait=first_wait,
            max_output_tokens=max_reply_tokens, temperature=temperature, seed=seed,
        )
    )  # fmt: skip
    documents = _documents(from_docs, from_urls, pages, host_delay)
    settings = AugmentSettings(
        count=count if count is not None or documents else 100,
        seed=seed, questions=per_topic, answer_chars=answer_chars, parallel=parallel,
    )  # fmt: skip

    from index.encoders.base import make_encoder
    from index.encoders.cache import CachedEncoder, EmbeddingCache
    from training.augment.budget import Budget
    from training.augment.filters import Filters, FilterSettings
    from training.augment.journal import Journal
    from training.augment.run import augment as grow
    from training.augment.run import journal_settings
    from training.augment.thresholds import calibrated

    own = make_encoder(encoder_settings(encoder, device, batch_size))
    text_encoder = CachedEncoder(own, EmbeddingCache(Path(f"{target}.embeddings.sqlite")))
    fixed = journal_settings(base, secret, chat.name, text_encoder.fingerprint, settings)
    with Journal(target, fixed) as record, progress_bar("growing") as progress:
        if record.resumed:
            note(f"{target}: continued, {len(list(record.accepted()))} groups are kept already")
        filters = Filters(
            base, secret, text_encoder, calibrated(base, text_encoder, seed),
            FilterSettings(answer_chars=(15, answer_chars)),
        )  # fmt: skip
        budget = Budget(BudgetLimits(max_tokens, max_cost, price_in, price_out), record.tokens())
        outcome = grow(
            base, documents.passages if documents else None,
            chat=chat, filters=filters, journal=record, budget=budget, settings=settings,
            encoder=text_encoder.fingerprint, progress=progress,
        )  # fmt: skip
    _report(outcome, budget.cost, out, review, target, as_json)


def _base(file: Path | None) -> "tuple[QAGroup, ...]":
    from data.readers import read_groups

    if file is None:
        return ()
    result = read_groups(file)
    for line in result.notes:
        note(line)
    if result.rejects:
        first = result.rejects[0]
        note(f"{len(result.rejects)} rows cannot be used; first: {first.file}, line {first.line}: {first.reason}")
    return result.groups


def _page_cache(given: Path | None) -> Path:
    import platformdirs

    from data.errors import InputError
    from data.writers import can_be_written

    cache = given or platformdirs.user_cache_path("dobae", appauthor=False) / "pages"
    if not can_be_written(cache):
        raise InputError(f"{cache}: cannot be written; name another directory with --cache")
    return cache


def _documents(folder: Path | None, urls: Path | None, cache: Path, host_delay: float) -> "Documents | None":
    if folder is None and urls is None:
        return None
    if folder is not None:
        from training.augment.documents import read_documents

        found = read_documents(folder)
    else:
        from training.augment.web import Fetcher, read_pages, read_urls

        addresses = read_urls(urls or Path())
        with closing(Fetcher(cache, delay=host_delay)) as fetcher, progress_bar("fetching") as progress:
            found = read_pages(addresses, fetcher, progress)
    for name, reason in found.unreadable:
        note(f"{name}: left out: {reason}")
    return found


def _report(
    outcome: "Outcome", cost: float, out: Path | None, review: Path | None, journal: Path, as_json: bool
) -> None:
    from data.errors import GenerationError
    from training.augment.budget import BudgetSpentError
    from training.augment.journal import RUNS
    from training.augment.outputs import write_rows
    from training.augment.review import write_review

    nothing = not outcome.groups
    if nothing and outcome.stopped and not isinstance(outcome.stopped, BudgetSpentError):
        raise outcome.stopped
    if out is not None and not nothing:
        write_rows(out, outcome.groups)
        note(f"{out}: nobody has approved these groups yet; --review and --approve are the way to it")
    if review is not None and not nothing:
        added = write_review(review, outcome.groups)
        note(f"{review}: {added} rows to mark in the column accept; then --approve {review} --out FILE")
    if outcome.uncategorised:
        note(f"{outcome.uncategorised} groups were given a category that FILE does not have; theirs is left empty")
    facts = {
        "groups": len(outcome.groups),
        "rejected": dict(outcome.rejected.most_common()),
        "uncategorised": outcome.uncategorised,
        "tokens": {"in": outcome.tokens[0], "out": outcome.tokens[1]},
        "cost": round(cost, 6),
        "stopped": str(outcome.stopped) if outcome.stopped else "",
        "journal": str(journal),
    }
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        reasons = ", ".join(f"{reason} {number}" for reason, number in outcome.rejected.most_common()) or "none"
        typer.echo(
            f"{out or review}: {len(outcome.groups):,} groups; rejected: {reasons}; "
            f"{sum(outcome.tokens):,} tokens" + (f", cost {cost:.4f}" if cost else "")
        )
    if isinstance(outcome.stopped, BudgetSpentError):
        note(f"stopped: {outcome.stopped}")
    elif outcome.stopped:
        raise outcome.stopped
    elif nothing:
        raise GenerationError(
            f"no group was kept, and nothing is written; {journal} says why each was refused; what was unusable is "
            f"asked for again by the same command, in {RUNS} runs at most"
        )


def _approve(review: Path, out: Path, as_json: bool) -> None:
    from training.augment.outputs import write_rows
    from training.augment.review import read_approved

    approved = read_approved(review)
    write_rows(out, approved.groups)
    if as_json:
        facts = {"groups": len(approved.groups), "refused": approved.refused, "open": approved.open}
        typer.echo(json.dumps(facts | {"edited": approved.edited}))
    else:
        typer.echo(
            f"{out}: {len(approved.groups):,} approved ({approved.edited} edited), {approved.refused:,} refused, "
            f"{approved.open:,} not marked yet"
        )


def _vary(file: Path, out: Path, as_json: bool) -> None:
    from training.augment.outputs import write_rows
    from training.augment.registers import with_registers

    rows = with_registers(_base(file))
    write_rows(out, rows)
    added = sum(len(row.get("provenance", {}).get("registers", [])) for row in rows)
    if as_json:
        typer.echo(json.dumps({"groups": len(rows), "added": added}))
    else:
        typer.echo(f"{out}: {len(rows):,} groups, {added:,} wordings added")
