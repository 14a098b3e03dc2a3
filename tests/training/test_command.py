"""`dobae train CONFIG` trains, `dobae train plan CONFIG` plans, and a mistake is one line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from data.errors import AdapterMismatchError, InputError, ModelNotFoundError
from data.settings import preset_names
from training.config_file import PRESETS
from ui.cli.train_command import app

RUNNER = CliRunner()
ROOT = Path(__file__).resolve().parents[2]


def _run(*arguments: str) -> Any:
    return RUNNER.invoke(app, list(arguments), catch_exceptions=False)


def test_help_names_the_commands_and_imports_no_model_library() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom ui.cli.train_command import app\n"
        "result = CliRunner().invoke(app, ['--help'])\nassert result.exit_code == 0\n"
        "assert all(word in result.output for word in ('run', 'plan', 'export', 'presets'))\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert not {"torch", "transformers", "trl", "peft", "numpy", "datasets"} & set(found.stdout.split())


@pytest.mark.parametrize("name", preset_names(PRESETS))
def test_every_preset_fits_a_t4_as_planned(name: str) -> None:
    plan = json.loads(_run("plan", name, "--json").stdout)
    assert set(plan) == {"total_gib", "budget_gib", "fits", "parts", "proposal"}
    assert plan["fits"]


def test_plan_for_two_gpus_counts_the_gradients_that_are_exchanged() -> None:
    alone = json.loads(_run("plan", "kaggle-2xt4", "--json").stdout)
    both = json.loads(_run("plan", "kaggle-2xt4", "--gpus", "2", "--json").stdout)
    assert both["parts"]["ddp buckets"] == both["parts"]["gradients"] > 0
    assert both["total_gib"] > alone["total_gib"]
    assert both["fits"]


def test_plan_proposes_what_makes_it_fit() -> None:
    plan = json.loads(_run("plan", "t4-solar-10.7b", "--budget", "6.5", "--json").stdout)
    assert not plan["fits"]
    assert plan["proposal"]["reason"]


def test_first_argument_that_is_no_command_is_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such preset \(did you mean cpu-smollm2\?\)"):
        _run("cpu-smolm2")
    path = tmp_path / "mine.toml"
    path.write_text('[model]\nbase = "smollm2"\n[adapterr]\n', "utf-8")
    with pytest.raises(InputError, match=r"\[adapterr\] is unknown.*adapter.targets is missing.*data.files is missing"):
        _run(str(path))


def test_base_that_is_nowhere_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[model]\nbase = "./nowhere/model"\n[adapter]\ntargets = ["q_proj"]\n[data]\nfiles = ["qa.csv"]\n', "utf-8"
    )
    with pytest.raises(ModelNotFoundError, match=r"no model at \./nowhere/model"):
        _run(str(path))


@pytest.mark.integration
@pytest.mark.usefixtures("hash_encoder")
def test_train_then_export(groups_file: Path, base: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        f'[model]\nbase = "{base}"\n[adapter]\ntargets = ["q_proj"]\n'
        f'[data]\nfiles = ["{groups_file}"]\nencoder = "hash"\n[mix]\nrows = 8\ncompound = 0.0\ngrounded = 0.7\n'
        '[precision]\ndevice = "cpu"\nweights = "float32"\n[logging]\nreport_to = "tensorboard"\n',
        "utf-8",
    )
    result = _run(str(path), "--out", str(tmp_path / "run"), "--max-steps", "2", "--json")
    report = json.loads(result.stdout)
    assert report["steps"] == 2
    assert list((tmp_path / "run" / "logs").iterdir()), "TensorBoard's file"
    exported = _run("export", report["adapter"], "--out", str(tmp_path / "merged"), "--json")
    assert json.loads(exported.stdout)["max_logit_difference"] < 0.1
    with pytest.raises(AdapterMismatchError):
        _run("export", report["adapter"], "--out", str(tmp_path / "other"), "--base", "smollm2")


def test_presets_are_listed_with_whole_sentences() -> None:
    lines = _run("presets").output.splitlines()
    assert [line.split()[0] for line in lines] == preset_names(PRESETS)
    assert all(len(line.split()) > 4 for line in lines)
    shipped = next(line for line in lines if line.startswith("cpu-smollm2 "))
    assert "ships, on CPU cores and the starter knowledge base: an hour and a quarter on two cores" in shipped
    assert json.loads(_run("presets", "--json").output) == preset_names(PRESETS)
