"""True dimensions of the models that presets name, offline; any other model from its `config.json`.

A row states where its numbers come from and the published parameter count they were checked against
(`tests/training/plan/test_architectures.py` builds each on torch's `meta` device and counts).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import FileFormatError, InputError, ModelNotFoundError

FAMILIES = ("llama", "gpt2", "gpt_neox", "qwen3", "exaone4")


@dataclass(frozen=True, slots=True)
class Linear:
    """One frozen linear layer of a decoder layer; `reads` names the tensor it reads, shared by those with one name."""

    name: str
    inputs: int
    outputs: int
    bias: bool
    reads: str

    @property
    def weights(self) -> int:
        """Elements of the matrix."""
        return self.inputs * self.outputs


@dataclass(frozen=True, slots=True)
class Architecture:
    """Dimensions of a decoder-only language model.

    Attributes:
        model: Hub id.
        family: `model_type` of transformers: llama, gpt2, gpt_neox, qwen3 or exaone4.
        hidden: Width of the residual stream.
        layers: Decoder layers.
        heads: Query heads.
        kv_heads: Key and value heads.
        head_dim: Width of a head.
        intermediate: Width inside the MLP.
        vocab: Rows of the embedding, padding rows included.
        tied: Whether the vocabulary projection is the embedding.
        activation: "silu" (gated MLP), "gelu" (one kernel) or "gelu_new" (GPT-2's formula in Python, in eight).
        positions: Rows of a learned position embedding; 0 for rotary positions.
        dropout: Of the residual branches and embeddings in training.
        attention_bias: Whether the attention's linear layers have a bias.
        mlp_bias: Whether the MLP's have.
        source: Where the numbers come from.
    """

    model: str
    family: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    tied: bool
    activation: str = "silu"
    positions: int = 0
    dropout: float = 0.0
    attention_bias: bool = False
    mlp_bias: bool = False
    source: str = ""

    @property
    def query(self) -> int:
        """Width of all query heads."""
        return self.heads * self.head_dim

    @property
    def key(self) -> int:
        """Width of all key heads."""
        return self.kv_heads * self.head_dim

    @property
    def layer_norm(self) -> bool:
        """Whether the norms are `LayerNorm` (which autocast lifts to fp32, output included) and not RMSNorm."""
        return self.family in ("gpt2", "gpt_neox")

    @property
    def qk_norm(self) -> bool:
        """Whether queries and keys are normalised by head."""
        return self.family in ("qwen3", "exaone4")

    def linears(self) -> tuple[Linear, ...]:
        """The linear layers of one decoder layer, in the order of the forward pass."""
        h, q, k, i, b, m = self.hidden, self.query, self.key, self.intermediate, self.attention_bias, self.mlp_bias
        if self.family == "gpt2":
            return (
                Linear("c_attn", h, 3 * h, True, "attention"),
                Linear("attn.c_proj", h, h, True, "heads"),
                Linear("c_fc", h, i, True, "mlp"),
                Linear("mlp.c_proj", i, h, True, "middle"),
            )
        if self.family == "gpt_neox":
            return (
                Linear("query_key_value", h, 3 * h, b, "attention"),
                Linear("dense", h, h, b, "heads"),
                Linear("dense_h_to_4h", h, i, True, "mlp"),
                Linear("dense_4h_to_h", i, h, True, "middle"),
            )
        # qwen3 and exaone4 give the output projection a bias with the others; llama does too
        return (
            Linear("q_proj", h, q, b, "attention"),
            Linear("k_proj", h, k, b, "attention"),
            Linear("v_proj", h, k, b, "attention"),
            Linear("o_proj", q, h, b, "heads"),
            Linear("gate_proj", h, i, m, "mlp"),
            Linear("up_proj", h, i, m, "mlp"),
            Linear("down_proj", i, h, m, "middle"),
        )

    def targets(self, names: tuple[str, ...]) -> tuple[Linear, ...]:
        """The linear layers an adapter with these `target_modules` attaches to, as PEFT matches them: by suffix.

        Args:
            names: Names, or `("all-linear",)`.

        Returns:
            The layers, in forward order.

        Raises:
            InputError: A name matches none.
        """
        linears = self.linears()
        if names == ("all-linear",):
            return linears
        unknown = [n for n in names if not any(_matches(linear.name, n) for linear in linears)]
        if unknown:
            have = ", ".join(linear.name for linear in linears)
            raise InputError(f"{self.model} has no linear layer named {', '.join(unknown)}; it has {have}")
        return tuple(linear for linear in linears if any(_matches(linear.name, n) for n in names))

    @property
    def norm_parameters(self) -> int:
        """Elements of all norms."""
        parts = 2 if self.layer_norm else 1  # a LayerNorm has a bias too
        per_layer = 2 * self.hidden * parts + (2 * self.head_dim if self.qk_norm else 0)
        return self.layers * per_layer + self.hidden * parts

    @property
    def linear_parameters(self) -> int:
        """Elements of the decoder layers' matrices: what quantisation shrinks."""
        return self.layers * sum(linear.weights for linear in self.linears())

    @property
    def bias_parameters(self) -> int:
        """Elements of the decoder layers' biases."""
        return self.layers * sum(linear.outputs for linear in self.linears() if linear.bias)

    @property
    def embedding_parameters(self) -> int:
        """Elements of token and position embeddings and, if it is not tied, of the vocabulary projection."""
        return self.vocab * self.hidden * (1 if self.tied else 2) + self.positions * self.hidden

    @property
    def parameters(self) -> int:
        """Elements of the whole model."""
        return self.linear_parameters + self.bias_parameters + self.norm_parameters + self.embedding_parameters


def _matches(name: str, target: str) -> bool:
    """Whether PEFT would adapt a layer `name` for a target `target`; "c_proj" stands for both of GPT-2's."""
    return name == target or name.endswith(f".{target}")


# Each `source` names the published count that `parameters` was compared with.
TABLE: tuple[Architecture, ...] = (
    Architecture(
        "HuggingFaceTB/SmolLM2-135M-Instruct", "llama", 576, 30, 9, 3, 64, 1536, 49152, True,
        source="config.json; arXiv 2502.02737, 135M (134,515,008 in the safetensors header)",
    ),
    Architecture(
        "42dot/42dot_LLM-SFT-1.3B", "llama", 2048, 24, 32, 32, 64, 5632, 50304, False,
        source="model card (24 layers, 32 heads, 2,048, FFN 5,632); tensor list with a separate lm_head of "
        "50,304 rows, docs.likejazz.com/wiki/gguf; 1.44B, called 1.3B",
    ),
    Architecture(
        "skt/kogpt2-base-v2", "gpt2", 768, 12, 12, 12, 64, 3072, 51200, True,
        activation="gelu_new", positions=1024, dropout=0.1, attention_bias=True, mlp_bias=True,
        source="github.com/SKT-AI/KoGPT2 (12 layers, 12 heads, 768, ffn 3,072, vocabulary 51,200); 125M",
    ),
    Architecture(
        "EleutherAI/polyglot-ko-5.8b", "gpt_neox", 4096, 28, 16, 16, 256, 16384, 30080, False,
        activation="gelu", attention_bias=True, mlp_bias=True,
        source="model card: 28 layers, 4,096, 16 heads of 256, 30,080 rows; 5,885,059,072",
    ),
    Architecture(
        "Qwen/Qwen3-8B", "qwen3", 4096, 36, 32, 8, 128, 12288, 151936, False,
        source="model card and config.json; 8.2B, 6.95B without embeddings",
    ),
    Architecture(
        "LGAI-EXAONE/EXAONE-4.0-1.2B", "exaone4", 2048, 30, 32, 8, 64, 4096, 102400, True,
        source="model card: 30 layers, 32 and 8 heads, vocabulary 102,400; 1.07B without embeddings",
    ),
    Architecture(
        "upstage/SOLAR-10.7B-v1.0", "llama", 4096, 48, 32, 8, 128, 14336, 32000, False,
        source="config.json; arXiv 2312.15166, Mistral 7B scaled to 48 layers; 10.7B",
    ),
)  # fmt: skip
_SAME = {
    "HuggingFaceTB/SmolLM2-135M": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "smollm2-135m": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "42dot/42dot_LLM-PLM-1.3B": "42dot/42dot_LLM-SFT-1.3B",
    "Qwen/Qwen3-8B-Base": "Qwen/Qwen3-8B",
    "upstage/SOLAR-10.7B-Instruct-v1.0": "upstage/SOLAR-10.7B-v1.0",
}


def architecture(model: str, revision: str = "") -> Architecture:
    """Dimensions of a model: from the table, else from its `config.json` (a directory, or the hub's local cache).

    Nothing is downloaded.

    Args:
        model: Hub id or directory.
        revision: Revision of a hub id that is not in the table; empty for the main branch.

    Returns:
        The dimensions.

    Raises:
        ModelNotFoundError: Neither in the table nor on this machine.
        FileFormatError: Its `config.json` cannot be read.
        InputError: Its family is not one the planner knows.
    """
    name = _SAME.get(model, model)
    for row in TABLE:
        if row.model.lower() == name.lower():
            return row
    path = Path(model) / "config.json"
    if not path.is_file():
        path = _cached_config(model, revision)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path} is not a readable config.json: {error}") from error
    if not isinstance(config, dict):
        raise FileFormatError(f"{path} is not a JSON object")
    return from_config(model, config)


