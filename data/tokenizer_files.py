"""Loads the tokenizer of a model folder, as its authors published it."""

import json
from pathlib import Path
from typing import Any

from data.errors import ModelNotFoundError, one_line

_PROBE = "벽지가 들뜨면 [1] 어떻게 하나요? 12mm\n\n답: OK"
_ROLES = ("bos", "eos", "pad", "unk")


def load_tokenizer(folder: Path) -> Any:
    """Loads a tokenizer, and makes sure that it does what its `tokenizer.json` says.

    Where no file names the tokenizer's class, transformers 5 takes the one of the model's family and rebuilds it from
    the vocabulary alone. KoGPT2 is such a model: a GPT-2 whose tokenizer is no GPT-2's, and every Korean word is lost.

    Raises:
        ModelNotFoundError: There is none that can be read, or it loses Korean text.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if (folder / "tokenizer.json").is_file() and not _as_published(tokenizer, folder):
            tokenizer = _published(folder)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise ModelNotFoundError(f"cannot load the tokenizer of {folder}: {one_line(error, 300)}") from error
    if not tokenizer(_PROBE)["input_ids"]:
        raise ModelNotFoundError(
            f"the tokenizer of {folder} turns Korean text into no token at all; choose another base"
        )
    return tokenizer


def _as_published(tokenizer: Any, folder: Path) -> bool:
    from tokenizers import Tokenizer

    raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
    raw.no_truncation()
    raw.no_padding()
    wanted: list[int] = raw.encode(_PROBE, add_special_tokens=False).ids
    found: list[int] = tokenizer(_PROBE, add_special_tokens=False)["input_ids"]
    return found == wanted


def _published(folder: Path) -> Any:
    """Loads `tokenizer.json` as it is, with the special tokens that the model's config names by number."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    config = folder / "config.json"
    numbers = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    for role in _ROLES:
        number = numbers.get(f"{role}_token_id")
        if getattr(tokenizer, f"{role}_token") is None and isinstance(number, int):
            setattr(tokenizer, f"{role}_token", tokenizer.convert_ids_to_tokens(number))
    return tokenizer
