"""A merged model says what base and adapter said."""

from pathlib import Path
from typing import Any

import pytest

from data.errors import AdapterMismatchError, InputError
from training.export import export, push
from training.sft import run

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
    with pytest.raises(InputError, match="there already"):
        export(adapter, base, str(base), out)
    with pytest.raises(AdapterMismatchError):
        export(adapter, base, "another/base", tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_upload_without_a_token_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(InputError, match="no Hugging Face token"):
        push(tmp_path, "someone/model")
