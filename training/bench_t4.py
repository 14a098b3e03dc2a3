"""Every row of training that needs a GPU, in one run and under a T4's limits: `python -m training.bench_t4 --out DIR`.

    predicted beside measured peak memory, nine configurations of seven models in five architectures
    the presets for a T4: those that the plan says fit do fit
    a 10.7B-shaped model in NF4: 20 steps at length 1,024
    tokens a second beside a plain TRL script

What is measured is the trainer of `dobae train` itself, with its guards, its held-out loss and its checkpoint at the
end; the plain script is `SFTTrainer` alone. Nothing is downloaded: weights are random, of the true shapes, and a
tokenizer is trained on the starter knowledge base. A larger GPU is held to a T4's means: 15 GiB, fp16, no flash
attention, key heads repeated.

A row that fails is a row of the table, and the next one runs; each is written to `DIR/bench_t4.jsonl` as soon as it is
there, and `--only memory|presets|large|speed` measures some. Without CUDA it says so and ends with status 0, since
nothing failed. `--dry-run` walks the same path on the CPU in tiny shapes, to find a mistake where time costs nothing.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data.errors import DobaeError, one_line
from training.bench_runs import fitting, full_rows, starter_texts, text_rows, tiny, tokenizer, train, train_plainly
from training.config_file import PRESETS, read_config
from training.plan.architectures import Architecture, architecture
from training.plan.inputs import GIB, PlanInput
from training.plan.memory import predict
from training.planning import plan_input

LIMIT_GIB = 15.0
TOLERANCE = 0.10
SPEEDUP = 1.5
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
PARTS = ("memory", "presets", "large", "speed")
T4_PRESETS = tuple(sorted(path.stem for path in PRESETS.glob("*.toml") if path.stem.startswith(("t4-", "kaggle-"))))
RESULTS = "bench_t4.jsonl"
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


def memory_row(run: PlanInput, words: Any, steps: int, arch: Architecture | None = None) -> Row:
    """Predicted beside measured peak memory of one configuration."""
    arch = arch or architecture(run.model)
    result = train(run, arch, full_rows(run, arch.vocab, run.micro_batch * steps), steps, words)
    return compare(run, predict(run, arch).total, result.peak)


def compare(run: PlanInput, predicted: float, measured: float) -> Row:
    """One line of the memory table; `predicted` and `measured` in bytes."""
    error = predicted / measured - 1 if measured else None
    value = f"{predicted / GIB:.2f} predicted, {measured / GIB:.2f} GiB measured"
    return Row(
        name_of(run),
        value if error is None else f"{value} ({error:+.1%})",
        f"within {TOLERANCE:.0%}",
        error is not None and abs(error) <= TOLERANCE,
        {"run": asdict(run), "predicted_gib": predicted / GIB, "measured_gib": measured / GIB, "error": error},
    )


def name_of(run: PlanInput) -> str:
    """Says a configuration in a line."""
    keep = "checkpointing" if run.gradient_checkpointing else "no checkpointing"
    return f"{run.model}, {run.quantisation}, {run.micro_batch} x {run.max_length}, {run.target_modules[0]}, {keep}"


def preset_row(name: str, run: PlanInput, words: Any, steps: int, arch: Architecture | None = None) -> Row:
    """Whether a preset fits where its plan says so, its batch full."""
    arch = arch or architecture(run.model)
    planned = predict(run, arch).total
    result = train(run, arch, full_rows(run, arch.vocab, run.micro_batch * steps), steps, words)
    fits = planned <= LIMIT_GIB * GIB
    return Row(
        f"preset {name}",
        f"{planned / GIB:.2f} planned, {result.peak / GIB:.2f} GiB measured",
        "fits as planned" if fits else "planned not to fit",
        not fits or 0 < result.peak < LIMIT_GIB * GIB,
        {"run": asdict(run), "planned_gib": planned / GIB, "measured_gib": result.peak / GIB},
    )


def large_row(
    words: Any,
    texts: Sequence[dict[str, str]],
    steps: int = 20,
    run: PlanInput = LARGE,
    arch: Architecture | None = None,
) -> Row:
    """The 10.7B-shaped model on real text."""
    rows = text_rows(fitting(texts, words, run.max_length), words)
    result = train(run, arch or architecture(run.model), rows, steps, words)
    peak = result.peak / GIB
    finite = all(abs(loss) < float("inf") for loss in result.losses)  # false for nan, too
    passed = result.steps == steps and finite and peak < LIMIT_GIB
    detail = {"peak_gib": peak, "losses": result.losses, "tokens_per_s": result.tokens / max(result.seconds, 1e-9)}
    return Row(
        f"10.7B-shaped, NF4, length {run.max_length:,}, {steps} steps", f"{peak:.2f} GiB", "< 15 GiB", passed, detail
    )


def speed_row(
    words: Any,
    texts: Sequence[dict[str, str]],
    steps: int,
    run: PlanInput = SPEED,
    arch: Architecture | None = None,
) -> Row:
    """Tokens a second of `dobae train` with packing beside a plain script, the micro-batch's padded size alike."""
    arch = arch or architecture(run.model)
    texts = fitting(texts, words, run.max_length)
    plain = train_plainly(run, arch, texts, steps, words)
    packing = replace(run, packing=True, micro_batch=max(1, run.micro_batch // 4))
    packed = train(packing, arch, text_rows(texts, words), steps, words)
    plain_rate, packed_rate = (r.tokens / max(r.seconds, 1e-9) for r in (plain, packed))
    ratio = packed_rate / max(plain_rate, 1e-9)
    return Row(
        "tokens/s beside a plain TRL script, 1.3B-shaped, fp16",
        f"{packed_rate:,.0f} and {plain_rate:,.0f} tokens/s: {ratio:.2f}x",
        f">= {SPEEDUP}x",
        ratio >= SPEEDUP,
        {"packed": packed_rate, "plain": plain_rate, "ratio": ratio},
    )


def plan_of_rows(words: Any, texts: Sequence[dict[str, str]], *, quick: bool, dry: bool) -> list[tuple[str, str, Any]]:
    """The rows to come: part, name, and what measures each."""

    def shapes(run: PlanInput) -> tuple[PlanInput, Architecture | None]:
        return tiny(run) if dry else (run, None)

    def of(part: str, name: str, measure: Callable[..., Row], *given: Any) -> tuple[str, str, Any]:
        return part, name, lambda: measure(*given)

    steps = 2 if quick or dry else 4
    memory = [shapes(run) for run in MEMORY_RUNS]
    presets = [(name, *shapes(plan_input(read_config(PRESETS / f"{name}.toml"), LIMIT_GIB))) for name in T4_PRESETS]
    (large, large_arch), (speed, speed_arch) = shapes(LARGE), shapes(SPEED)
    speed_steps = 3 if dry else 10 if quick else 40
    return [
        *(of("memory", name_of(run), memory_row, run, words, steps, arch) for run, arch in memory),
        *(of("presets", f"preset {name}", preset_row, name, run, words, 2, arch) for name, run, arch in presets),
        of("large", "10.7B-shaped", large_row, words, texts, 3 if dry else 20, large, large_arch),
        of(
            "speed",
            "tokens/s beside a plain TRL script",
            speed_row,
            words,
            texts,
            speed_steps,
            speed,
            speed_arch,
        ),
    ]


def attempt(name: str, measure: Callable[[], Row]) -> Row:
    """Measures a row; what goes wrong is the row, and the memory it held is given back."""
    import torch

    try:
        return measure()
    except torch.OutOfMemoryError as error:
        reason = f"out of memory under {LIMIT_GIB:g} GiB: {one_line(error)}"
    except (DobaeError, RuntimeError, ValueError, TypeError, OSError, AttributeError, KeyError, ImportError) as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
    return Row(name, f"failed ({reason})", "runs", passed=False, detail={"error": reason})


def as_markdown(rows: Sequence[Row], device: str, versions: dict[str, str], *, judged: bool = True) -> str:
    """The results as a table, under the device and the versions they were measured with."""

    def verdict(row: Row) -> str:
        return ("pass" if row.passed else "MISS") if judged or ("error" in row.detail and row.bar == "runs") else "-"

    head = f"{device}, {time.strftime('%Y-%m-%d')}, " + ", ".join(f"{name} {v}" for name, v in versions.items())
    lines = [head, "", "| what | measured | bar | |", "| --- | --- | --- | --- |"]
    lines += [f"| {r.what} | {r.value} | {r.bar} | {verdict(r)} |" for r in rows]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs every row; returns 0 when all pass or nothing can be measured, 1 when a bar is missed."""
    options = _options(arguments)
    import torch

    cuda = torch.cuda.is_available()
    if not cuda and not options.dry_run:
        sys.stderr.write("bench_t4: no CUDA GPU here, nothing measured; run it where there is one (Colab, Kaggle)\n")
        if options.json:
            sys.stdout.write(json.dumps({"measured": False, "rows": []}) + "\n")
        return 0
    if cuda and options.dry_run:
        sys.stderr.write("bench_t4: --dry-run is for machines without a GPU; leave it out, or hide the GPU\n")
        return 2
    from importlib.metadata import version

    device = t4_limits() if cuda else "dry run in tiny shapes on the CPU, nothing measured"
    texts = starter_texts()[: 40 if options.dry_run else None]
    words = tokenizer([row["prompt"] + row["completion"] for row in texts], 900 if options.dry_run else 8000)
    versions = {name: version(name) for name in ("torch", "transformers", "trl", "peft", "bitsandbytes")}
    rows: list[Row] = []
    with redirect_stdout(sys.stderr):  # the trainer prints its losses; stdout is for the result
        for part, name, measure in plan_of_rows(words, texts, quick=options.quick, dry=options.dry_run):
            if part not in options.only:
                continue
            rows.append(attempt(name, measure))
            _keep(options.out, rows[-1])
            sys.stderr.write(f"{rows[-1].what}: {rows[-1].value}\n")
    result = {"measured": cuda, "device": device, "versions": versions, "rows": [asdict(row) for row in rows]}
    sys.stdout.write((json.dumps(result) if options.json else as_markdown(rows, device, versions, judged=cuda)) + "\n")
    if options.dry_run:
        return 1 if any("error" in row.detail and row.bar == "runs" for row in rows) else 0
    return 0 if all(row.passed for row in rows) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.bench_t4", description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--out", type=Path, help=f"folder for {RESULTS}, a line a row as soon as it is measured")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure")
    parser.add_argument("--quick", action="store_true", help="two steps a configuration, ten for speed")
    parser.add_argument("--dry-run", action="store_true", help="the same path in tiny shapes on the CPU")
    return parser.parse_args(arguments)


def _keep(folder: Path | None, row: Row) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / RESULTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
