"""Goal: what of the GPU benchmark needs no GPU works: its data, its training path, its tables, and its leaving."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from data.settings import preset_names
from training import bench_runs, bench_t4
from training.config_file import PRESETS
from training.plan.architectures import architecture
from training.plan.inputs import GIB, PlanInput
from training.plan.memory import predict
from training.planning import plan_input

torch = pytest.importorskip("torch")


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
    rows = bench_runs.full_rows(run, 100, 4)
    assert [len(row.input_ids) for row in rows] == [32, 31, 32, 31]
    assert 32 - rows[0].prompt_length == 8
    assert all(0 <= token < 100 for row in rows for token in row.input_ids)


def test_a_prediction_passes_within_the_tolerance_only() -> None:
    run = bench_t4.MEMORY_RUNS[0]
    assert bench_t4.compare(run, 1.09 * GIB, GIB).passed
    assert not bench_t4.compare(run, 1.2 * GIB, GIB).passed
    assert not bench_t4.compare(run, GIB, 0).passed
    table = bench_t4.as_markdown([bench_t4.compare(run, GIB, GIB)], "a GPU", {"torch": "2"})
    assert "a GPU" in table
    assert "| pass |" in table


def test_a_row_that_fails_is_a_row_and_not_the_end() -> None:
    def out_of_memory() -> bench_t4.Row:
        raise torch.OutOfMemoryError("CUDA out of\nmemory")

    row = bench_t4.attempt("a model", out_of_memory)
    assert not row.passed
    assert row.value == "failed (out of memory under 15 GiB: CUDA out of memory)"
    assert "| MISS |" in bench_t4.as_markdown([row], "a GPU", {}, judged=False)


def test_every_preset_for_a_t4_is_measured_as_it_stands() -> None:
    assert {"t4-kogpt2", "t4-solar-10.7b", "t4-qwen3-8b", "kaggle-2xt4"} <= set(bench_t4.T4_PRESETS)
    assert set(bench_t4.T4_PRESETS) == {name for name in preset_names(PRESETS) if not name.startswith(("cpu-", "tiny"))}


def test_both_trainers_get_the_same_texts_none_of_them_cut() -> None:
    texts = bench_runs.starter_texts()[:40]
    words = bench_runs.tokenizer([text["prompt"] + text["completion"] for text in texts], 900)
    lengths = [len(row.input_ids) for row in bench_runs.text_rows(texts, words)]
    limit = sorted(lengths)[20]
    kept = bench_runs.fitting(texts, words, limit)
    assert kept == [text for text, length in zip(texts, lengths, strict=True) if length <= limit]


@pytest.mark.parametrize("run", [*bench_t4.MEMORY_RUNS, bench_t4.LARGE, bench_t4.SPEED], ids=bench_t4.name_of)
def test_the_settings_measured_are_those_that_were_planned(run: PlanInput, tmp_path: Path) -> None:
    planned = plan_input(bench_runs.config_of(run, tmp_path))
    kept = ("model", "quantisation", "target_modules", "lora_rank", "micro_batch", "max_length", "packing")
    for name in (*kept, "gradient_checkpointing", "optimiser", "compute_dtype", "attention"):
        assert getattr(planned, name) == getattr(run, name), name


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(torch.cuda.is_available(), reason="walks the path without CUDA")
def test_the_dry_run_walks_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_t4.main(["--dry-run", "--json", "--out", str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert not result["measured"]
    assert len(result["rows"]) == len(bench_t4.MEMORY_RUNS) + len(bench_t4.T4_PRESETS) + 2
    assert [row["what"] for row in result["rows"] if row["what"].startswith("preset ")] == [
        f"preset {name}" for name in bench_t4.T4_PRESETS
    ]
    assert [row["value"] for row in result["rows"] if "error" in row["detail"] and row["bar"] == "runs"] == []
    large, speed = result["rows"][-2:]
    assert len(large["detail"]["losses"]) == 3
    assert speed["detail"]["plain"] > 0
    kept = (tmp_path / bench_t4.RESULTS).read_text("utf-8").splitlines()
    assert [json.loads(line)["what"] for line in kept] == [row["what"] for row in result["rows"]]
