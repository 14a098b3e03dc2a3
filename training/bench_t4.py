"""Every GPU row of issue 4 in one run, under a T4's limits: `python -m training.bench_t4 [--json] [--quick]`.

    predicted beside measured peak memory, nine configurations of six models in five architectures
    a 10.7B-shaped model in NF4: 20 steps at length 1,024
    tokens a second beside a plain TRL script

Nothing is downloaded: weights are random, of the true shapes, and a tokenizer is trained on the starter knowledge base.
A larger GPU is held to a T4's means: 15 GiB, fp16, no flash attention, key heads repeated. Without CUDA it says so and
ends with status 0, since nothing failed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from training.plan.architectures import Architecture, architecture
from training.plan.inputs import GIB, PlanInput
from training.plan.memory import predict
from training.plan.skeleton import random_model

LIMIT_GIB = 15.0
TOLERANCE = 0.10
SPEEDUP = 1.5
STARTER = Path(__file__).resolve().parent.parent / "data" / "starter" / "qa.csv"
_Q = ("q_proj",)

# Chosen so that each term of the prediction leads somewhere: weights, saved activations, recomputation, logits.
MEMORY_RUNS: tuple[PlanInput, ...] = (
    PlanInput("HuggingFaceTB/SmolLM2-135M-Instruct", target_modules=("all-linear",), micro_batch=8,
              gradient_checkpointing=False, label_share=0.25),
    PlanInput("42dot/42dot_LLM-SFT-1.3B", target_modules=_Q, micro_batch=4, label_share=0.25),
    PlanInput("42dot/42dot_LLM-SFT-1.3B", target_modules=("all-linear",), micro_batch=2, gradient_checkpointing=False,
              optimiser="adamw_8bit", label_share=1.0),
    PlanInput("skt/kogpt2-base-v2", target_modules=("c_attn",), micro_batch=8, gradient_checkpointing=False,
              label_share=0.25),
    PlanInput("LGAI-EXAONE/EXAONE-4.0-1.2B", target_modules=("all-linear",), micro_batch=4, label_share=0.25),
    PlanInput("EleutherAI/polyglot-ko-5.8b", "nf4-double", target_modules=("query_key_value",), micro_batch=2,
              label_share=0.25),
    PlanInput("Qwen/Qwen3-8B", "nf4-double", target_modules=_Q, micro_batch=1, label_share=0.25),
    PlanInput("Qwen/Qwen3-8B", "nf4", target_modules=("all-linear",), micro_batch=2, max_length=2048,
              label_share=0.25),
    PlanInput("upstage/SOLAR-10.7B-v1.0", "nf4-double", target_modules=_Q, micro_batch=1, label_share=0.25),
)  # fmt: skip
LARGE = PlanInput(
    "upstage/SOLAR-10.7B-v1.0", "nf4-double", target_modules=_Q, packing=True, optimiser="paged_adamw_8bit"
)
SPEED = PlanInput("42dot/42dot_LLM-SFT-1.3B", target_modules=_Q, micro_batch=8, gradient_checkpointing=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result.

    Attributes:
        what: What was measured.
        value: The measurement, with its unit.
        bar: What it must reach.
        passed: Whether it does.
        detail: The numbers behind it.
    """

    what: str
    value: str
    bar: str
    passed: bool
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trained:
    """What one training run showed: peak bytes, tokens that are not padding, seconds without the warm-up, losses."""

    peak: int
    tokens: int
    seconds: float
    losses: tuple[float, ...]
    steps: int


def full_rows(run: PlanInput, vocab: int, count: int) -> list[dict[str, list[int]]]:
    """Token rows of exactly the run's length, the second of each pair one shorter, so that a batch is padded."""
    rows = []
    for number in range(count):
        length = run.max_length - (number % 2 if run.micro_batch > 1 else 0)
        labelled = max(1, round(length * run.label_share))
        ids = [(number * 7919 + place * 104729) % (vocab - 8) + 8 for place in range(length)]
        rows.append({"input_ids": ids, "completion_mask": [0] * (length - labelled) + [1] * labelled})
    return rows


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


