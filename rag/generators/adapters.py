"""Whether a LoRA adapter fits the model it is put on.

An adapter on the wrong base model gives fluent nonsense, so everything that can be compared is compared first: the base
model's name, its vocabulary, the prompt the adapter was trained with, and the shape of every tensor.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import AdapterMismatchError, InputError
from data.prompts import PROMPT_VERSION, prompt_digest
from rag.model_store import canonical_name

CARD = "dobae_adapter.json"
"""Written by the training module beside PEFT's own config."""

NO_ADAPTER = "none"
"""What a user writes for a model as it comes, where an adapter is shipped for it."""

SHIPPED = Path(__file__).resolve().parent.parent / "adapters"
"""Adapters that ship with this repository, one folder a base model."""

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class AdapterCard:
    """What an adapter says it was trained for; None where it does not say.

    Attributes:
        folder: Where it lies.
        base_model: Name of the base model.
        base_vocab_size: Rows of the base model's embedding.
        prompt_version: `data.prompts.PROMPT_VERSION` at training time.
        prompt_digest: `data.prompts.prompt_digest` at training time.
    """

    folder: Path
    base_model: str | None
    base_vocab_size: int | None
    prompt_version: str | None
    prompt_digest: str | None


def shipped_adapter(model_name: str) -> Path | None:
    """Returns the folder of the adapter this project ships for a model, or None."""
    folder = SHIPPED / model_name
    return folder if "/" not in model_name and (folder / _CONFIG).is_file() else None


def default_adapter(model: str) -> Path:
    """Returns the folder of the adapter that ships for a model.

    Raises:
        InputError: None does.
    """
    folder = shipped_adapter(model)
    if folder is None:
        raise InputError(
            f"no adapter ships for {model} ({SHIPPED.name}/{model} is missing); "
            "train one with `dobae train cpu-smollm2` and name its folder"
        )
    return folder


def read_card(folder: Path) -> AdapterCard:
    """Reads what an adapter folder says about itself; loads no weights.

    Raises:
        InputError: The folder holds no adapter, its files are damaged, or its weights are a pickle.
    """
    if not (folder / _CONFIG).is_file():
        raise InputError(f"no adapter in {folder}: {_CONFIG} is missing")
    if not (folder / _WEIGHTS).is_file():
        if any(folder.glob("*.bin")):
            raise InputError(f"the adapter in {folder} is a pickle, which can run code; save it as safetensors")
        raise InputError(f"no adapter in {folder}: {_WEIGHTS} is missing")
    config = _read_json(folder / _CONFIG)
    card = _read_json(folder / CARD) if (folder / CARD).is_file() else {}
    vocabulary = card.get("base_vocab_size")
    return AdapterCard(
        folder,
        _text(card.get("base_model")) or _recognisable(_text(config.get("base_model_name_or_path"))),
        vocabulary if isinstance(vocabulary, int) else None,
        None if card.get("prompt_version") is None else str(card["prompt_version"]),
        _text(card.get("prompt_digest")),
    )


def check_names(card: AdapterCard, model_name: str) -> None:
    """Compares what can be compared before a model is loaded.

    Raises:
        AdapterMismatchError: Another base model or another prompt.
    """
    if card.base_model is not None and canonical_name(card.base_model) != canonical_name(model_name):
        raise AdapterMismatchError(
            f"the adapter in {card.folder} was trained for {card.base_model}; {model_name} was loaded"
        )
    if card.prompt_version is not None and card.prompt_version != PROMPT_VERSION:
        raise AdapterMismatchError(
            f"the adapter in {card.folder} was trained with prompt version {card.prompt_version}; "
            f"this program renders version {PROMPT_VERSION}: train it again"
        )
    if card.prompt_digest is not None and card.prompt_digest != prompt_digest():
        raise AdapterMismatchError(
            f"the adapter in {card.folder} was trained with prompts of digest {card.prompt_digest}; "
            f"this program's have {prompt_digest()}: train it again"
        )


def check_model(card: AdapterCard, model: Any, model_name: str) -> None:
    """Compares vocabulary and tensor shapes with a loaded model; reads only the header of the weights.

    Raises:
        AdapterMismatchError: They differ.
        InputError: The adapter's weights are damaged.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])
    if card.base_vocab_size is not None and card.base_vocab_size != rows:
        raise AdapterMismatchError(
            f"the adapter in {card.folder} was trained for a vocabulary of {card.base_vocab_size}; "
            f"{model_name} has {rows}"
        )
    for name, shape in _shapes(card.folder / _WEIGHTS).items():
        path, _, part = name.removeprefix("base_model.model.").rpartition(".lora_")
        if part not in {"A.weight", "B.weight"}:
            continue  # Other kinds of tensors are PEFT's to check.
        wanted = _features(model, path)
        side = "in" if part[0] == "A" else "out"
        found = shape[1] if side == "in" else shape[0]  # A: (rank, in), B: (out, rank)
        if wanted is None:
            raise AdapterMismatchError(f"the adapter in {card.folder} changes {path}, which {model_name} does not have")
        if found != wanted[side]:
            raise AdapterMismatchError(
                f"the adapter in {card.folder} was trained for {path} with {found} {side}puts; "
                f"{model_name} has {wanted[side]}"
            )


def _features(model: Any, path: str) -> dict[str, int] | None:
    """Returns the in and out features of a linear layer, or None when there is no such layer."""
    try:
        layer = model.get_submodule(path)
    except AttributeError:
        return None
    if hasattr(layer, "in_features"):
        return {"in": int(layer.in_features), "out": int(layer.out_features)}
    if hasattr(layer, "nf"):  # GPT-2's Conv1D keeps its weight transposed.
        return {"in": int(layer.weight.shape[0]), "out": int(layer.weight.shape[1])}
    return None


def _shapes(weights: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="pt") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{weights} is damaged: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} does not hold a JSON object")
    return content


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _recognisable(base: str | None) -> str | None:
    """Keeps a Hugging Face id or the default model's folder; any other path says where it was, not what."""
    if base is None or canonical_name(base) == "smollm2" or "/snapshots/" in base:
        return base
    is_id = base.count("/") == 1 and not base.startswith((".", "/", "~")) and "\\" not in base
    return base if is_id else None
