"""Whether the layers that a run names are there to be adapted.

PEFT takes what it finds of several names and passes over the rest: a typo would train fewer layers than meant.
"""

from collections.abc import Collection, Sequence
from typing import Any

from data.errors import InputError
from data.settings import hint

ALL_LINEAR = ("all-linear",)


def check_targets(model: Any, targets: Sequence[str]) -> None:
    """Refuses names of which the model has no layer, and that of its head.

    Args:
        model: The base model, quantised or not.
        targets: Last parts of the layers' names, or `ALL_LINEAR`.

    Raises:
        InputError: All such names, in one line.
    """
    if tuple(targets) == ALL_LINEAR:
        return
    head = model.get_output_embeddings()
    modules = dict(model.named_modules())
    problems = []
    for target in targets:
        found = [module for name, module in modules.items() if _is_called(name, target)]
        if not found:
            known = sorted({name.rpartition(".")[2] for name in _linear_layers(model)})
            problems.append(f"no layer is called {target}" + hint(target, dict.fromkeys(known)))
        elif any(module is head for module in found):
            problems.append(f"{target} is the head, whose adapter would never be trained; leave it out")
    if problems:
        raise InputError(f"adapter.targets: {'; '.join(problems)}")


def adapted_layers(model: Any, targets: Collection[str]) -> set[str]:
    """Returns the whole names of the layers that targets stand for.

    Args:
        model: The base model, quantised or not.
        targets: Last parts of the layers' names, or `ALL_LINEAR`.
    """
    if tuple(targets) == ALL_LINEAR:
        return set(_linear_layers(model))
    return {name for name, _ in model.named_modules() if any(_is_called(name, target) for target in targets)}


def _is_called(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _linear_layers(model: Any) -> list[str]:
    """Names the linear layers but the head. GPT-2's Conv1D is one too; it counts its outputs in `nf`."""
    from torch import nn

    head = model.get_output_embeddings()
    return [
        name
        for name, module in model.named_modules()
        if (isinstance(module, nn.Linear) or hasattr(module, "nf")) and module is not head
    ]
