"""Lets threads search and edit one base at once, and stops at the first error, torn read or lost write.

python benchmarks/mixed_operations.py --threads 8 --operations 1000
"""

import argparse
import tempfile
import threading
from pathlib import Path
from time import perf_counter

import numpy as np

from data.types import QAGroup
from index.building import build_knowledge_base
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever


def mixed_operations(path: Path, threads: int, operations: int) -> None:
    """Each thread edits groups of its own and searches; two wordings and the answer of a group always agree."""

    def group(name: str, version: int) -> QAGroup:
        return QAGroup(name, (f"{name} 판 {version} 질문", f"{name} 다른 말 {version}"), (f"{name} 판 {version} 답변",))

    def version_of(text: str) -> str:
        return "".join(char for char in text.removeprefix(text.split()[0]) if char.isdigit())

    encoder = HashEncoder(256)
    build_knowledge_base(path, [group(f"t{thread}-0", 0) for thread in range(threads)], encoder)
    retriever = Retriever(open_knowledge_base(path, encoder))
    errors: list[BaseException] = []
    models: list[dict[str, int]] = [{f"t{thread}-0": 0} for thread in range(threads)]

    def work(thread: int) -> None:
        random = np.random.default_rng(thread)
        editor = Editor(path, HashEncoder(256), author=f"t{thread}", wait=600)
        mine = models[thread]
        try:
            for number in range(operations):
                kind = random.choice(["search", "search", "search", "add", "update", "remove"])
                name = str(random.choice(list(mine)))
                if kind == "add":
                    name = f"t{thread}-{number}"
                    editor.add([group(name, number)])
                    mine[name] = number
                elif kind == "update":
                    editor.update([group(name, number)])
                    mine[name] = number
                elif kind == "remove" and len(mine) > 1:
                    editor.remove([name])
                    del mine[name]
                hits = retriever.search(f"{name} 판 {mine.get(name, 0)} 질문", 5)
                assert len({hit.group.id for hit in hits}) == len(hits), "a group is found twice"
                for hit in hits:
                    versions = {version_of(text) for text in (*hit.group.questions, *hit.group.answers, hit.question)}
                    assert len(versions) == 1, f"torn: {hit}"
                shown = {hit.group.id: hit for hit in hits}
                if name in mine:
                    assert shown[name].group == group(name, mine[name]), "an own write is not seen"
                else:
                    assert name not in shown, "a removed group is found"
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    base = open_knowledge_base(path, encoder)
    base.store.check()
    kept = {stored.group.id: stored.group for stored in base.store.all_groups()}
    assert kept == {name: group(name, version) for mine in models for name, version in mine.items()}


def main() -> None:
    """Runs and prints the time."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--threads", type=int, default=8)
    options.add_argument("--operations", type=int, default=1_000)
    chosen = options.parse_args()
    begin = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        mixed_operations(Path(folder) / "kb", chosen.threads, chosen.operations)
    count = chosen.threads * chosen.operations
    print(f"{count:,} operations of {chosen.threads} threads, 0 errors, 0 torn reads, {perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