def _cached_config(model: str, revision: str) -> Path:
    """The hub cache's `config.json` of a model."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, "config.json", revision=revision or None)
    except HFValidationError:
        found = None
    if not isinstance(found, str):
        known = ", ".join(row.model for row in TABLE)
        raise ModelNotFoundError(
            f"{model} is not in the planner's table and its config.json is not on this machine; "
            f"give a directory that holds one, fetch it (hf download {model} config.json), or use one of: {known}"
        )
    return Path(found)


def from_config(model: str, config: Mapping[str, Any]) -> Architecture:
    """Dimensions from the fields of a `config.json`, whichever of transformers' names they bear.

    Args:
        model: Name to carry.
        config: The parsed file.

    Returns:
        The dimensions.

    Raises:
        InputError: The family is unknown, or a field is missing or no number.
    """
    family = str(config.get("model_type", ""))
    if family in ("mistral", "qwen2"):  # llama's layers; qwen2 adds biases to query, key and value only
        family = "llama"
    if family not in FAMILIES:
        raise InputError(
            f"{model}: the planner knows {', '.join(FAMILIES)}, not {family or 'a config without model_type'}"
        )

    def number(*names: str, default: int | None = None) -> int:
        value = next((config[name] for name in names if config.get(name) is not None), default)
        if value is None:
            raise InputError(f"{model}: config.json has no {' or '.join(names)}")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{model}: {names[0]} in config.json is {value!r}, not a number above 0")
        return value

    hidden = number("hidden_size", "n_embd")
    heads = number("num_attention_heads", "n_head")
    layer_norm = family in ("gpt2", "gpt_neox")
    activation = config.get("hidden_act") or config.get("activation_function")
    dropout = config.get("resid_pdrop", 0.1) if family == "gpt2" else config.get("hidden_dropout", 0.0)
    return Architecture(
        model=model,
        family=family,
        hidden=hidden,
        layers=number("num_hidden_layers", "n_layer"),
        heads=heads,
        kv_heads=number("num_key_value_heads", default=heads),
        head_dim=number("head_dim", default=hidden // heads),
        intermediate=number("intermediate_size", "n_inner", default=4 * hidden),
        vocab=number("vocab_size"),
        tied=bool(config.get("tie_word_embeddings", family == "gpt2")),
        activation=str(activation or {"gpt2": "gelu_new", "gpt_neox": "gelu"}.get(family, "silu")),
        positions=number("n_positions", "max_position_embeddings", "n_ctx") if family == "gpt2" else 0,
        dropout=float(dropout or 0.0),
        attention_bias=bool(config.get("attention_bias", layer_norm)),
        mlp_bias=bool(config.get("mlp_bias", layer_norm)),
        source=f"config.json of {model}",
    )
