"""From what a user writes after `--generator` to a generator."""

import re
from collections.abc import Mapping
from pathlib import Path

from data.errors import InputError
from rag.generators.adapters import NO_ADAPTER, shipped_adapter
from rag.generators.base import Generator
from rag.model_store import DEFAULT_MODEL

_PROVIDER = re.compile(r"[a-z][a-z0-9_]+:.+")


def make_generator(
    spec: str,
    *,
    adapter: Path | str | None = None,
    base_url: str | None = None,
    device: str | None = None,
    quantization: str | None = None,
    quote: bool | None = None,
) -> Generator:
    """Makes the generator a spec names.

    Args:
        spec: "extractive", "smollm2", "provider:model" for a LangChain chat model, a local folder, or a Hugging Face
            id.
        adapter: PEFT adapter folder, for a local model; the one shipped for it by default, and "none" for the model as
            it comes.
        base_url: Address of a compatible server, for a LangChain chat model.
        device: "cpu", "cuda"..., for a local model.
        quantization: "nf4", for a local model on CUDA.
        quote: For a local model: let it answer from examples in their own sentences only. By default the built-in
            model with an adapter does, which is too small to word things itself.

    Raises:
        InputError: The options do not go together, or the generator cannot be set up.
    """
    local_only = {
        "adapter": None if str(adapter) == NO_ADAPTER else adapter,
        "device": device,
        "quantization": quantization,
        "quote": quote or None,
    }
    if not spec.strip():
        raise InputError("the generator has no name")
    if spec == "extractive":
        _refuse({**local_only, "base_url": base_url}, "the extractive generator runs no model")
        from rag.generators.extractive import ExtractiveGenerator

        return ExtractiveGenerator()
    if _PROVIDER.fullmatch(spec) and not Path(spec).exists():
        _refuse(local_only, f"{spec} runs elsewhere")
        from rag.generators.langchain_chat import LangChainChatGenerator

        return LangChainChatGenerator(spec, base_url=base_url)
    _refuse({"base_url": base_url}, f"{spec} runs here")
    from rag.generators.transformers_model import TransformersGenerator

    folder = _adapter(spec, adapter)
    if quote is None:
        quote = spec == DEFAULT_MODEL and folder is not None
    return TransformersGenerator(spec, adapter=folder, device=device, quantization=quantization, quote=quote)


def _adapter(spec: str, named: Path | str | None) -> Path | None:
    if named is None:
        return shipped_adapter(spec)
    return None if str(named) == NO_ADAPTER else Path(named)


def _refuse(options: Mapping[str, object], reason: str) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise InputError(f"{reason}: leave out {', '.join(given)}")
