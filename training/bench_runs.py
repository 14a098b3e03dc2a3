"""The training runs that `training.bench_t4` measures: as `dobae train` does them, and as a plain TRL script does.

Weights are random, of the true shapes; texts come from the starter knowledge base; nothing is downloaded.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from training.arguments import checkpointing
from training.config import TrainConfig
from training.config_file import parse_config
from training.models import Hardware, with_adapter, without_known_warnings
from training.plan.architectures import Architecture, architecture
from training.plan.inputs import PlanInput
from training.plan.skeleton import random_model
from training.rows import Prepared, Rendered
from training.sft import make_trainer
from training.tokens import EncodedRow, EncodedRows

STARTER = Path(__file__).resolve().parent.parent / "data" / "starter" / "qa.csv"


@dataclass(frozen=True, slots=True)
class Trained:
    """What one training run showed: peak bytes, tokens that are not padding, seconds without the warm-up, losses."""

    peak: int
    tokens: int
    seconds: float
    losses: tuple[float, ...]
    steps: int


def full_rows(run: PlanInput, vocab: int, count: int) -> list[EncodedRow]:
    """Token rows of exactly the run's length, the second of each pair one shorter, so that a batch is padded."""
    rows = []
    for number in range(count):
        length = run.max_length - (number % 2 if run.micro_batch > 1 else 0)
        labelled = max(1, round(length * run.label_share))
        ids = tuple((number * 7919 + place * 104729) % (vocab - 8) + 8 for place in range(length))
        rows.append(EncodedRow(ids, length - labelled))
    return rows


def text_rows(texts: Sequence[dict[str, str]], words: Any) -> list[EncodedRow]:
    """Encodes texts as the plain script's trainer does: prompt, answer, end."""
    rows = []
    for text in texts:
        prompt = words(text["prompt"])["input_ids"]
        rows.append(EncodedRow((*prompt, *words(text["completion"])["input_ids"], words.eos_token_id), len(prompt)))
    return rows


def fitting(texts: Sequence[dict[str, str]], words: Any, longest: int) -> list[dict[str, str]]:
    """Keeps the texts that fit into `longest` tokens, so that whatever trains on them cuts none."""
    rows = text_rows(texts, words)
    return [text for text, row in zip(texts, rows, strict=True) if len(row.input_ids) <= longest]


def starter_texts() -> list[dict[str, str]]:
    """Prompts with three examples and answers from the starter knowledge base, of their natural, uneven lengths."""
    from data.prompts import Example, closed_book_messages, grounded_messages, plain_prompt
    from data.readers import read_groups

    groups = read_groups(STARTER).groups
    rows = []
    for number, group in enumerate(groups):
        shown = [groups[(number + step) % len(groups)] for step in (0, 17, 41)]
        examples = [Example(g.questions[0], g.answers[0]) for g in shown]
        for question in group.questions:
            prompts = grounded_messages(question, examples), closed_book_messages(question)
            rows += [{"prompt": plain_prompt(p), "completion": " " + group.answers[0]} for p in prompts]
    return rows


def tokenizer(texts: Sequence[str], vocab: int = 8000) -> Any:
    """A byte-level BPE trained on the texts: real Korean token counts, no download."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=vocab, special_tokens=["<pad>", "<eos>"], show_progress=False),
    )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", eos_token="<eos>")  # noqa: S106


def tiny(run: PlanInput) -> tuple[PlanInput, Architecture]:
    """A configuration in shapes that a CPU trains in a second, everything else alike."""
    arch = architecture(run.model)
    small = replace(
        arch,
        hidden=64,
        layers=2,
        heads=4,
        kv_heads=4 if arch.kv_heads == arch.heads else 2,
        head_dim=16,
        intermediate=128,
        vocab=1024,
    )
    return replace(run, compute_dtype="float32", micro_batch=min(2, run.micro_batch), max_length=512), small


def config_of(run: PlanInput, out: Path) -> TrainConfig:
    """The settings of `dobae train` that a planner's question is about."""
    double = run.quantisation == "nf4-double"
    return parse_config(
        {
            "model": {"base": run.model},
            "adapter": {"targets": list(run.target_modules), "r": run.lora_rank, "alpha": 8},
            "data": {"files": ["bench"], "max_length": run.max_length},
            "optimisation": {
                "learning_rate": 1e-4,
                "warmup": 0.0,
                "batch_size": run.micro_batch,
                "accumulation": 1,
                "optimizer": run.optimiser,
                "gradient_checkpointing": run.gradient_checkpointing,
                "packing": "bfd" if run.packing else "none",
            },
            "precision": {"quantization": "nf4" if double else run.quantisation, "double_quant": double},
            "logging": {"report_to": "none", "every": 1},
            "output": {"dir": str(out), "save_every": 1_000_000},
        },
        "bench",
    )