def t4_limits() -> str:
    """Holds the current GPU to a T4's means; returns its name."""
    import torch
    from transformers.integrations import sdpa_attention

    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, LIMIT_GIB * GIB / total))
    torch.backends.cuda.enable_flash_sdp(False)
    torch.backends.cuda.enable_cudnn_sdp(False)
    # without a mask transformers asks for grouped-query kernels, which a T4 lacks: it would fall back to quadratic math
    sdpa_attention.use_gqa_in_sdpa = lambda *_: False
    return str(torch.cuda.get_device_name(0))


def train(run: PlanInput, arch: Architecture, rows: list[dict[str, Any]], steps: int, words: Any) -> Trained:
    """Trains random weights of the run's shape through `SFTTrainer`.

    Args:
        run: The settings.
        arch: The model's dimensions.
        rows: Token rows, or prompts and completions.
        steps: Optimiser steps.
        words: Tokenizer.

    Returns:
        Peak memory, speed and losses.
    """
    import gc

    import torch
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    cuda = torch.cuda.is_available()
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    model = random_model(arch, run.quantisation, "cuda" if cuda else "cpu", run.compute_dtype)
    targets: Any = "all-linear" if run.target_modules == ("all-linear",) else list(run.target_modules)
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=run.micro_batch,
            max_length=run.max_length,
            packing=run.packing,
            gradient_checkpointing=run.gradient_checkpointing,
            optim={"adamw": "adamw_torch_fused"}.get(run.optimiser, run.optimiser),
            fp16=cuda,
            bf16=False,
            use_cpu=not cuda,
            completion_only_loss=True,
            learning_rate=1e-4,
            save_strategy="no",
            report_to=[],
            logging_steps=1,
            disable_tqdm=True,
            seed=0,
        )
        trainer: Any = SFTTrainer(
            model,
            args=config,
            train_dataset=import_module("datasets").Dataset.from_list(rows),
            processing_class=words,
            peft_config=LoraConfig(
                r=run.lora_rank,
                lora_alpha=8,
                target_modules=targets,
                fan_in_fan_out=arch.family == "gpt2",
                task_type="CAUSAL_LM",
            ),
        )
        for parameter in trainer.model.parameters():  # TRL gives a quantised model a bf16 adapter: fp16 cannot scale it
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        clock = _clock(trainer, skip=min(3, steps - 1))
        trainer.train()
        peak = torch.cuda.max_memory_allocated() if cuda else 0
        losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
        return Trained(peak, clock.tokens, clock.seconds, losses, trainer.state.global_step)


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


def memory_rows(words: Any, steps: int, runs: Sequence[PlanInput] = MEMORY_RUNS) -> Iterator[Row]:
    """Predicted beside measured peak memory of each configuration."""
    for run in runs:
        arch = architecture(run.model)
        result = train(run, arch, full_rows(run, arch.vocab, run.micro_batch * steps), steps, words)
        yield compare(run, predict(run, arch).total, result.peak)


def compare(run: PlanInput, predicted: float, measured: float) -> Row:
    """One line of the memory table; `predicted` and `measured` in bytes."""
    error = predicted / measured - 1 if measured else float("inf")
    keep = "checkpointing" if run.gradient_checkpointing else "no checkpointing"
    what = f"{run.model}, {run.quantisation}, {run.micro_batch} x {run.max_length}, {run.target_modules[0]}, {keep}"
    return Row(
        what,
        f"{predicted / GIB:.2f} predicted, {measured / GIB:.2f} GiB measured ({error:+.1%})",
        f"within {TOLERANCE:.0%}",
        abs(error) <= TOLERANCE,
        {"run": asdict(run), "predicted_gib": predicted / GIB, "measured_gib": measured / GIB, "error": error},
    )


