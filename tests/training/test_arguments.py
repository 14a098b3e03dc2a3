"""What a run's settings become in TRL's words: the traps of a T4 are here."""

from pathlib import Path
from typing import Any

import pytest

from training.arguments import training_arguments
from training.config import TrainConfig
from training.config_file import PRESETS, read_config
from training.models import Hardware


def _of(config: TrainConfig, **hardware: Any) -> dict[str, Any]:
    chosen = Hardware(
        **({"device": "cuda:0", "capability": (7, 5), "weights": "float16", "compute": "float16"} | hardware)
    )
    return training_arguments(config, chosen, Path("checkpoints"), None)


def _preset(name: str) -> TrainConfig:
    return read_config(PRESETS / f"{name}.toml")


@pytest.mark.parametrize(
    ("compute", "fp16", "bf16"), [("float16", True, False), ("bfloat16", False, True), ("float32", False, False)]
)
def test_arithmetic_is_the_hardwares(compute: str, fp16: bool, bf16: bool) -> None:
    found = _of(_preset("t4-42dot-1.3b"), compute=compute)
    assert (found["fp16"], found["bf16"], found["use_cpu"]) == (fp16, bf16, False)


def test_a_cpu_is_never_asked_for_float16() -> None:
    found = _of(_preset("cpu-smollm2"), device="cpu", weights="float32", compute="float32")
    assert (found["fp16"], found["use_cpu"], found["dataloader_pin_memory"]) == (False, True, False)


def test_presets_for_large_models_page_their_optimiser_and_compute_activations_again() -> None:
    found = _of(_preset("t4-solar-10.7b"))
    assert found["optim"] == "paged_adamw_8bit"
    assert True in (found.get("activation_checkpointing"), found.get("gradient_checkpointing"))
    assert _of(_preset("cpu-smollm2"))["optim"] == "adamw_torch"


def test_loss_is_of_completions_and_the_best_checkpoint_is_kept_whole() -> None:
    found = _of(_preset("t4-42dot-1.3b"))
    assert found["completion_only_loss"] is True
    assert (found["load_best_model_at_end"], found["metric_for_best_model"]) == (True, "eval_loss")
    assert found["greater_is_better"] is False
    assert found["save_only_model"] is False  # a resume needs the optimiser
    assert found["eval_steps"] == found["save_steps"]


@pytest.mark.parametrize("name", [path.stem for path in sorted(PRESETS.glob("*.toml"))])
def test_what_a_preset_says_is_what_is_trained(name: str) -> None:
    config = _preset(name)
    found, settings = _of(config), config.optimisation
    assert (found["packing"], found["lr_scheduler_type"]) == (settings.packing != "none", settings.schedule)
    assert found["warmup_steps"] == settings.warmup < 1  # below one it is a share of the steps
    assert found["gradient_accumulation_steps"] == settings.accumulation
    assert found["report_to"] == config.logging.report_to
