"""A real kill, at a moment nobody chose: what was on the disk is not computed again."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from data.writers import write_atomically
from index.encoders.base import HashEncoder
from rag.evaluation.config import EvaluationConfig
from rag.evaluation.metric_encoders import MetricEncoder
from rag.evaluation.running import JOURNAL, evaluate

ROOT = Path(__file__).resolve().parents[3]

_SLOW_RUN = """
import json, sys, time
from pathlib import Path
from index.encoders.base import HashEncoder
from rag.evaluation import answering
from rag.evaluation.config import parse_config
from rag.evaluation.metric_encoders import MetricEncoder
from rag.evaluation.running import evaluate

ask = answering.QAPipeline.ask
answering.QAPipeline.ask = lambda self, question: (time.sleep(0.1), ask(self, question))[1]
config = parse_config(json.loads(Path(sys.argv[1]).read_text("utf-8")), "test")
evaluate(config, Path(sys.argv[2]), encoder=HashEncoder(), metric=MetricEncoder(HashEncoder(512), "hash", proxy=True))
"""


@pytest.mark.integration
def test_after_a_sigkill_nothing_finished_is_computed_again(
    world: dict[str, Any], config: EvaluationConfig, metric: MetricEncoder, tmp_path: Path
) -> None:
    settings, out = tmp_path / "settings.json", tmp_path / "out"
    write_atomically(settings, json.dumps(world, ensure_ascii=False))
    process = subprocess.Popen([sys.executable, "-c", _SLOW_RUN, str(settings), str(out)], cwd=ROOT)
    try:
        while process.poll() is None and _lines(out / JOURNAL) < 5:
            time.sleep(0.02)
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = _lines(out / JOURNAL)
    resumed = evaluate(config, out, encoder=HashEncoder(), metric=metric)
    whole = evaluate(config, tmp_path / "whole", encoder=HashEncoder(), metric=metric)
    assert finished >= 5
    assert resumed.computed == whole.computed - finished
    del whole.report["timings"], resumed.report["timings"]
    assert whole.report == resumed.report


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0
