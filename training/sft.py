"""Fine-tunes a LoRA adapter: rows, model, trainer, and what a run leaves behind.

A run's folder holds `adapter/` (weights, card, report: what is shipped), `checkpoints/`, `logs/` and `run.json`, which
says what the checkpoints were trained on so that a resume cannot mix two runs.
"""

import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

from data.errors import FileFormatError, InputError
from data.writers import can_be_written
from index.threads import usable_cores
from training.config import TrainConfig
from training.errors import TrainingError, TrainingInterruptedError
from training.rows import Prepared, prepare
from training.writing import make_folder, replace_folder, write_json

ADAPTER = "adapter"
CHECKPOINTS = "checkpoints"
RUN_FILE = "run.json"

Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]

_OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_bnb_8bit", "paged_adamw_8bit": "paged_adamw_8bit"}
_REPORTERS = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run made.

    Attributes:
        adapter: Folder of the adapter.
        report: The content of its `training.json`.
        main: Whether this process is the one that writes and reports; of several that train together, one is.
    """

    adapter: Path
    report: dict[str, Any]
    main: bool = True


def run(
    config: TrainConfig,
    base: Path,
    *,
    max_steps: int | None = None,
    resume: bool = False,
    progress: Progress = lambda *_: None,
    say: Say = lambda _: None,
) -> TrainResult:
    """Trains an adapter.

    Args:
        config: The run.
        base: Folder of the base model that `config.model.base` names.
        max_steps: Stop after so many steps; the learning rate's course ends there too.
        resume: Go on from the last checkpoint in the run's folder.
        progress: Told (what, done, total).
        say: Told a line now and then.

    Raises:
        InputError: Settings, data, model or checkpoint cannot be used.
        TrainingError: The run cannot go on, or its adapter did not move.
        TrainingInterruptedError: SIGTERM came; a checkpoint was saved.
    """
    _check_reporter(config)
    _check_folder(config.out, resume)
    from training.models import without_known_warnings

    with without_known_warnings():
        return _run(config, base, max_steps, resume, progress, say)


def _run(
    config: TrainConfig, base: Path, max_steps: int | None, resume: bool, progress: Progress, say: Say
) -> TrainResult:
    import torch

    from training.models import choose_hardware, load_base, load_tokenizer, with_adapter, without_gqa_below_ampere

    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(config.precision.threads or max(1, usable_cores() // processes))
    from transformers.utils import logging

    logging.disable_progress_bar()
    hardware = choose_hardware(config)
    without_gqa_below_ampere(hardware)
    main = int(os.environ.get("RANK", "0")) == 0
    told: Say = say if main else _silent
    shown: Progress = progress if main else _silent
    out = config.out
    tokenizer = load_tokenizer(base)
    data = prepare(config, tokenizer, progress=shown, say=told)
    identity = _identity(config, data, base, max_steps)
    checkpoint = _checkpoint(out, identity) if resume else None
    model = load_base(config, base, hardware)
    torch.manual_seed(config.optimisation.seed)
    model = with_adapter(model, config, base)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    told(
        f"{config.model.base} on {hardware.device}, weights {hardware.weights}, compute {hardware.compute}; "
        f"{trained:,} trained parameters; {len(data.train.rows)} rows, {len(data.held_out.rows)} held out"
    )
    if main:
        make_folder(out)
        write_json(out / RUN_FILE, identity)
    cpu_begin = process_time()
    trainer, watch = make_trainer(config, model, tokenizer, data, hardware, max_steps, shown, told)
    _train(trainer, watch, checkpoint, out, told)
    zero, count = _moved(trainer.model)
    _count_all_tokens(trainer)
    from training.report import build_report, write_adapter

    report = build_report(
        config,
        data,
        trainer,
        hardware=hardware,
        trained=trained,
        unmoved=zero,
        adapters=count,
        cpu_seconds=process_time() - cpu_begin,
        peak_bytes=_peak_memory(hardware.cuda),
        base=base,
    )
    folder = out / ADAPTER
    if main:
        replace_folder(folder, lambda temp: write_adapter(temp, config, trainer.model, base, data, report))
    return TrainResult(folder, report, main)


def _silent(*_: Any) -> None:
    """Says nothing: only the first process speaks."""


def make_trainer(
    config: TrainConfig,
    model: Any,
    tokenizer: Any,
    data: Prepared,
    hardware: Any,
    max_steps: int | None,
    progress: Progress,
    say: Say,
) -> tuple[Any, Any]:
    """Makes the trainer of a run, and what watches over it.

    Returns:
        The `AdapterTrainer` and its `Watch`.
    """
    import datasets
    from transformers import PrinterCallback, ProgressCallback
    from trl.trainer.sft_config import SFTConfig

    from training.trainer import AdapterTrainer, Watch

    datasets.disable_progress_bars()
    settings = config.optimisation
    out = config.out
    packing = settings.packing != "none"
    arguments = SFTConfig(
        output_dir=str(out / CHECKPOINTS),
        run_name=config.logging.run_name or config.name,
        report_to=_REPORTERS.get(config.logging.report_to, "none"),
        max_length=config.data.max_length,
        packing=packing,
        packing_strategy=settings.packing if packing else "bfd",
        eval_packing=False,
        completion_only_loss=True,
        num_train_epochs=settings.epochs,
        max_steps=max_steps or -1,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        **checkpointing(SFTConfig, on=settings.gradient_checkpointing),
        optim=_OPTIMIZERS[settings.optimizer],
        fp16=hardware.cuda and hardware.compute == "float16",
        bf16=hardware.compute == "bfloat16",
        use_cpu=not hardware.cuda,
        logging_steps=config.logging.every,
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=config.output.save_every,
        save_strategy="steps",
        save_steps=config.output.save_every,
        save_total_limit=config.output.keep,
        save_only_model=False,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=hardware.cuda,
        disable_tqdm=True,
        seed=settings.seed,
    )
    watch = Watch(lambda done, total: progress("training", done, total), say, settings.stop_after_idle_steps)
    with _curves_in(out / "logs"):
        trainer = AdapterTrainer(
            model=model,
            args=arguments,
            train_dataset=_dataset(data.train),
            eval_dataset=_dataset(data.held_out),
            processing_class=tokenizer,
            callbacks=[watch],
            group_by_length=settings.group_by_length and not packing,
        )
    watch.trainer = trainer
    for kind in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(kind)
    return trainer, watch


def checkpointing(kind: Any, *, on: bool) -> dict[str, Any]:
    """Spells activation checkpointing as the installed transformers does; its old name warns."""
    from dataclasses import fields

    names = {item.name for item in fields(kind)}
    name = "activation_checkpointing" if "activation_checkpointing" in names else "gradient_checkpointing"
    return {name: on, f"{name}_kwargs": {"use_reentrant": False}} if on else {name: False}


def _dataset(rows: Any) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(
        {"input_ids": [list(row.input_ids) for row in rows.rows], "labels": [row.labels for row in rows.rows]}
    )


def _train(trainer: Any, watch: Any, checkpoint: Path | None, out: Path, say: Say) -> None:
    import torch

    if checkpoint is not None and _finished(trainer, checkpoint):
        say(f"{checkpoint.name} is the last step already; nothing is left to train")
        return
    if checkpoint is not None:
        say(f"going on from {checkpoint.name}")
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "out of GPU memory: lower optimisation.batch_size or data.max_length, or turn on "
            "optimisation.gradient_checkpointing; `dobae train plan` proposes which"
        ) from error
    finally:
        watch.release()
    if watch.interrupted:
        raise TrainingInterruptedError(
            f"stopped by SIGTERM at step {trainer.state.global_step} of {trainer.state.max_steps}; "
            f"a checkpoint was saved in {out / CHECKPOINTS}: go on with --resume"
        )


@contextmanager
def _curves_in(folder: Path) -> Iterator[None]:
    """Tells TensorBoard's callback where this run's curves go, unless the user has; it listens to nothing else."""
    name = "TENSORBOARD_LOGGING_DIR"
    if name in os.environ:
        yield
        return
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        del os.environ[name]


def _finished(trainer: Any, checkpoint: Path) -> bool:
    """Says whether a checkpoint is of the last step, and then takes up its best adapter.

    Trainer would take one step more: it looks whether it is done only after a step.
    """
    from transformers import TrainerState

    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    if state.global_step < state.max_steps:
        return False
    best = Path(state.best_model_checkpoint or checkpoint)
    trainer.state = state
    trainer._load_from_checkpoint(str(best if best.is_dir() else checkpoint))  # noqa: SLF001 - no public way
    return True


def _moved(model: Any) -> tuple[list[str], int]:
    from training.trainer import zero_adapters

    zero, count = zero_adapters(model)
    if count and len(zero) == count:
        raise TrainingError(
            f"all {count} lora_B are still zero after training: no update was ever applied; "
            "train for more steps (fp16 skips the first ones), or raise the learning rate"
        )
    return zero, count


def _count_all_tokens(trainer: Any) -> None:
    """Adds up the tokens of the processes that trained together; each has counted its own."""
    import torch

    if trainer.args.world_size > 1:
        own = torch.tensor(trainer.tokens, device=trainer.args.device)
        trainer.tokens = int(trainer.accelerator.reduce(own, reduction="sum"))


def _check_reporter(config: TrainConfig) -> None:
    from importlib.util import find_spec

    name = config.logging.report_to
    if name != "none" and find_spec(name) is None:
        raise InputError(
            f'logging.report_to is "{name}", which is not installed: pip install {name}, or set it to "none"'
        )


def _check_folder(out: Path, resume: bool) -> None:
    from training.checkpoints import last_checkpoint

    last = last_checkpoint(out / CHECKPOINTS)
    if resume and last is None:
        raise InputError(f"no whole checkpoint in {out / CHECKPOINTS} to go on from; leave --resume out")
    if not resume and last is not None:
        raise InputError(f"{out} holds a run already ({last.name}); go on with --resume, or choose another --out")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; choose another --out")
    if not can_be_written(out):  # said now, and not after the minutes that preparing the rows takes
        raise InputError(f"cannot make {out} (no permission to write there); choose another --out")


def _identity(config: TrainConfig, data: Prepared, base: Path, max_steps: int | None) -> dict[str, Any]:
    """What must be the same for a checkpoint to be gone on from."""
    return {
        "config_digest": config.digest(),
        "config": config.to_json(),
        "rows_digest": data.train.digest(),
        "base": str(base.resolve()),
        "max_steps": max_steps,
        "world_size": int(os.environ.get("WORLD_SIZE", "1")),
    }


def _checkpoint(out: Path, identity: dict[str, Any]) -> Path | None:
    from training.checkpoints import last_checkpoint

    try:
        before = json.loads((out / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{out / RUN_FILE} cannot be read ({error}); start again with another --out") from error
    if before.get("config_digest") != identity["config_digest"]:
        changed = _changed(before.get("config", {}), identity["config"])
        raise InputError(
            f"the checkpoints in {out} are of another configuration ({', '.join(changed) or 'unknown settings'} "
            "changed); put it back, or choose another --out"
        )
    for key, what in (("rows_digest", "other data"), ("max_steps", "another --max-steps"), ("world_size", "more GPUs")):
        if before.get(key) != identity[key]:
            raise InputError(
                f"the checkpoints in {out} were trained with {what} ({before.get(key)}, now {identity[key]}); "
                "put it back, or choose another --out"
            )
    return last_checkpoint(out / CHECKPOINTS)


def _changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    ignored = {"name", "logging", "output"}
    return [
        f"{section}.{key}"
        for section, values in now.items()
        if section not in ignored
        for key, value in values.items()
        if before.get(section, {}).get(key) != value
    ]


def _peak_memory(cuda: bool) -> int:
    if cuda:
        import torch

        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
