"""Kills a writer at random moments, and counts what was lost.

    python benchmarks/crashes.py --groups 5000 --kills 200

Each round starts `benchmarks/crash_writer.py` on one base, kills it (SIGKILL) after a random time, and opens the base
again: every acknowledged edit must be there, nothing else, once each, and the ids that the index finds must be the ids
in SQLite. The edit that was under way may be there or not.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import numpy as np
from crash_writer import group_of

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import HashEncoder
from index.knowledge_base import KnowledgeBase, open_knowledge_base

WRITER = Path(__file__).with_name("crash_writer.py")


def apply(model: dict[str, QAGroup], kind: str, name: str, version: int) -> None:
    """Applies one edit to a dictionary."""
    if kind == "remove":
        del model[name]
    else:
        model[name] = group_of(name, version)


def killed_round(path: Path, seed: int, seconds: float) -> list[tuple[str, str, str, int]]:
    """Runs the writer, kills it after `seconds` of work, and returns what it said."""
    writer = subprocess.Popen([sys.executable, str(WRITER), str(path), str(seed)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    first = writer.stdout.readline()
    with suppress(subprocess.TimeoutExpired):
        writer.wait(seconds)
    writer.send_signal(signal.SIGKILL)
    lines = [first, *writer.stdout.read().splitlines()]
    writer.stdout.close()
    if writer.wait() != -signal.SIGKILL:
        raise RuntimeError(f"the writer of seed {seed} ended by itself")
    said = []
    for line in lines:
        try:
            said.append(tuple(json.loads(line)))
        except ValueError:
            continue  # the last line may be cut
    return said  # type: ignore[return-value]


def indexed(base: KnowledgeBase) -> list[tuple[str, str]]:
    """Group id and wording of every row that the vector index can find."""
    near = base.vectors.search(base.vectors.base.vectors()[0], len(base.group_of_row))
    return sorted((stored.group.id, wording) for stored, wording in base.rows(near.positions))


def run(path: Path, groups: int, kills: int, seed: int = 0, longest: float = 0.6) -> dict[str, float]:
    """Kills the writer `kills` times.

    Returns:
        Counts of what went wrong, the acknowledged edits, and the slowest reopening in seconds.
    """
    random = np.random.default_rng(seed)
    model = {f"g{number}": group_of(f"g{number}", 0) for number in range(groups)}
    encoder = HashEncoder()
    build_knowledge_base(path, list(model.values()), encoder)
    result = {"kills": 0.0, "edits": 0.0, "lost": 0.0, "phantom": 0.0, "index_differs": 0.0, "reopen_s": 0.0}
    for number in range(kills):
        said = killed_round(path, seed * 100_000 + number, float(random.uniform(0, longest)))
        for word, *edit in said:
            if word == "done":
                apply(model, *edit)  # type: ignore[arg-type]
        result["edits"] += sum(word == "done" for word, *_ in said)
        begin = perf_counter()
        base = open_knowledge_base(path, encoder)
        result["reopen_s"] = max(result["reopen_s"], perf_counter() - begin)
        base.store.check()
        held = [stored.group for stored in base.store.all_groups()]
        allowed = [model]
        if said and said[-1][0] == "try":
            begun = dict(model)
            apply(begun, *said[-1][1:])
            allowed.append(begun)
        found = {group.id: group for group in held}
        nearest = min(allowed, key=lambda each: len(each.items() ^ found.items()))
        result["lost"] += sum(found.get(name) != group for name, group in nearest.items())
        result["phantom"] += len(found.keys() - nearest.keys()) + len(held) - len(found)
        rows = sorted((group.id, question) for group in held for question in group.questions)
        result["index_differs"] += indexed(base) != rows
        base.store.close()
        model = found
        result["kills"] += 1
    return result


def main() -> None:
    """Runs and prints the counts."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--groups", type=int, default=5_000)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Path(folder) / "kb", chosen.groups, chosen.kills, chosen.seed)))


if __name__ == "__main__":
    main()
