"""Feeds damaged and made-up files to every reader, and counts what they say.

    python benchmarks/fuzz_readers.py --inputs 100000

Each input is a seed file (CSV, JSON lines, XLSX, manifest) changed at random: bytes flipped, cut, repeated, or replaced
by things that break parsers. Right is a result, or one of our errors on one line; anything else is a crash.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.errors import DobaeError
from data.exchange import export_groups
from data.queries import read_questions
from data.readers import read_groups
from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import HashEncoder
from index.manifest import check_files, read_manifest

NASTY = (
    *(b"\x00", b'"', b'""', b"\n", b"\r", b"\r\n", b",", b"'", b"{", b"[" * 2_000, b'{"a":' * 500, b"null", b"true"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", "가".encode(), "\u1100\u0301".encode(), b"\\ud800", b"\x1b[2J"),
    *(b"NaN", b"1e999", b"9" * 5_000, b"-1", b" " * 3_000, b"<!DOCTYPE", b"../", b"PK\x03\x04", b"PK\x05\x06"),
    *(b"=cmd", b"\x80\x04\x95"),
)

GROUPS = (
    QAGroup("g1", ("벽지가 왜 들뜨나요?", "들뜸 이유"), ("습기 때문입니다.", "=풀이 말라서"), "하자", "a.csv"),
    QAGroup("g2", ("곰팡이는?",), ("닦고,\n말립니다.",)),
)


def mutated(seed: bytes, random: np.random.Generator) -> bytes:
    """Changes a file in one to six places."""
    raw = bytearray(seed)
    for _ in range(int(random.integers(1, 7))):
        place = int(random.integers(len(raw) + 1))
        kind = int(random.integers(5))
        if kind == 0 and place < len(raw):
            raw[place] ^= 1 << int(random.integers(8))
        elif kind == 1:
            raw = raw[:place]
        elif kind == 2:
            raw[place:place] = NASTY[int(random.integers(len(NASTY)))]
        elif kind == 3:
            raw[place : place + int(random.integers(1, 40))] = b""
        else:
            raw[place:place] = raw[max(0, place - int(random.integers(1, 60))) : place]
    return bytes(raw)


def _read_manifest(path: Path) -> object:
    manifest = read_manifest(path.parent)
    check_files(path.parent, manifest)
    return manifest


def run(folder: Path, inputs: int, seed: int = 0) -> Counter[str]:
    """Reads `inputs` changed files; counts results by reader: "... read", "... refused", "... crashed: ..."."""
    random = np.random.default_rng(seed)
    build_knowledge_base(folder / "kb", GROUPS, HashEncoder())
    readers: dict[str, tuple[Path, Callable[[Path], object]]] = {
        "csv": (folder / "in.csv", read_groups),
        "jsonl": (folder / "in.jsonl", read_groups),
        "xlsx": (folder / "in.xlsx", read_groups),
        "questions": (folder / "questions.csv", read_questions),
        "manifest": (folder / "kb" / "manifest.json", _read_manifest),
    }
    for name in ("csv", "jsonl", "xlsx"):
        export_groups(readers[name][0], GROUPS)
    readers["questions"][0].write_text("질문\n벽지가 왜 들뜨나요?\n", "utf-8")
    seeds = {name: path.read_bytes() for name, (path, _) in readers.items()}
    outcomes: Counter[str] = Counter()
    for number in range(inputs):
        name = list(readers)[number % len(readers)]
        path, read = readers[name]
        path.write_bytes(mutated(seeds[name], random))
        try:
            read(path)
            outcomes[f"{name} read"] += 1
        except DobaeError as error:
            outcomes[f"{name} refused" if "\n" not in str(error) else f"{name} crashed: error of many lines"] += 1
        except Exception as error:
            outcomes[f"{name} crashed: {type(error).__name__}: {error}"[:200]] += 1
    return outcomes


def main() -> None:
    """Runs and prints the counts."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--inputs", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Path(folder), chosen.inputs, chosen.seed), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
