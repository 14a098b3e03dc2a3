"""A run's settings in the words of TRL's `SFTConfig`."""

from pathlib import Path
from typing import Any

from training.config import TrainConfig

_OPTIMIZERS = {"adamw": "adamw_torch", "adamw_8bit": "adamw_bnb_8bit", "paged_adamw_8bit": "paged_adamw_8bit"}


def training_arguments(config: TrainConfig, hardware: Any, checkpoints: Path, max_steps: int | None) -> dict[str, Any]:
    """Returns the keyword arguments of `SFTConfig` for a run.

    Args:
        config: The run.
        hardware: What `training.models.choose_hardware` chose.
        checkpoints: Folder for the checkpoints.
        max_steps: Stop after so many steps.
    """
    from trl.trainer.sft_config import SFTConfig

    settings = config.optimisation
    packing = settings.packing != "none"
    return {
        "output_dir": str(checkpoints),
        "run_name": config.logging.run_name or config.name,
        "report_to": config.logging.report_to,
        "max_length": config.data.max_length,
        "packing": packing,
        "packing_strategy": settings.packing if packing else "bfd",
        "eval_packing": False,
        "completion_only_loss": True,
        "num_train_epochs": settings.epochs,
        "max_steps": max_steps or -1,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.schedule,
        "warmup_steps": settings.warmup,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "per_device_train_batch_size": settings.batch_size,
        "per_device_eval_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulation,
        **checkpointing(SFTConfig, on=settings.gradient_checkpointing),
        "optim": _OPTIMIZERS[settings.optimizer],
        "fp16": hardware.cuda and hardware.compute == "float16",
        "bf16": hardware.compute == "bfloat16",
        "use_cpu": not hardware.cuda,
        "logging_steps": config.logging.every,
        "logging_nan_inf_filter": False,
        "eval_strategy": "steps",
        "eval_steps": config.output.save_every,
        "save_strategy": "steps",
        "save_steps": config.output.save_every,
        "save_total_limit": config.output.keep,
        "save_only_model": False,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "ddp_find_unused_parameters": False,
        "dataloader_pin_memory": hardware.cuda,
        "disable_tqdm": True,
        "seed": settings.seed,
    }


def checkpointing(kind: Any, *, on: bool) -> dict[str, Any]:
    """Spells activation checkpointing as the installed transformers does; its old name warns."""
    from dataclasses import fields

    names = {item.name for item in fields(kind)}
    name = "activation_checkpointing" if "activation_checkpointing" in names else "gradient_checkpointing"
    return {name: on, f"{name}_kwargs": {"use_reentrant": False}} if on else {name: False}
