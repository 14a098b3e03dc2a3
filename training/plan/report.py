"""A plan for people (a table) and for programs (JSON)."""

from typing import Any

from training.plan.inputs import GIB, PlanInput
from training.plan.propose import Plan


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain values.

    Args:
        plan: The plan.

    Returns:
        `total_gib`, `budget_gib`, `fits`, `parts` (name -> GiB) and `proposal` (None, or `change`, `reason`,
        `total_gib`). The parts add up to the total.
    """
    proposal = plan.proposal
    return {
        "total_gib": round(plan.total_gib, 3),
        "budget_gib": plan.budget_gib,
        "fits": plan.fits,
        "parts": {part.name: round(part.size / GIB, 6) for part in plan.parts},
        "proposal": proposal
        and {"change": proposal.change, "reason": proposal.reason, "total_gib": round(proposal.total_gib, 3)},
    }


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
        change = ", ".join(f"{name} = {value}" for name, value in plan.proposal.change.items())
        lines += [f"does not fit; with {change} it takes {plan.proposal.total_gib:.2f} GiB", plan.proposal.reason]
    return "\n".join(lines)
