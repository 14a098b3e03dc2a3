"""Times one edit of a large base beside making it again, and how soon a running reader sees it.

    python benchmarks/editing.py --groups 100000 --edits 20

The encoder is a fake one, which makes building cheaper than it is and so the ratio worse than it is.
"""

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from data.types import QAGroup
from index.building import build_knowledge_base, rebuild_knowledge_base
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever


def run(folder: Path, groups: int, edits: int) -> dict[str, float]:
    """Builds a base, makes it again, and edits it; seconds."""
    encoder = HashEncoder(384)
    words = ("벽지", "곰팡이", "몰딩", "장판", "타일", "결로", "페인트", "줄눈", "문틀", "천장")
    random = np.random.default_rng(0)
    content = [
        QAGroup(f"g{n}", (f"{' '.join(random.choice(words, 3))} {n} 왜 그런가요?",), (f"{n}번째 답변입니다.",))
        for n in range(groups)
    ]
    times: dict[str, float] = {}
    begin = perf_counter()
    build_knowledge_base(folder / "kb", content, encoder)
    times["build_s"] = perf_counter() - begin
    begin = perf_counter()
    rebuild_knowledge_base(folder / "kb", encoder)
    times["rebuild_s"] = perf_counter() - begin
    begin = perf_counter()
    retriever = Retriever(open_knowledge_base(folder / "kb", encoder))
    times["open_s"] = perf_counter() - begin
    editor = Editor(folder / "kb", encoder)
    added, seen = [], []
    for number in range(edits):
        begin = perf_counter()
        editor.add([QAGroup(f"new{number}", (f"새 질문 {number} 입니다?",), ("새 답변입니다.",))])
        added.append(perf_counter() - begin)
        begin = perf_counter()
        if retriever.search(f"새 질문 {number} 입니다?", 1)[0].group.id != f"new{number}":
            raise RuntimeError("an added group is not found")
        seen.append(perf_counter() - begin)
    times["add_median_s"] = float(np.median(added))
    times["first_search_after_median_s"] = float(np.median(seen))
    times["add_of_rebuild"] = times["add_median_s"] / times["rebuild_s"]
    return times


def main() -> None:
    """Runs and prints the times."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--groups", type=int, default=100_000)
    options.add_argument("--edits", type=int, default=20)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Path(folder), chosen.groups, chosen.edits)))


if __name__ == "__main__":
    main()
