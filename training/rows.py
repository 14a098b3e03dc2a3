"""From a run's files to its encoded rows: read, split by group, ask, render, encode.

Training questions are asked of the training groups alone; held-out ones of everything, as a reader's would be.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.readers import ReadResult, read_all
from data.settings import project_path
from data.split import Split, near_duplicates, split_groups
from data.training_report import SeenGroups, seen_groups
from data.types import QAGroup
from training.config import TrainConfig
from training.examples import Row, draw_rows, held_out_rows
from training.near_misses import MemoEncoder, ask_all
from training.reading import draw_reading_rows, read_records
from training.tokens import EncodedRows, encode_rows

_SPARE = 8
"""Hits searched beyond those shown, since near duplicates and the group itself are taken out."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Rows as text, and where they come from.

    Attributes:
        train: Rows to train on.
        held_out: Rows asked of groups never trained on.
        splits: Ids of the groups, by split: those trained on in this run or an earlier one, and those held out of all.
        files: sha256 of each file, by its name in the configuration.
        sources: (source, licence, rows) of the reading data used.
        rejected: Rows of the files that could not be used.
        notes: What the readers changed.
    """

    train: tuple[Row, ...]
    held_out: tuple[Row, ...]
    splits: dict[str, list[str]]
    files: dict[str, str]
    sources: tuple[tuple[str, str, int], ...] = ()
    rejected: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rendered and encoded rows."""

    rendered: Rendered
    train: EncodedRows
    held_out: EncodedRows


def prepare(
    config: TrainConfig,
    tokenizer: Any,
    *,
    progress: Callable[[str, int, int], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Makes the rows of a run.

    Raises:
        InputError: A file, the split or a length cannot be used.
    """
    rendered = render(config, progress=progress)
    for line in rendered.notes:
        say(line)
    if rendered.rejected:
        say(f"{rendered.rejected} rows of the data files are unusable and left out; `dobae data audit` says which")
    train = encode_rows(rendered.train, tokenizer, config.data.max_length)
    held_out = encode_rows(rendered.held_out, tokenizer, config.data.max_length)
    for name, rows in (("training", train), ("held-out", held_out)):
        if rows.truncated or rows.dropped:
            say(
                f"{name} rows longer than {config.data.max_length} tokens: {rows.truncated} lost the end of their "
                f"answer, {rows.dropped} all of it and were dropped"
            )
    return Prepared(rendered, train, held_out)


def render(config: TrainConfig, *, progress: Callable[[str, int, int], None] | None = None) -> Rendered:
    """Makes the rows as text.

    Raises:
        InputError: A file or the split cannot be used.
    """
    from index.encoders.base import EncoderSettings, make_encoder

    seed, mix = config.optimisation.seed, config.mix
    files = {name: project_path(name) for name in config.data.files}
    read = _read(files.values())
    groups = read.groups
    earlier = seen_before(config)
    split = split_after(groups, earlier, held_out=config.data.held_out, seed=seed)
    encoder = MemoEncoder(make_encoder(EncoderSettings(spec=config.data.encoder)))
    depth = mix.examples + _SPARE
    train_asked = ask_all(
        split.train,
        encoder,
        depth=depth,
        near_duplicate=mix.near_duplicate,
        progress=None if progress is None else lambda done, total: progress("finding near misses", done, total),
    )
    held_asked = ask_all(
        groups,
        encoder,
        depth=depth,
        near_duplicate=mix.near_duplicate,
        only={group.id for group in split.held_out},
        rounds=2,
    )
    rows = draw_rows(train_asked, mix, seed)
    sources: tuple[tuple[str, str, int], ...] = ()
    if config.data.reading:
        path = project_path(config.data.reading)
        files[config.data.reading] = path
        drawn = draw_reading_rows(read_records(path), config.data.reading_rows, mix, seed + 1)
        rows += drawn.rows
        sources = drawn.sources
    return Rendered(
        tuple(rows),
        tuple(held_out_rows(held_asked, mix, seed)),
        _ids(split, earlier),
        {name: _sha256(path) for name, path in files.items()},
        sources,
        len(read.rejects),
        read.notes,
    )


def seen_before(config: TrainConfig) -> SeenGroups:
    """Returns what the adapter that a run goes on from has seen; nothing where it starts a new one.

    Raises:
        InputError: There is no such adapter, or it does not say.
    """
    if not config.adapter.start_from:
        return SeenGroups(frozenset(), frozenset())
    folder = Path(config.adapter.start_from).expanduser()
    if not folder.is_dir():
        raise InputError(f"adapter.start_from: no adapter in {folder}; train that one first, or correct the path")
    seen = seen_groups(folder)
    if seen is None:
        raise InputError(
            f"adapter.start_from: {folder} does not say which groups it was trained on, so none can be held out of "
            "both runs; go on from an adapter of `dobae train`, with its training.json"
        )
    return seen


def split_after(groups: Sequence[QAGroup], earlier: SeenGroups, *, held_out: float, seed: int) -> Split:
    """Splits groups so that none is held out that an earlier run was trained on, nor the other way round.

    Groups that no run has seen are trained on, but for those that nearly repeat a held-out one. A file of which no run
    has seen any is split anew.

    Args:
        groups: With distinct ids.
        earlier: What was seen.
        held_out: Share of a file split anew.
        seed: Of a file split anew.

    Raises:
        InputError: Nothing is left to train on, or to hold out.
    """
    ids = {group.id for group in groups}
    if ids.isdisjoint(earlier.train | earlier.held_out):
        return split_groups(groups, held_out=held_out, seed=seed)
    new = ids - earlier.train - earlier.held_out
    out = ids & earlier.held_out
    ties = near_duplicates(groups)
    while grown := {name for tie in ties if not out.isdisjoint(tie) for name in tie if name in new and name not in out}:
        out |= grown
    split = Split(
        tuple(group for group in groups if group.id not in out), tuple(group for group in groups if group.id in out)
    )
    if not split.train or not split.held_out:
        raise InputError(
            "adapter.start_from: the earlier run leaves no group of these files to "
            f"{'hold out' if split.train else 'train on'}; add groups"
        )
    return split


def _ids(split: Split, earlier: SeenGroups) -> dict[str, list[str]]:
    """Names the groups of all runs, those of this one's files first."""
    trained = [group.id for group in split.train]
    return {
        "train": trained + sorted(earlier.train.difference(trained)),
        "held_out": [group.id for group in split.held_out],
    }


def _read(paths: Iterable[Path]) -> ReadResult:
    result = read_all(paths)
    if len(result.groups) < 2:
        raise InputError(
            f"{len(result.groups)} group in the data files; training needs at least two, better some hundreds"
        )
    return result


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
