"""The digest of an arm: everything that its answers depend on, so that a journal never gives another's."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError
from rag.evaluation import arms
from rag.evaluation.arms import Arm, prepare_arms
from rag.evaluation.config import ArmSettings
from rag.generators.base import GenerationRequest, ScriptedGenerator


class LocalFake(ScriptedGenerator):
    """Says what a local model would say about itself."""

    adapter = None
    quotes = True

    def __init__(self, folder: Path, device: str) -> None:
        super().__init__("답입니다.")
        self.folder = folder
        self.device = device

    def generate_batch(self, requests: Sequence[GenerationRequest]) -> list[str]:
        return ["답입니다."] * len(requests)


def _folder(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return _folder(tmp_path / "model", {"model.safetensors": "weights", "config.json": "{}"})


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    files = {"adapter_model.safetensors": "weights", "adapter_config.json": '{"lora_alpha": 16}'}
    return _folder(tmp_path / "adapter", files)


@pytest.fixture
def prepare(model: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Arm]:
    def prepared(device: str = "cpu", **settings: Any) -> Arm:
        monkeypatch.setattr(arms, "make_generator", lambda *_, **__: LocalFake(model, device))
        return prepare_arms([ArmSettings("tuned", str(model), adapter=str(adapter), **settings)])[0]

    return prepared


def test_the_same_files_and_settings_have_the_same_digest(prepare: Callable[..., Arm]) -> None:
    first = prepare()
    assert prepare().digest == first.digest
    assert first.device == "cpu"
    assert first.model
    assert first.adapter


@pytest.mark.parametrize(
    ("folder", "file", "content"),
    [
        ("model", "model.safetensors", b"other"),
        ("model", "config.json", b'{"rope_theta": 1}'),
        ("model", "chat_template.jinja", b"{{ messages }}"),
        ("adapter", "adapter_model.safetensors", b"other"),
        ("adapter", "adapter_config.json", b'{"lora_alpha": 32}'),
    ],
)
def test_a_changed_file_in_the_same_folder_changes_the_digest(
    prepare: Callable[..., Arm], tmp_path: Path, folder: str, file: str, content: bytes
) -> None:
    before = prepare().digest
    (tmp_path / folder / file).write_bytes(content)
    assert prepare().digest != before


def test_files_that_no_model_reads_do_not_change_the_digest(prepare: Callable[..., Arm], model: Path) -> None:
    before = prepare().digest
    (model / "README.md").write_text("read me", "utf-8")
    assert prepare().digest == before


def test_the_device_a_model_runs_on_changes_the_digest(prepare: Callable[..., Arm]) -> None:
    assert prepare("cpu").digest != prepare("cuda").digest


def test_another_version_of_the_answering_code_changes_the_digest(
    prepare: Callable[..., Arm], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prepare().digest
    monkeypatch.setattr(arms, "ANSWERING_VERSION", arms.ANSWERING_VERSION + 1)
    assert prepare().digest != before


def test_examples_are_not_quoted_in_batches(prepare: Callable[..., Arm]) -> None:
    assert prepare(retrieval="none", batch=4)
    with pytest.raises(InputError, match="arm tuned: examples are quoted one question at a time; leave batch out"):
        prepare(batch=4)
