"""A run's settings in the terms of the memory planner: what it would take on one GPU below Ampere, a T4."""

from data.errors import InputError
from training.config import TrainConfig
from training.plan.inputs import PlanInput

T4_GIB = 15.0
"""Memory of a T4 that a process can use, in GiB."""

_LABEL_SHARE = 0.5
"""Share of positions with a label in the worst batch: closed-book rows are half answer, grounded ones a fifth."""

_DEFAULT_BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"


def plan_input(config: TrainConfig, budget_gib: float = T4_GIB, world_size: int = 1) -> PlanInput:
    """Returns the planner's question for a run.

    Args:
        config: The run; "auto" formats are taken as a T4 would choose them, or a CPU without bfloat16.
        budget_gib: Usable memory of one device, in GiB.
        world_size: Devices, each with the whole model.

    Raises:
        InputError: The planner cannot plan such a run.
    """
    precision, settings = config.precision, config.optimisation
    double = precision.quantization == "nf4" and precision.double_quant
    auto = "float32" if precision.device == "cpu" else "float16"
    weights = auto if precision.weights == "auto" else precision.weights
    if precision.compute not in ("auto", weights):
        raise InputError(
            f'cannot plan: precision.compute is "{precision.compute}" and the weights would be {weights}; memory is '
            'predicted only for runs that compute in the format of their weights: set precision.compute to "auto"'
        )
    return PlanInput(
        model=_DEFAULT_BASE if config.model.base == "smollm2" else config.model.base,
        quantisation="nf4-double" if double else precision.quantization,
        compute_dtype=weights,
        lora_rank=config.adapter.r,
        target_modules=config.adapter.targets,
        lora_dropout=config.adapter.dropout,
        micro_batch=settings.batch_size,
        max_length=config.data.max_length,
        packing=settings.packing != "none",
        gradient_checkpointing=settings.gradient_checkpointing,
        optimiser=settings.optimizer,
        label_share=_LABEL_SHARE,
        attention="sdpa-mem-efficient" if config.model.attention == "sdpa" else "sdpa-math",
        world_size=world_size,
        budget_gib=budget_gib,
        revision=config.model.revision,
    )
