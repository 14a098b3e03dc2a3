"""From what a user writes after `--generator` to a generator."""

import re
from pathlib import Path

from data.errors import InputError
from rag.generators.base import Generator

_PROVIDER = re.compile(r"[a-z][a-z0-9_]+:.+")


def make_generator(
    spec: str,
    *,
    adapter: Path | None = None,
    base_url: str | None = None,
    device: str | None = None,
    quantization: str | None = None,
) -> Generator:
    """Makes the generator a spec names.

    Args:
        spec: "extractive", "smollm2", "provider:model" for a LangChain chat model, a local folder, or a Hugging Face
            id.
        adapter: PEFT adapter folder, for a local model.
        base_url: Address of a compatible server, for a LangChain chat model.
        device: "cpu", "cuda"..., for a local model.
        quantization: "nf4", for a local model on CUDA.

    Raises:
        InputError: The options do not go together, or the generator cannot be set up.
    """
    local_only = {"adapter": adapter, "device": device, "quantization": quantization}
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

    return TransformersGenerator(spec, adapter=adapter, device=device, quantization=quantization)


def _refuse(options: dict[str, Path | str | None], reason: str) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise InputError(f"{reason}: leave out {', '.join(given)}")
