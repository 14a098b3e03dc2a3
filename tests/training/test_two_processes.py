"""Two processes train together as on two T4s: by `accelerate launch`, here on the CPU through gloo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


def test_accelerate_launches_two_processes_that_share_the_rows(groups_file: Path, base: Path, tmp_path: Path) -> None:
    config = tmp_path / "two.toml"
    config.write_text(
        f'[model]\nbase = "{base}"\n[adapter]\ntargets = ["q_proj"]\nr = 4\n'
        f'[data]\nfiles = ["{groups_file}"]\nmax_length = 1600\n'
        "[mix]\nrows = 16\ncompound = 0.0\ngrounded = 0.7\nexamples = 2\nheld_out_rows = 4\n"
        "[optimisation]\naccumulation = 2\nlearning_rate = 1e-2\n"
        '[precision]\ndevice = "cpu"\nweights = "float32"\n[logging]\nreport_to = "none"\nevery = 1\n',
        "utf-8",
    )
    launch = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    launch += ["--dynamo_backend", "no", "--main_process_port", "0"]
    command = ["-m", "accelerate.commands.launch", *launch, "-m", "ui.cli.main", "train", str(config)]
    done = subprocess.run(
        [sys.executable, *command, "--out", str(tmp_path / "run"), "--json"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)  # one process speaks: two would not be one JSON object
    assert json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["world_size"] == 2
    # 16 rows, two processes, one row at a time, two summed: an epoch of four steps in which each row came once.
    assert report["steps"] == 4
    assert report["tokens"] == report["train_rows"]["tokens"]
    assert report["unmoved_adapters"] == []
    assert report["best_held_out_loss"] is not None
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").is_file()
