"""A writer to be killed: edits a base at random, and says on standard output what has been acknowledged.

    python benchmarks/crash_writer.py BASE SEED

Before each edit it prints "try", after it "done", each with the edit as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from data.types import QAGroup
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.store import GroupStore


def group_of(name: str, version: int) -> QAGroup:
    """A group whose texts name it and its version."""
    return QAGroup(name, (f"{name} 판 {version} 질문", f"{name} 다른 말 {version}"), (f"{name} 판 {version} 답변",))


def edits(names: list[str], seed: int) -> Any:
    """Yields edits as `(kind, name, version)`, without end."""
    random = np.random.default_rng(seed)
    number = 0
    while True:
        number += 1
        kind = str(random.choice(["add", "update", "remove"], p=[0.4, 0.4, 0.2]))
        if kind == "add":
            name = f"s{seed}-{number}"
            names.append(name)
        else:
            name = names[int(random.integers(len(names)))]
            if kind == "remove":
                names.remove(name)
        yield kind, name, int(random.integers(1_000_000))


def main() -> None:
    """Edits until it is killed."""
    path, seed = Path(sys.argv[1]), int(sys.argv[2])
    editor = Editor(path, HashEncoder(), author="crash", wait=30)
    store = GroupStore(path / "groups.sqlite")
    names = sorted(stored.group.id for stored in store.all_groups())
    store.close()
    for kind, name, version in edits(names, seed):
        print(json.dumps(["try", kind, name, version]), flush=True)
        if kind == "add":
            editor.add([group_of(name, version)])
        elif kind == "update":
            editor.update([group_of(name, version)])
        else:
            editor.remove([name])
        print(json.dumps(["done", kind, name, version]), flush=True)


if __name__ == "__main__":
    main()
