"""What `--generator` accepts, and how cheaply it says no."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError, ModelNotFoundError
from data.prompts import PROMPT_VERSION
from rag.generators import transformers_model
from rag.generators.adapters import check_names, read_card, shipped_adapter
from rag.generators.extractive import ExtractiveGenerator
from rag.generators.langchain_chat import LangChainChatGenerator
from rag.generators.spec import make_generator
from rag.generators.transformers_model import TransformersGenerator


def test_each_kind_of_spec_makes_its_generator(tiny_folder: Path) -> None:
    assert isinstance(make_generator("extractive"), ExtractiveGenerator)
    assert isinstance(make_generator(str(tiny_folder), device="cpu"), TransformersGenerator)
    chat = make_generator("openai:gpt-4o-mini", base_url="http://127.0.0.1:1/v1")
    assert isinstance(chat, LangChainChatGenerator)
    assert chat.name == "openai:gpt-4o-mini"


def test_the_shipped_adapter_is_used_unless_another_or_none_is_named(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[Path | None] = []
    monkeypatch.setattr(
        transformers_model.TransformersGenerator, "__init__", lambda *_, adapter, **__: named.append(adapter)
    )
    for adapter in (None, "none", tmp_path / "mine"):
        make_generator("smollm2", adapter=adapter)
    make_generator(str(tiny_folder))
    shipped = shipped_adapter("smollm2")
    assert shipped is not None
    assert read_card(shipped).base_model == "smollm2"
    assert named == [shipped, None, tmp_path / "mine", None]


def test_the_small_model_quotes_with_an_adapter_unless_told_otherwise(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    monkeypatch.setattr(
        transformers_model.TransformersGenerator, "__init__", lambda *_, quote, **__: told.append(quote)
    )
    make_generator("smollm2")
    make_generator("smollm2", adapter=tmp_path / "mine")
    make_generator("smollm2", adapter="none")
    make_generator(str(tiny_folder), adapter=tmp_path / "mine")
    make_generator("smollm2", quote=False)
    make_generator(str(tiny_folder), quote=True)
    assert told == [True, True, False, False, False, True]
    with pytest.raises(InputError, match="quote"):
        make_generator("extractive", quote=True)


def test_the_shipped_adapter_is_small_and_of_this_prompt() -> None:
    shipped = shipped_adapter("smollm2")
    assert shipped is not None
    card = read_card(shipped)
    check_names(card, "smollm2")
    assert card.prompt_version == PROMPT_VERSION
    assert sum(path.stat().st_size for path in shipped.iterdir()) <= 20_000_000


def test_a_default_that_was_never_pulled_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOBAE_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match="dobae models pull"):
        make_generator("smollm2")


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("extractive", {"adapter": Path("a")}, "leave out adapter"),
        ("extractive", {"base_url": "http://x"}, "leave out base_url"),
        ("openai:gpt-4o-mini", {"device": "cuda", "quantization": "nf4"}, "leave out device, quantization"),
        ("smollm2", {"base_url": "http://x"}, "leave out base_url"),
        (" ", {}, "no name"),
    ],
)
def test_options_that_do_not_go_together_are_refused(spec: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_generator(spec, **options)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys; from rag.generators import adapters, decoding, langchain_chat, spec, textstream, "
        "transformers_model; import rag.model_store; spec.make_generator('extractive'); "
        "print(sorted({'torch', 'transformers', 'peft', 'langchain', 'langchain_core', 'huggingface_hub'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
