"""The plan of a run: its prediction against a budget and, if it does not fit, the first change that makes it fit."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from training.plan.architectures import Architecture, architecture
from training.plan.inputs import PlanInput
from training.plan.memory import Part, predict

LEAST_LENGTH = 256  # below, a prompt with three examples is cut


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of settings that makes a run fit.

    Attributes:
        change: Settings and their new values.
        reasons: Why each of them, and what it costs.
        total_gib: Predicted peak with it.
    """

    change: dict[str, Any]
    reasons: dict[str, str]
    total_gib: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will take, and what to do about it.

    Attributes:
        total_gib: Predicted peak of `torch.cuda.max_memory_allocated`, GiB.
        budget_gib: Usable memory, GiB.
        parts: The prediction's parts.
        proposal: A change that makes it fit; None if it fits, or if nothing does.
    """

    total_gib: float
    budget_gib: float
    parts: tuple[Part, ...]
    proposal: Proposal | None

    @property
    def fits(self) -> bool:
        """Whether the peak stays within the budget."""
        return self.total_gib <= self.budget_gib


def plan(run: PlanInput, arch: Architecture | None = None) -> Plan:
    """Predicts a run's memory and, if it does not fit, looks for the first change that makes it fit.

    Single changes are tried in an order of what they cost the result: nothing, time, precision, data. If none is enough
    alone, they are added up in the same order.

    Args:
        run: The run.
        arch: The model's dimensions; looked up by name when not given.

    Returns:
        The plan.

    Raises:
        InputError: The model is unknown here, or has no such target module.
    """
    arch = arch or architecture(run.model, run.revision)
    prediction = predict(run, arch)
    proposal = None
    if prediction.total_gib > run.budget_gib:
        proposal = _alone(run, arch) or _together(run, arch)
    return Plan(prediction.total_gib, run.budget_gib, prediction.parts, proposal)


def _candidates(run: PlanInput) -> Iterator[tuple[dict[str, Any], str]]:
    """Changes of one setting with their reasons, the cheapest first."""
    if run.attention == "sdpa-math":
        yield (
            {"attention": "sdpa-mem-efficient"},
            "the math kernel keeps every attention weight; same result without it",
        )
    if run.optimiser != "paged_adamw_8bit":
        yield {"optimiser": "paged_adamw_8bit"}, "8-bit optimiser states, paged to the host: training is as good"
    if not run.gradient_checkpointing:
        yield (
            {"gradient_checkpointing": True},
            "each layer is computed again in the backward pass: the same gradients for about a third more time",
        )
    batch = run.micro_batch // 2
    while batch >= 1:
        yield (
            {"micro_batch": batch},
            f"raise optimisation.accumulation {run.micro_batch / batch:g} times: the same result, more slowly",
        )
        batch //= 2
    if run.quantisation in ("none", "int8"):
        yield {"quantisation": "nf4"}, "the frozen weights in 4 bits (QLoRA): a little precision, some time"
    if run.quantisation != "nf4-double":
        yield {"quantisation": "nf4-double"}, "4 bits and the absolute maxima quantised too: 0.516 bytes a weight"
    length = (run.max_length - 1) // 128 * 128
    while length >= LEAST_LENGTH:
        yield {"max_length": length}, "longer examples are cut or dropped: count them before settling for this"
        length -= 128


def _alone(run: PlanInput, arch: Architecture) -> Proposal | None:
    for change, reason in _candidates(run):
        total = predict(replace(run, **change), arch).total_gib
        if total <= run.budget_gib:
            return Proposal(change, dict.fromkeys(change, reason), total)
    return None


def _together(run: PlanInput, arch: Architecture) -> Proposal | None:
    """Adds changes up until they are enough, each setting at its most frugal, the length cut as little as will do."""
    changed: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for change, reason in _candidates(run):
        changed |= change
        reasons |= dict.fromkeys(change, reason)
        total = predict(replace(run, **changed), arch).total_gib
        if total <= run.budget_gib:
            return _fewest(run, arch, changed, reasons)
    return None


def _fewest(run: PlanInput, arch: Architecture, changed: dict[str, Any], reasons: dict[str, str]) -> Proposal:
    """Takes back, the dearest first, what turned out not to be needed."""
    for name in [*reversed(changed)]:
        rest = {key: value for key, value in changed.items() if key != name}
        if rest and predict(replace(run, **rest), arch).total_gib <= run.budget_gib:
            changed = rest
    total = predict(replace(run, **changed), arch).total_gib
    return Proposal(changed, {name: reasons[name] for name in changed}, total)
