"""The commit that is asked for is the one trained on, recorded, and gone on from."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from data.errors import AdapterMismatchError, InputError, ModelNotFoundError
from rag.generators.revisions import recorded
from ui.cli.train_command import app

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("hash_encoder")]

OLD, NEW = "a" * 40, "b" * 40
NAME = "someone/tiny"


@pytest.fixture
def hub(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Hugging Face cache with two commits of the base, of which only the older one has two layers."""
    from huggingface_hub import constants

    repository = tmp_path / "hub" / "models--someone--tiny"
    for commit in (OLD, NEW):
        shutil.copytree(base, repository / "snapshots" / commit)
    config = repository / "snapshots" / NEW / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"num_hidden_layers": 1}), "utf-8")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(NEW, "utf-8")
    (repository / "refs" / "v1").write_text(OLD, "utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def _config(folder: Path, groups_file: Path, model: str, adapter: str = "") -> Path:
    path = folder / "mine.toml"
    path.write_text(
        f'[model]\n{model}\n[adapter]\ntargets = ["q_proj"]\n{adapter}\n'
        f'[data]\nfiles = ["{groups_file}"]\nencoder = "hash"\n[mix]\nrows = 8\ncompound = 0.0\ngrounded = 0.7\n'
        '[precision]\ndevice = "cpu"\nweights = "float32"\n[logging]\nreport_to = "none"\n',
        "utf-8",
    )
    return path


def _run(*arguments: str) -> Any:
    return json.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)


def test_a_branch_is_trained_on_and_its_commit_recorded(hub: Path, groups_file: Path, tmp_path: Path) -> None:
    config = _config(tmp_path, groups_file, f'base = "{NAME}"\nrevision = "v1"')
    report = _run(str(config), "--out", str(tmp_path / "run"), "--max-steps", "2")
    assert report["base_revision"] == OLD
    adapter = Path(report["adapter"])
    assert recorded(adapter, "base_revision") == OLD
    assert json.loads((adapter / "adapter_config.json").read_text("utf-8"))["revision"] == OLD
    merged = _run("export", str(adapter), "--out", str(tmp_path / "merged"))
    assert merged["prompts"] == 3
    assert json.loads((tmp_path / "merged" / "config.json").read_text("utf-8"))["num_hidden_layers"] == 2
    # Going on from it on the newest commit would put it on another model.
    again = _config(tmp_path, groups_file, f'base = "{NAME}"', f'start_from = "{adapter}"')
    with pytest.raises(AdapterMismatchError, match=f"trained on revision {OLD} of {NAME}; this is revision {NEW}"):
        _run(str(again), "--out", str(tmp_path / "second"), "--max-steps", "2")


def test_a_revision_nobody_can_honour_is_refused(hub: Path, groups_file: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, which has no revisions"):
        _run(str(_config(tmp_path, groups_file, f'base = "{base}"\nrevision = "v1"')), "--out", str(tmp_path / "run"))
    with pytest.raises(ModelNotFoundError, match="revision v2 of someone/tiny is not in the local"):
        _run(str(_config(tmp_path, groups_file, f'base = "{NAME}"\nrevision = "v2"')), "--out", str(tmp_path / "run"))


def test_a_plan_reads_the_config_of_the_revision(hub: Path, groups_file: Path, tmp_path: Path) -> None:
    weights = {}
    for revision in ("v1", "main"):
        config = _config(tmp_path, groups_file, f'base = "{NAME}"\nrevision = "{revision}"')
        weights[revision] = _run("plan", str(config))["parts"]["linear weights"]
    assert weights["v1"] == pytest.approx(2 * weights["main"], abs=1e-5)
