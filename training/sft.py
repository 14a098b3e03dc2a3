"""Fine-tunes a LoRA adapter: rows, model, trainer, and what a run leaves behind.

What a run's folder holds, and when a run goes on from it: `training.run_folder`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import InputError
from index.threads import usable_cores
from training.arguments import training_arguments
from training.checkpoints import read_cost
from training.config import TrainConfig
from training.errors import TrainingError, TrainingInterruptedError
from training.rows import Prepared, prepare
from training.run_folder import ADAPTER, CHECKPOINTS, RUN_FILE, check_folder, checkpoint_of, identity
from training.writing import make_folder, replace_folder, write_json

Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]


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
    finish: bool = False,
    progress: Progress = lambda *_: None,
    say: Say = lambda _: None,
) -> TrainResult:
    """Trains an adapter.

    Args:
        config: The run.
        base: Folder of the base model that `config.model.base` names.
        max_steps: Stop after so many steps; the learning rate's course ends there too.
        resume: Go on from the last checkpoint in the run's folder.
        finish: With `resume`, train no further, and write the adapter of the best checkpoint so far.
        progress: Told (what, done, total).
        say: Told a line now and then.

    Raises:
        InputError: Settings, data, model or checkpoint cannot be used.
        TrainingError: The run cannot go on, or its adapter did not move.
        TrainingInterruptedError: SIGTERM came; a checkpoint was saved.
    """
    if finish and not resume:
        raise InputError("only a run that has checkpoints can be finished: give --resume too")
    _check_reporter(config)
    check_folder(config.out, resume=resume)
    from training.models import without_known_warnings

    with without_known_warnings():
        return _run(config, base, max_steps, resume, finish, progress, say)


def _run(
    config: TrainConfig,
    base: Path,
    max_steps: int | None,
    resume: bool,
    finish: bool,
    progress: Progress,
    say: Say,
) -> TrainResult:
    import torch

    from training.models import (
        choose_hardware,
        load_base,
        load_tokenizer,
        peak_memory,
        with_adapter,
        without_gqa_below_ampere,
    )

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
    now = identity(config, data, base, hardware, max_steps)
    checkpoint = checkpoint_of(out, now) if resume else None
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
        write_json(out / RUN_FILE, now)
    trainer, watch = make_trainer(config, model, tokenizer, data, hardware, max_steps, shown, told)
    _train(trainer, watch, checkpoint, finish, out, told)
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
        peak_bytes=max(trainer.cost.peak_bytes, peak_memory(cuda=hardware.cuda)),
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
    arguments = SFTConfig(**training_arguments(config, hardware, out / CHECKPOINTS, max_steps))
    watch = Watch(lambda done, total: progress("training", done, total), say, settings.stop_after_idle_steps)
    with _curves_in(out / "logs"):
        trainer = AdapterTrainer(
            model=model,
            args=arguments,
            train_dataset=_dataset(data.train),
            eval_dataset=_dataset(data.held_out),
            processing_class=tokenizer,
            callbacks=[watch],
            group_by_length=settings.group_by_length and settings.packing == "none",
        )
    watch.trainer = trainer
    for kind in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(kind)
    return trainer, watch


def _dataset(rows: Any) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(
        {"input_ids": [list(row.input_ids) for row in rows.rows], "labels": [row.labels for row in rows.rows]}
    )


def _train(trainer: Any, watch: Any, checkpoint: Path | None, finish: bool, out: Path, say: Say) -> None:
    import torch

    if checkpoint is not None:
        trainer.cost = read_cost(checkpoint)
    if checkpoint is not None and (done := _best_so_far(trainer, checkpoint, finish)):
        say(done)
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


def _best_so_far(trainer: Any, checkpoint: Path, finish: bool) -> str:
    """Takes up the best adapter where a checkpoint is of the last step, or is to be; says so, and nothing otherwise.

    Trainer would take one step more: it looks whether it is done only after a step.
    """
    from transformers import TrainerState

    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    left = state.max_steps - state.global_step
    if left > 0 and not finish:
        return ""
    # The state names it where it lay when it was saved; a run's folder may have moved since.
    best = checkpoint.with_name(Path(state.best_model_checkpoint or checkpoint).name)
    if not best.is_dir():
        raise InputError(f"the best checkpoint, {best}, is gone; put it back, or train on with --resume alone")
    trainer.state = state
    trainer._load_from_checkpoint(str(best))  # noqa: SLF001 - no public way
    if left > 0:
        return f"finished at {checkpoint.name}, {left} steps before the end"
    return f"{checkpoint.name} is the last step already; nothing is left to train"


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
        own = torch.tensor(trainer.cost.tokens, device=trainer.args.device)
        trainer.cost = trainer.cost._replace(tokens=int(trainer.accelerator.reduce(own, reduction="sum")))


def _check_reporter(config: TrainConfig) -> None:
    from importlib.util import find_spec

    name = config.logging.report_to
    if name != "none" and find_spec(name) is None:
        raise InputError(
            f'logging.report_to is "{name}", which is not installed: pip install {name}, or set it to "none"'
        )
