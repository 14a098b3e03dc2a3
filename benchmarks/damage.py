"""Damages a base in many ways, and counts crashes and wrong answers.

    python benchmarks/damage.py --times 1000

Each time one file of a fresh copy has a bit flipped or its end cut off. Then the base is opened as a server opens it,
and each of its questions is asked. Right is: every answer is the one of the undamaged base, or a one-line error.
"""

import argparse
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from data.errors import KnowledgeBaseError
from data.types import QAGroup
from index.building import build_knowledge_base
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.live import open_live
from index.retriever import Retriever


def groups_of(count: int) -> list[QAGroup]:
    """Makes groups whose questions and answers tell which is which."""
    return [
        QAGroup(f"g{n}", (f"{n}번 벽지 질문", f"{n}번 다른 말"), (f"{n}번 답변입니다", f"{n}번 둘째", f"{n}번 셋째"))
        for n in range(count)
    ]


def damage(path: Path, random: np.random.Generator) -> str:
    """Flips one bit or cuts the end off; says which."""
    raw = bytearray(path.read_bytes())
    if not raw or random.random() < 0.3:
        path.write_bytes(raw[: int(random.integers(0, max(1, len(raw))))])
        return "cut"
    place = int(random.integers(len(raw)))
    raw[place] ^= 1 << int(random.integers(8))
    path.write_bytes(raw)
    return "flip"


def answers(retriever: Retriever, groups: list[QAGroup]) -> list[tuple[str, str, str]]:
    """Best hit of each group's first question."""
    hits = (retriever.search(group.questions[0], 1)[0] for group in groups)
    return [(hit.group.id, hit.question, hit.answer) for hit in hits]


def run(folder: Path, times: int, seed: int = 0, groups: int = 12) -> Counter[str]:
    """Damages a base `times` times and counts outcomes: "right", "rebuilt", "error", "wrong" and "crash: ..."."""
    random = np.random.default_rng(seed)
    encoder = HashEncoder(128)
    content = groups_of(groups)
    build_knowledge_base(folder / "good", content[:-3], encoder)
    Editor(folder / "good", encoder).add(content[-3:-1])
    Editor(folder / "good", encoder).update([content[0]])
    Editor(folder / "good", encoder).add(content[-1:])
    want = answers(Retriever(open_live(folder / "good", encoder)), content)
    if [name for name, _, _ in want] != [group.id for group in content]:
        raise RuntimeError("the undamaged base gives wrong answers already")
    outcomes: Counter[str] = Counter()
    copy = folder / "copy"
    for _ in range(times):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder / "good", copy)
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        weights = np.array([path.stat().st_size ** 0.5 + 1 for path in files])
        target = files[int(random.choice(len(files), p=weights / weights.sum()))]
        how = f"{damage(target, random)} of {target.name}"
        said: list[str] = []
        try:
            live = open_live(copy, encoder, say=said.append, background=False)
            same = answers(Retriever(live), content) == want
            outcomes["wrong: " + how if not same else "rebuilt" if said else "right"] += 1
            live.current().store.close()
        except KnowledgeBaseError as error:
            outcomes["error" if "\n" not in str(error) else "error of many lines"] += 1
        except Exception as error:
            outcomes[f"crash: {how}: {type(error).__name__}: {error}"] += 1
    return outcomes


def main() -> None:
    """Runs and prints the counts."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--times", type=int, default=1_000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Path(folder), chosen.times, chosen.seed), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
