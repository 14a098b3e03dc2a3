"""A plan for people (a table) and for programs (JSON)."""

import json
from typing import Any

from training.plan.inputs import GIB, PlanInput
from training.plan.propose import Plan, Proposal

_SETTINGS = {
    "optimiser": "optimisation.optimizer",
    "gradient_checkpointing": "optimisation.gradient_checkpointing",
    "micro_batch": "optimisation.batch_size",
    "max_length": "data.max_length",
}
"""Names in a run's file of what `training.plan.propose` changes by itself."""


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain values.

    Args:
        plan: The plan.

    Returns:
        `total_gib`, `budget_gib`, `fits`, `parts` (name -> GiB) and `proposal` (None, or `change`, which names the
        settings of a run's file, `reason` and `total_gib`). The parts add up to the total.
    """
    proposal = plan.proposal
    return {
        "total_gib": round(plan.total_gib, 3),
        "budget_gib": plan.budget_gib,
        "fits": plan.fits,
        "parts": {part.name: round(part.size / GIB, 6) for part in plan.parts},
        "proposal": proposal
        and {
            "change": as_settings(proposal.change),
            "reason": reason(proposal),
            "total_gib": round(proposal.total_gib, 3),
        },
    }


def as_settings(change: dict[str, Any]) -> dict[str, Any]:
    """Returns a proposed change by the names that a run's file has for its settings: "section.key" -> value."""
    settings: dict[str, Any] = {}
    for name, value in change.items():
        if name == "quantisation":
            settings["precision.quantization"] = str(value).removesuffix("-double")
            settings["precision.double_quant"] = value == "nf4-double"
        elif name == "attention":
            settings["model.attention"] = "sdpa"
        else:
            settings[_SETTINGS[name]] = value
    return settings


def written(change: dict[str, Any]) -> str:
    """Returns a proposed change as it is written in a run's file."""
    return ", ".join(f"{name} = {json.dumps(value)}" for name, value in as_settings(change).items())


def reason(proposal: Proposal) -> str:
    """Returns why each setting is to be changed; of several, each by the name that a run's file has for it."""
    if len(proposal.change) == 1:
        return next(iter(proposal.reasons.values()))
    names = {name: next(iter(as_settings({name: value}))) for name, value in proposal.change.items()}
    return "; ".join(f"{names[name]}: {why}" for name, why in proposal.reasons.items())


def as_table(plan: Plan, run: PlanInput) -> str:
    """The plan as lines of text.

    Args:
        plan: The plan.
        run: The run it is of.

    Returns:
        A table of parts in GiB, the verdict, and the proposal if there is one.
    """
    width = max(len(part.name) for part in plan.parts)
    checkpointing = ", checkpointing" if run.gradient_checkpointing else ""
    lines = [
        f"{run.model}: micro-batch {run.micro_batch} x {run.max_length} tokens, "
        f"quantisation {run.quantisation}, {run.compute_dtype}{checkpointing}",
        *(f"  {part.name:<{width}}  {part.size / GIB:8.3f}  {part.note}" for part in plan.parts),
        f"  {'total':<{width}}  {plan.total_gib:8.3f}  GiB of {plan.budget_gib:g}",
    ]
    if plan.fits:
        lines.append("fits")
    elif plan.proposal is None:
        lines.append("does not fit, and no setting makes it: take a smaller model")
    else:
        change = written(plan.proposal.change)
        lines += [f"does not fit; with {change} it takes {plan.proposal.total_gib:.2f} GiB", reason(plan.proposal)]
    return "\n".join(lines)