def large_row(words: Any, texts: list[dict[str, str]], steps: int = 20) -> Row:
    """The 10.7B-shaped model on real text."""
    result = train(LARGE, architecture(LARGE.model), texts, steps, words)
    peak = result.peak / GIB
    finite = all(abs(loss) < float("inf") for loss in result.losses)  # false for nan, too
    passed = result.steps == steps and finite and peak < LIMIT_GIB
    detail = {"peak_gib": peak, "losses": result.losses, "tokens_per_s": result.tokens / max(result.seconds, 1e-9)}
    return Row("10.7B-shaped, NF4, length 1,024, 20 steps", f"{peak:.2f} GiB", "< 15 GiB", passed, detail)


def speed_row(words: Any, texts: list[dict[str, str]], steps: int) -> Row:
    """Tokens a second with packing beside the same script without it, the micro-batch's padded size alike."""
    arch = architecture(SPEED.model)
    plain = train(SPEED, arch, texts, steps, words)
    packed = train(replace(SPEED, packing=True, micro_batch=SPEED.micro_batch // 4), arch, texts, steps, words)
    plain_rate, packed_rate = (r.tokens / max(r.seconds, 1e-9) for r in (plain, packed))
    ratio = packed_rate / max(plain_rate, 1e-9)
    return Row(
        "tokens/s beside a plain TRL script, 1.3B-shaped, fp16",
        f"{packed_rate:,.0f} and {plain_rate:,.0f} tokens/s: {ratio:.2f}x",
        f">= {SPEEDUP}x",
        ratio >= SPEEDUP,
        {"packed": packed_rate, "plain": plain_rate, "ratio": ratio},
    )


def as_markdown(rows: Sequence[Row], device: str, versions: dict[str, str]) -> str:
    """The results as a table, under the device and the versions they were measured with."""
    head = f"{device}, {time.strftime('%Y-%m-%d')}, " + ", ".join(f"{name} {v}" for name, v in versions.items())
    lines = [head, "", "| what | measured | bar | |", "| --- | --- | --- | --- |"]
    lines += [f"| {r.what} | {r.value} | {r.bar} | {'pass' if r.passed else 'MISS'} |" for r in rows]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs every row; returns 0 when all pass or nothing can be measured, 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m training.bench_t4", description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--quick", action="store_true", help="two steps a configuration, ten for speed")
    options = parser.parse_args(arguments)
    import torch

    if not torch.cuda.is_available():
        sys.stderr.write("bench_t4: no CUDA GPU here, nothing measured; run it where there is one (Colab, Kaggle)\n")
        if options.json:
            sys.stdout.write(json.dumps({"measured": False, "rows": []}) + "\n")
        return 0
    from importlib.metadata import version

    device = t4_limits()
    texts = starter_texts()
    words = tokenizer([row["prompt"] + row["completion"] for row in texts])
    rows = []
    with redirect_stdout(sys.stderr):  # the trainer prints its losses; stdout is for the result
        for measured in _all_rows(words, texts, quick=options.quick):
            rows.append(measured)
            sys.stderr.write(f"{measured.what}: {measured.value}\n")
    versions = {name: version(name) for name in ("torch", "transformers", "trl", "peft", "bitsandbytes")}
    result = {"measured": True, "device": device, "versions": versions, "rows": [asdict(row) for row in rows]}
    sys.stdout.write((json.dumps(result) if options.json else as_markdown(rows, device, versions)) + "\n")
    return 0 if all(row.passed for row in rows) else 1


def _all_rows(words: Any, texts: list[dict[str, str]], *, quick: bool) -> Iterator[Row]:
    yield from memory_rows(words, 2 if quick else 4)
    yield large_row(words, texts)
    yield speed_row(words, texts, 10 if quick else 40)


if __name__ == "__main__":
    raise SystemExit(main())
