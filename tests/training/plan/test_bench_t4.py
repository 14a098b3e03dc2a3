"""Goal: what of the GPU benchmark needs no GPU works: its data, its training path, its tables, and its leaving."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from training import bench_t4
from training.plan.architectures import Architecture, architecture
from training.plan.inputs import GIB, PlanInput
from training.plan.memory import predict

torch = pytest.importorskip("torch")
TINY = Architecture("tiny", "llama", 64, 2, 4, 2, 16, 128, 1000, True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says so only without CUDA")
def test_without_cuda_it_leaves_in_one_line() -> None:
    command = [sys.executable, "-m", "training.bench_t4", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(bench_t4.__file__).parents[1])
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"measured": False, "rows": []}
    assert [line for line in done.stderr.splitlines() if "bench_t4" in line] == [done.stderr.splitlines()[-1]]
    assert "Traceback" not in done.stderr


def test_the_configurations_are_at_least_six_over_two_families_and_fit() -> None:
    runs = bench_t4.MEMORY_RUNS
    assert len(set(runs)) >= 6
    assert len({architecture(run.model).family for run in runs}) >= 2
    for run in (*runs, bench_t4.LARGE, bench_t4.SPEED):
        assert run.compute_dtype == "float16"
        assert predict(run).total_gib < bench_t4.LIMIT_GIB


def test_full_rows_are_full_and_padded_in_pairs() -> None:
    run = PlanInput("tiny", micro_batch=2, max_length=32, label_share=0.25)
    rows = bench_t4.full_rows(run, 100, 4)
    assert [len(row["input_ids"]) for row in rows] == [32, 31, 32, 31]
    assert sum(rows[0]["completion_mask"]) == 8
    assert all(0 <= token < 100 for row in rows for token in row["input_ids"])


def test_a_prediction_passes_within_the_tolerance_only() -> None:
    run = bench_t4.MEMORY_RUNS[0]
    assert bench_t4.compare(run, 1.09 * GIB, GIB).passed
    assert not bench_t4.compare(run, 1.2 * GIB, GIB).passed
    assert not bench_t4.compare(run, GIB, 0).passed
    table = bench_t4.as_markdown([bench_t4.compare(run, GIB, GIB)], "a GPU", {"torch": "2"})
    assert "a GPU" in table
    assert "| pass |" in table


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("quantisation", ["none", "nf4-double"])
@pytest.mark.parametrize("packing", [False, True], ids=["plain", "packed"])
def test_the_training_path_runs_on_the_cpu(quantisation: str, packing: bool) -> None:
    texts = bench_t4.starter_texts()[:24]
    words = bench_t4.tokenizer([row["prompt"] + row["completion"] for row in texts], 900)
    run = PlanInput("tiny", quantisation, "float32", lora_rank=4, micro_batch=2, max_length=256, packing=packing)
    # natural text when packed, token rows of full length when not
    rows = texts if packing else bench_t4.full_rows(replace(run, max_length=64), 900, 6)
    done = bench_t4.train(run, TINY, rows, 3, words)
    assert done.steps == 3
    assert len(done.losses) == 3
    assert done.tokens > 0
    assert done.seconds > 0
