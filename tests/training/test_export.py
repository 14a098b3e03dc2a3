"""A merged model says what base and adapter said."""

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from data.errors import AdapterMismatchError, InputError
from training.errors import TrainingError
from training.export import export, push
from training.sft import run
from ui.cli.train_command import app

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("hash_encoder"),
]


def test_merged_model_says_the_same(make_config: Any, base: Path, tmp_path: Path) -> None:
    adapter = run(make_config(), base, max_steps=6).adapter
    out = tmp_path / "merged"
    made = export(adapter, base, str(base), out)
    assert made.prompts == 3
    assert made.max_logit_difference < 0.1
    assert made.greedy_tokens > 0
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md", "dobae_export.json"} <= {
        path.name for path in out.iterdir()
    }
    card = (out / "README.md").read_text("utf-8")
    assert card.startswith(f"---\nbase_model: {base}\nlibrary_name: transformers\n")
    assert card.count("\n---\n") == 1
    assert "A LoRA adapter for" in card
    with pytest.raises(InputError, match="there already"):
        export(adapter, base, str(base), out)
    with pytest.raises(AdapterMismatchError):
        export(adapter, base, "another/base", tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_damaged_adapter_or_one_without_a_card_is_one_line(make_config: Any, base: Path, tmp_path: Path) -> None:
    adapter = run(make_config(), base, max_steps=1).adapter
    (adapter / "adapter_model.safetensors").write_bytes(b"{}")
    with pytest.raises(InputError, match=r"is damaged, or does not fit its base"):
        export(adapter, base, str(base), tmp_path / "merged")
    (adapter / "dobae_adapter.json").unlink()
    with pytest.raises(InputError, match=r"dobae_adapter\.json is missing"):
        export(adapter, base, str(base), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_full_disk_leaves_nothing_half_written(
    make_config: Any, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers
    from safetensors import SafetensorError

    adapter = run(make_config(), base, max_steps=2).adapter

    def full(*_: Any, **__: Any) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(transformers.PreTrainedModel, "save_pretrained", full)
    with pytest.raises(TrainingError, match=r"could not be written .*No space left on device.*; free some space"):
        export(adapter, base, str(base), tmp_path / "out" / "merged")
    assert list((tmp_path / "out").iterdir()) == []


def test_upload_without_a_token_is_one_line_before_anything_is_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(InputError, match="no Hugging Face token"):
        push(tmp_path, "someone/model")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/base"}', "utf-8")
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    arguments = ["export", str(adapter), "--out", str(tmp_path / "merged"), "--push", "someone/model"]
    with pytest.raises(InputError, match="no Hugging Face token"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


class _Hub(BaseHTTPRequestHandler):
    """Answers the calls of an upload as huggingface.co does, and keeps what it was sent."""

    seen: ClassVar[list[tuple[str, str, bytes]]] = []
    address: ClassVar[str] = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.path, self.headers.get("Authorization", ""), body))
        if self.path == "/api/repos/create":
            self._answer({"url": f"{self.address}/someone/model", "name": "someone/model"})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]
            self._answer({"files": modes})
        else:
            url = f"{self.address}/someone/model/commit/abc"
            self._answer({"success": True, "commitOid": "a" * 40, "commitUrl": url, "hookOutput": ""})

    def do_GET(self) -> None:
        self._answer({"id": "someone/model", "sha": "a" * 40, "siblings": [], "private": True})

    def _answer(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Stays silent."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hub]]:
    import huggingface_hub
    from huggingface_hub import constants, hf_api

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    _Hub.address, _Hub.seen = f"http://127.0.0.1:{server.server_port}", []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for module in (constants, hf_api.constants):
        monkeypatch.setattr(module, "ENDPOINT", _Hub.address)
    monkeypatch.setenv("HF_TOKEN", "hf_local_test")
    api = partial(huggingface_hub.HfApi, endpoint=_Hub.address)
    monkeypatch.setattr(huggingface_hub, "HfApi", api)
    yield _Hub
    server.shutdown()
    thread.join()
    server.server_close()


def test_upload_sends_every_file_with_the_token(hub: type[_Hub], tmp_path: Path) -> None:
    folder = tmp_path / "merged"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}', "utf-8")
    (folder / "README.md").write_text("# 도배", "utf-8")
    assert push(folder, "someone/model").endswith("someone/model")
    created = next(json.loads(body) for path, _, body in hub.seen if path == "/api/repos/create")
    assert created["name"] == "model"
    assert created["organization"] == "someone"
    assert created.get("private") or created.get("visibility") == "private"
    assert {token for _, token, _ in hub.seen} == {"Bearer hf_local_test"}
    commit = next(body for path, _, body in hub.seen if "/commit/" in path)
    lines = [json.loads(line) for line in commit.splitlines()]
    sent = {line["value"]["path"]: b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"}
    assert sent == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_adapter_is_uploaded_by_itself_and_nothing_else_is(hub: type[_Hub], tmp_path: Path) -> None:
    arguments = ["push", str(tmp_path), "someone/model", "--json"]
    with pytest.raises(InputError, match="no adapter in"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert hub.seen == []
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/base"}', "utf-8")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    said = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert json.loads(said.stdout)["address"].endswith("someone/model")
    commit = next(body for path, _, body in hub.seen if "/commit/" in path)
    assert b"adapter_model.safetensors" in commit


def test_upload_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    class Down:
        def __init__(self, **_: Any) -> None: ...

        def create_repo(self, *_: Any, **__: Any) -> str:
            raise OSError("503 Service\nUnavailable")

    monkeypatch.setenv("HF_TOKEN", "hf_local_test")
    monkeypatch.setattr(huggingface_hub, "HfApi", Down)
    with pytest.raises(TrainingError, match="someone/model could not be uploaded: 503 Service Unavailable"):
        push(tmp_path, "someone/model")
