"""Tiny random models that look like those of the T4 presets: their architecture, tokenizer files, special tokens and
chat template, as far as these are published. What a preset assumes about its model breaks here first.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.prompts import Example, closed_book_messages, grounded_messages, plain_prompt
from tests.training.conftest import made_groups

# Both reasoning models open an answer with an empty thought when thinking is off, and write it into past answers too.
_THOUGHT = "<think>\n\n</think>\n\n"
QWEN3_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{% if message.role == 'assistant' and loop.last %}{{ '" + _THOUGHT.replace("\n", "\\n") + "' }}{% endif %}"
    "{{ message.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '" + _THOUGHT.replace("\n", "\\n") + "' }}"
    "{% endif %}{% endif %}"
)
EXAONE4_TEMPLATE = (
    "{% for message in messages %}{{ '[|' + message.role + '|]\n' }}"
    "{% if message.role == 'assistant' %}{{ '" + _THOUGHT.replace("\n", "\\n") + "' }}{% endif %}"
    "{{ message.content + '[|endofturn|]\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[|assistant|]\n' }}"
    "{% if enable_thinking is defined and enable_thinking is true %}{{ '<think>\n' }}"
    "{% else %}{{ '" + _THOUGHT.replace("\n", "\\n") + "' }}{% endif %}{% endif %}"
)


@dataclass(frozen=True)
class LookAlike:
    """One model.

    Attributes:
        preset: The preset that trains the real one.
        family: `model_type` of its config.
        eos: The token that ends an answer.
        save_tokenizer: Writes the files of its tokenizer into a folder, and returns the number of its tokens.
        spare_rows: Rows of the embedding beyond the tokenizer's tokens.
    """

    preset: str
    family: str
    eos: str
    save_tokenizer: Callable[[Path], int]
    spare_rows: int = 0


def _texts() -> list[str]:
    groups = made_groups()
    shown = [Example(group.questions[0], group.answers[0]) for group in groups[:3]]
    prompts = [plain_prompt(grounded_messages("a", shown)), plain_prompt(closed_book_messages("a"))]
    return [*prompts * 20, *(text for group in groups for text in (*group.questions, *group.answers))]


def _byte_level(special: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(_texts(), trainer)
    return raw


def _metaspace(special: list[str], unk: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE(unk_token=unk))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.decoder = decoders.Metaspace()
    raw.train_from_iterator(_texts(), trainers.BpeTrainer(vocab_size=900, special_tokens=special, show_progress=False))
    return raw


def _saved(folder: Path, raw: Any, template: str | None = None, **settings: Any) -> int:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, **settings)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def _kogpt2(folder: Path) -> int:
    # tokenizer.json alone: neither the class nor the special tokens are named by any file but the model's config.
    raw = _metaspace(["<s>", "</s>", "<usr>", "<pad>", "<sys>", "<unk>", "<mask>"], "<unk>")
    raw.save(str(folder / "tokenizer.json"))
    return int(raw.get_vocab_size())


def _42dot(folder: Path) -> int:
    return _saved(folder, _byte_level(["<|endoftext|>"]), eos_token="<|endoftext|>", bos_token="<|endoftext|>")


def _polyglot(folder: Path) -> int:
    special = ["<|endoftext|>", "<|sep|>", "<|acc|>", "<|tel|>", "<|rrn|>"]
    # Its tokenizer returns token types too, which GPT-NeoX does not take.
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return _saved(folder, _byte_level(special), eos_token=special[0], model_input_names=inputs)


def _solar(folder: Path) -> int:
    from tokenizers.processors import TemplateProcessing

    raw = _metaspace(["<unk>", "<s>", "</s>"], "<unk>")
    raw.post_processor = TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return _saved(folder, raw, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def _qwen3(folder: Path) -> int:
    raw = _byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    raw.add_tokens(["<think>", "</think>"])
    return _saved(folder, raw, QWEN3_TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def _exaone4(folder: Path) -> int:
    special = ["[PAD]", "[BOS]", "[EOS]", "[UNK]", "[|system|]", "[|assistant|]", "[|user|]", "[|endofturn|]"]
    settings = {"bos_token": "[BOS]", "eos_token": "[|endofturn|]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    return _saved(folder, _byte_level(special), EXAONE4_TEMPLATE, **settings)


LOOKALIKES = (
    LookAlike("t4-kogpt2", "gpt2", "</s>", _kogpt2),
    LookAlike("t4-42dot-1.3b", "llama", "<|endoftext|>", _42dot, spare_rows=48),
    LookAlike("t4-polyglot-ko-5.8b", "gpt_neox", "<|endoftext|>", _polyglot, spare_rows=77),
    LookAlike("t4-solar-10.7b", "llama", "</s>", _solar),
    LookAlike("t4-qwen3-8b", "qwen3", "<|im_end|>", _qwen3, spare_rows=267),
    LookAlike("t4-exaone4-1.2b", "exaone4", "[|endofturn|]", _exaone4),
)


def build(look: LookAlike, folder: Path) -> None:
    """Writes config, random weights and tokenizer of a look-alike, in the dimensions' proportions of the real one."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    from training.config_file import PRESETS, read_config
    from training.plan import skeleton
    from training.plan.architectures import architecture

    logging.disable_progress_bar()
    folder.mkdir()
    tokens = look.save_tokenizer(folder)
    real = architecture(read_config(PRESETS / f"{look.preset}.toml").model.base)
    assert real.family == look.family
    from dataclasses import replace

    kv_heads = 4 if real.kv_heads == real.heads else 2
    small = replace(
        real,
        hidden=64,
        layers=2,
        heads=4,
        kv_heads=kv_heads,
        head_dim=16,
        intermediate=128,
        vocab=tokens + look.spare_rows,
    )
    config = skeleton.config(small)
    raw = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    ids = {entry["content"]: entry["id"] for entry in raw["added_tokens"]}
    config.eos_token_id, config.bos_token_id = ids[look.eos], None
    config.pad_token_id = ids.get("<pad>", ids.get("[PAD]"))
    config.use_cache = True
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
