"""A run that is killed again and again keeps every accepted group once, and ends where an unbroken run ends."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.training.augment.scripted_server import ScriptedServer, running

ROOT = Path(__file__).resolve().parents[3]
KILLS = 20
COUNT = 70


class Worker:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        assert self._line() == "ready"

    def start(self, **job: Any) -> int:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def status(self) -> int:
        return int(self._line())

    def close(self) -> None:
        self._process.communicate(timeout=30)

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@pytest.fixture
def worker() -> Iterator[Worker]:
    started = Worker()
    yield started
    started.close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with running() as started:
        yield started


def _whole_records(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def _accepted(path: Path) -> list[str]:
    return [r["group"]["id"] for r in _whole_records(path) if r["kind"] == "verdict" and r["accepted"]]


def _contents(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [{name: value for name, value in row.items() if name != "provenance"} for row in rows]


@pytest.mark.integration
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_no_accepted_group_is_lost_or_doubled_over_twenty_kills(
    tmp_path: Path, server: ScriptedServer, worker: Worker
) -> None:
    def job(name: str) -> dict[str, Any]:
        journal, out = str(tmp_path / f"{name}.journal.jsonl"), str(tmp_path / f"{name}.jsonl")
        return {"journal": journal, "out": out, "url": server.url, "count": COUNT}

    worker.start(**job("unbroken"))
    assert worker.status() == 0
    wanted = _contents(tmp_path / "unbroken.jsonl")
    assert len(wanted) == COUNT

    server.delay = 0.015
    server.every = 41
    server.troubles = {4: "429", 9: "disconnect", 15: "bad_json", 22: "500", 33: "timeout", 38: "disconnect"}
    chance = random.Random(20)
    kills = torn = number = finished = 0
    seen: list[str] = []
    while kills < KILLS:
        journal = tmp_path / f"killed{number}.journal.jsonl"
        child = worker.start(**job(f"killed{number}"))
        time.sleep(chance.uniform(0.02, 0.6))
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        if worker.status() == signal.SIGKILL:
            kills += 1
            torn += journal.exists() and not journal.read_bytes().endswith(b"\n")
            kept = _accepted(journal)
            assert kept[: len(seen)] == seen
            seen = kept
        else:  # it ended before the kill: compare it, and begin another
            assert _contents(tmp_path / f"killed{number}.jsonl") == wanted
            finished += 1
            number += 1
            seen = []
    worker.start(**job(f"killed{number}"))
    assert worker.status() == 0

    assert _contents(tmp_path / f"killed{number}.jsonl") == wanted
    for path in tmp_path.glob("killed*.journal.jsonl"):
        records = _whole_records(path)
        tasks = Counter((record["kind"], record.get("task")) for record in records)
        assert max(tasks.values()) == 1, tasks.most_common(3)
        assert len(set(_accepted(path))) == len(_accepted(path)) == COUNT
    # How it went, for whoever runs this alone with -s.
    sys.stdout.write(f"{kills} kills, {torn} torn, {finished + 1} finished, {len(server.requests)} requests\n")
