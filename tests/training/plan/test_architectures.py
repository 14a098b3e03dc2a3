"""Goal: the table's dimensions are the published models', and other models are read from their config.json."""

import json
from pathlib import Path

import pytest

from data.errors import FileFormatError, InputError, ModelNotFoundError
from training.plan import skeleton
from training.plan.architectures import TABLE, architecture, from_config

# Published totals, and how far a rounded figure may be off
PUBLISHED = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": (134_515_008, 0),
    "42dot/42dot_LLM-SFT-1.3B": (1.44e9, 0.005e9),
    "skt/kogpt2-base-v2": (125e6, 0.5e6),
    "EleutherAI/polyglot-ko-5.8b": (5_885_059_072, 0),
    "Qwen/Qwen3-8B": (8.2e9, 0.05e9),
    "LGAI-EXAONE/EXAONE-4.0-1.2B": (1.28e9, 0.005e9),
    "upstage/SOLAR-10.7B-v1.0": (10.7e9, 0.05e9),
}
WITHOUT_EMBEDDINGS = {"Qwen/Qwen3-8B": (6.95e9, 0.005e9), "LGAI-EXAONE/EXAONE-4.0-1.2B": (1.07e9, 0.005e9)}


@pytest.mark.parametrize("arch", TABLE, ids=lambda a: a.model)
def test_the_model_transformers_builds_has_exactly_the_counted_parameters(arch) -> None:
    model = skeleton.meta_model(arch)
    assert sum(p.numel() for p in model.parameters()) == arch.parameters
    blocks = [name for name, p in model.named_parameters() if p.ndim == 2 and ".0." in name]
    assert len(blocks) == len(arch.linears())


@pytest.mark.parametrize("arch", TABLE, ids=lambda a: a.model)
def test_counts_are_the_published_ones(arch) -> None:
    total, tolerance = PUBLISHED[arch.model]
    assert abs(arch.parameters - total) <= tolerance
    if arch.model in WITHOUT_EMBEDDINGS:
        total, tolerance = WITHOUT_EMBEDDINGS[arch.model]
        assert abs(arch.parameters - arch.embedding_parameters - total) <= tolerance


@pytest.mark.parametrize("arch", TABLE, ids=lambda a: a.model)
def test_a_config_json_gives_what_the_table_says(arch, tmp_path: Path) -> None:
    skeleton.config(arch).save_pretrained(tmp_path)
    read = architecture(str(tmp_path))
    fields = [f for f in arch.__dataclass_fields__ if f not in ("model", "source")]
    assert {f: getattr(read, f) for f in fields} == {f: getattr(arch, f) for f in fields}


def test_names_are_matched_as_peft_does() -> None:
    gpt2 = architecture("skt/kogpt2-base-v2")
    assert [t.name for t in gpt2.targets(("c_proj",))] == ["attn.c_proj", "mlp.c_proj"]
    assert len(gpt2.targets(("all-linear",))) == 4
    with pytest.raises(InputError, match="no linear layer named q_proj; it has c_attn"):
        gpt2.targets(("q_proj",))


def test_an_unknown_model_is_one_line_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match="not in the planner's table") as caught:
        architecture("nobody/never-heard-of-it")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelNotFoundError):
        architecture(str(tmp_path / "a" / "b" / "c"))


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_damaged_config_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(FileFormatError, match=r"config\.json"):
        architecture(str(tmp_path))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bert"}, "not bert"),
        ({}, "without model_type"),
        ({"model_type": "llama", "hidden_size": 64}, "has no num_attention_heads"),
        ({"model_type": "llama", "hidden_size": "wide", "num_attention_heads": 2}, "not a number"),
        ({"model_type": "llama", "hidden_size": 64, "num_attention_heads": 0}, "not a number above 0"),
    ],
)
def test_a_config_that_cannot_be_planned_says_why(config: dict[str, object], message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        architecture(str(tmp_path))


def test_mistral_is_read_as_llama() -> None:
    fields = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 100}
    assert from_config("m", {"model_type": "mistral", **fields, "intermediate_size": 96}).family == "llama"