def train(run: PlanInput, arch: Architecture, rows: Sequence[EncodedRow], steps: int, words: Any) -> Trained:
    """Trains random weights of the run's shape as `dobae train` does, to a held-out loss and a checkpoint.

    Args:
        run: The settings.
        arch: The model's dimensions.
        rows: Token rows.
        steps: Optimiser steps.
        words: Tokenizer.

    Returns:
        Peak memory, speed and losses.
    """
    hardware = _hardware(run)
    model = _fresh_model(run, arch)
    with tempfile.TemporaryDirectory() as folder, without_known_warnings():
        config = config_of(run, Path(folder))
        adapted = with_adapter(model, config, Path(folder))
        data = Prepared(
            Rendered((), (), {}, {}), EncodedRows(tuple(rows)), EncodedRows(tuple(rows[: 2 * run.micro_batch]))
        )
        trainer, _watch = make_trainer(config, adapted, words, data, hardware, steps, _quiet, _quiet)
        return _measured(trainer, steps)


def train_plainly(
    run: PlanInput, arch: Architecture, texts: Sequence[dict[str, str]], steps: int, words: Any
) -> Trained:
    """Trains the same weights as a plain script does: `SFTTrainer` with prompts and completions, and its defaults."""
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    hardware = _hardware(run)
    model = _fresh_model(run, arch)
    with tempfile.TemporaryDirectory() as folder, without_known_warnings():
        config = SFTConfig(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=run.micro_batch,
            max_length=run.max_length,
            optim={"adamw": "adamw_torch_fused"}.get(run.optimiser, run.optimiser),
            fp16=hardware.cuda,
            bf16=False,
            use_cpu=not hardware.cuda,
            completion_only_loss=True,
            learning_rate=1e-4,
            save_strategy="no",
            report_to=[],
            logging_steps=1,
            disable_tqdm=True,
            seed=0,
            **checkpointing(SFTConfig, on=run.gradient_checkpointing),
        )
        lora = LoraConfig(r=run.lora_rank, lora_alpha=8, target_modules=list(run.target_modules), task_type="CAUSAL_LM")
        trainer = SFTTrainer(
            model,
            args=config,
            train_dataset=import_module("datasets").Dataset.from_list(list(texts)),
            processing_class=words,
            peft_config=lora,
        )
        return _measured(trainer, steps)


def _hardware(run: PlanInput) -> Hardware:
    """A T4's formats on any GPU; on the CPU, where only the path is walked, those of the run."""
    import torch

    if torch.cuda.is_available():
        return Hardware("cuda:0", (7, 5), "float16", "float16")
    return Hardware("cpu", None, run.compute_dtype, run.compute_dtype)


def _fresh_model(run: PlanInput, arch: Architecture) -> Any:
    """Builds the model on a device that holds nothing else, and starts measuring after it is built."""
    import gc

    import torch

    cuda = torch.cuda.is_available()
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
    model = random_model(arch, run.quantisation, "cuda" if cuda else "cpu", run.compute_dtype)
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    return model


def _measured(trainer: Any, steps: int) -> Trained:
    import torch

    clock = _clock(trainer, skip=min(3, steps - 1))
    trainer.train()
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
    return Trained(peak, clock.tokens, clock.seconds, losses, trainer.state.global_step)


def _quiet(*_: Any) -> None:
    """Says nothing."""


def _clock(trainer: Any, skip: int) -> Any:
    """Counts time and non-padding tokens of the steps after the first `skip`."""
    import torch
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        tokens = 0
        seconds = 0.0
        started = 0.0

        def on_step_end(self, *given: Any, **_: Any) -> None:
            state = given[1]
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if state.global_step == skip:
                self.started, self.tokens = time.perf_counter(), 0
            elif state.global_step > skip:
                self.seconds = time.perf_counter() - self.started

    clock = Clock()
    original = trainer.compute_loss

    def counted(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        mask = inputs.get("attention_mask")  # a packed batch has none, and no padding
        clock.tokens += int(mask.sum()) if mask is not None else inputs["input_ids"].numel()
        return original(model, inputs, *args, **kwargs)

    trainer.compute_loss = counted
    trainer.add_callback(clock)
    return clock
