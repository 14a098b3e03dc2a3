"""Goal: a revision that is asked for is the one that is loaded, recorded and checked, or the command says why not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from data.errors import AdapterMismatchError, InputError, ModelNotFoundError
from data.hub import snapshot_commit
from data.model_files import sampled_digest
from rag.generators.revisions import find_base, recorded
from rag.model_store import find

OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def hub(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Hugging Face cache as `snapshot_download` leaves it: two commits of one model, main at the newer one."""
    from huggingface_hub import constants

    home = tmp_path / "hub"
    repository = home / "models--someone--tiny"
    for commit in (OLD, NEW):
        shutil.copytree(tiny_folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(NEW, "utf-8")
    (repository / "refs" / "v1").write_text(OLD, "utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return home


def _adapter(folder: Path, **card: Any) -> Path:
    folder.mkdir()
    (folder / "dobae_adapter.json").write_text(json.dumps(card), "utf-8")
    return folder


def test_the_commit_of_a_cached_folder_is_known_and_of_no_other(hub: Path, tiny_folder: Path) -> None:
    assert snapshot_commit(hub / "models--someone--tiny" / "snapshots" / OLD) == OLD
    assert snapshot_commit(tiny_folder) is None


@pytest.mark.parametrize(("revision", "commit"), [("", NEW), ("main", NEW), ("v1", OLD), (OLD, OLD)])
def test_a_revision_decides_which_snapshot_is_taken(hub: Path, revision: str, commit: str) -> None:
    assert snapshot_commit(find("someone/tiny", revision)) == commit


def test_a_revision_that_is_not_here_is_named_and_no_other_is_taken(hub: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="revision v9 of someone/tiny is not in the local Hugging Face cache"):
        find("someone/tiny", "v9")


def test_a_folder_and_the_default_model_have_no_revisions(hub: Path, tiny_folder: Path) -> None:
    with pytest.raises(InputError, match="is a folder, which has no revisions, not revision v1; leave"):
        find(str(tiny_folder), "v1")
    with pytest.raises(InputError, match="smollm2 is pinned by its digest"):
        find("smollm2", "v1")
    snapshot = hub / "models--someone--tiny" / "snapshots" / OLD
    assert find(str(snapshot), OLD) == snapshot
    with pytest.raises(InputError, match=f"is revision {OLD} of the Hugging Face cache, not revision {NEW}"):
        find(str(snapshot), NEW)


def test_an_adapter_is_answered_with_the_commit_it_was_trained_on(hub: Path, tiny_folder: Path, tmp_path: Path) -> None:
    adapter = _adapter(tmp_path / "adapter", base_model="someone/tiny", base_revision=OLD)
    assert recorded(adapter, "base_revision") == OLD
    assert snapshot_commit(find_base("someone/tiny", adapter)) == OLD
    assert snapshot_commit(find_base("someone/tiny", None)) == NEW
    assert find_base(str(tiny_folder), adapter) == tiny_folder
    other = hub / "models--someone--tiny" / "snapshots" / NEW
    with pytest.raises(AdapterMismatchError, match=f"trained on revision {OLD} of its base; .* is revision {NEW}"):
        find_base(str(other), adapter)


def test_an_adapter_of_a_folder_is_answered_with_what_that_folder_held(tiny_folder: Path, tmp_path: Path) -> None:
    adapter = _adapter(tmp_path / "adapter", base_model="merged", base_digest=sampled_digest(tiny_folder))
    moved = shutil.copytree(tiny_folder, tmp_path / "elsewhere" / "merged")
    assert find_base(str(moved), adapter) == moved
    weights = moved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(AdapterMismatchError, match=r"was trained on other weights than those in .*merged"):
        find_base(str(moved), adapter)


def test_an_adapter_that_names_no_commit_takes_the_newest(hub: Path, tmp_path: Path) -> None:
    adapter = _adapter(tmp_path / "adapter", base_model="someone/tiny", base_revision=None)
    assert snapshot_commit(find_base("someone/tiny", adapter)) == NEW
    assert recorded(tmp_path, "base_revision") is None
    (adapter / "dobae_adapter.json").write_text("{", "utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        recorded(adapter, "base_revision")


def test_a_generator_loads_the_commit_of_its_adapter(hub: Path, tmp_path: Path) -> None:
    from rag.generators.transformers_model import TransformersGenerator

    adapter = _adapter(tmp_path / "adapter", base_model="someone/tiny", base_revision=OLD)
    (adapter / "adapter_config.json").write_text("{}", "utf-8")
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    generator = TransformersGenerator("someone/tiny", adapter=adapter, device="cpu")
    assert snapshot_commit(generator._folder) == OLD


def test_a_cached_model_without_safetensors_says_where_converted_ones_are(hub: Path) -> None:
    for weights in (hub / "models--someone--tiny" / "snapshots" / OLD).glob("*.safetensors"):
        weights.unlink()
    folder = str(hub / "models--someone--tiny" / "snapshots" / OLD)
    with pytest.raises(ModelNotFoundError, match=r'no complete safetensors weights; .*"refs/pr/1"'):
        find(folder)
