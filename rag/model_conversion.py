"""Turns the default generator's GGUF into a folder of safetensors that transformers loads as it is.

The converted weights are kept in float32: a Q4_1 weight is `scale * q + minimum` with a float16 scale, a product that
needs up to 15 bits of mantissa. Float16 would round a quarter of them (and most of the embedding), which was measured
to move logits by up to 0.05 and to change one greedy choice in 780; bfloat16 is coarser still.

Knows nothing about how the GGUF was fetched or where the model is kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

from data.errors import ModelNotFoundError
from rag.model_download import GGUF_NAME

WEIGHTS_SHA256 = "15de52720e20a45e4e8358f990c18d70df7af4ed1b83eb20b5ac6ff3cb0dae2e"
"""Digest of the converted tensors (see `_weights_digest`): unpacking is exact in float32, so all machines agree."""

# The template and the special tokens SmolLM2 was tuned with.
_SPECIAL_IDS = {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}
_CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def convert(gguf: Path, folder: Path) -> dict[str, str]:
    """Writes config, tokenizer and float32 safetensors of the model in `gguf` to an existing folder.

    Returns:
        The versions of the libraries that did it, by name.

    Raises:
        ModelNotFoundError: The weights or the tokenizer did not come out as they should.
    """
    import torch
    import transformers
    from safetensors.torch import save_file

    # Newer readers may leave weights packed where a kernel exists; older ones have no such choice and always unpack.
    unpacked = {"quantization_config": transformers.GgufConfig(dequantize=True)} if _has_gguf_config() else {}
    with quiet_progress(), redirect_stderr(StringIO()):  # The GGUF reader's own bar knows no switch.
        model = transformers.AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32, device_map="cpu", **unpacked
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    digest = _weights_digest(tensors)
    if digest != WEIGHTS_SHA256:
        raise ModelNotFoundError(
            f"transformers {transformers.__version__} unpacked {GGUF_NAME} into other weights than expected "
            f"({digest[:12]}... instead of {WEIGHTS_SHA256[:12]}...); install the versions this project was tested with"
        )
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    _mend_tokenizer(tokenizer, config.max_position_embeddings)
    tokenizer.save_pretrained(folder)
    return {"transformers": transformers.__version__, "torch": torch.__version__}


def _has_gguf_config() -> bool:
    import transformers

    return hasattr(transformers, "GgufConfig")


def _mend_tokenizer(tokenizer: Any, context: int) -> None:
    """Restores what the GGUF reader loses, and refuses a tokenizer that would not carry Korean or ChatML."""
    from tokenizers import pre_tokenizers

    # SmolLM2 splits off every digit before the byte-level step; the reader keeps only the latter, which tokenises
    # whitespace before a digit differently ("\n\n1. ").
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.model_max_length = context
    tokenizer.clean_up_tokenization_spaces = False
    tokenizer.init_kwargs.pop("is_local", None)
    tokenizer.init_kwargs.pop("local_files_only", None)
    tokenizer.chat_template = _CHAT_TEMPLATE
    tokenizer.eos_token = "<|im_end|>"  # noqa: S105
    tokenizer.pad_token = "<|im_end|>"  # noqa: S105
    sample = "벽지가 들떠요 — 0.3mm 뜬 곳은? ㅋㅋ 쀍\n1. 접착제"
    if tokenizer.decode(tokenizer.encode(sample)) != sample:
        raise ModelNotFoundError("the tokenizer in the GGUF does not carry Korean losslessly; please report this")
    for token, expected in _SPECIAL_IDS.items():
        if tokenizer.encode(token) != [expected]:
            raise ModelNotFoundError(f"the tokenizer in the GGUF splits {token}; please report this")


def _weights_digest(tensors: dict[str, Any]) -> str:
    """Digests names, shapes and float32 bytes in name order, whatever file layout holds them."""
    digest = sha256()
    for name in sorted(tensors):
        array = tensors[name].numpy()  # any shape
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(memoryview(array).cast("B"))
    return digest.hexdigest()


@contextmanager
def quiet_progress() -> Iterator[None]:
    """Keeps transformers' progress bars off stderr for a block."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
