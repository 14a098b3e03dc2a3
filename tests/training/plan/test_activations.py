"""Goal: the formulas say what autograd saves. Real models run on the CPU while every saved tensor is counted.

In fp32 on the CPU nothing depends on the device but the attention kernel, whose CPU version saves the same tensors
as CUDA's memory-efficient one: query, key, value, output, log-sum-exp.
"""

from collections.abc import Callable
from typing import Any

import pytest

from training.plan import skeleton
from training.plan.activations import layer
from training.plan.architectures import Architecture
from training.plan.inputs import PlanInput

torch = pytest.importorskip("torch")
# peft asks transformers 5.23 by a name it has renamed
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def saved_bytes(arch: Architecture, run: PlanInput) -> int:
    """Bytes of distinct storages that a forward pass of the decoder saves, parameters and buffers excepted."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(skeleton.config(arch), dtype=torch.float32)
    targets: Any = "all-linear" if run.target_modules == ("all-linear",) else list(run.target_modules)
    lora = LoraConfig(r=run.lora_rank, target_modules=targets, fan_in_fan_out=arch.family == "gpt2")
    peft = get_peft_model(model, lora)
    base = peft.get_base_model()
    base.train()
    base.enable_input_require_grads()
    if run.gradient_checkpointing:
        base.activation_checkpointing_enable()
    constant = {t.untyped_storage().data_ptr() for t in [*peft.parameters(), *peft.buffers()]}
    seen: dict[int, int] = {}
    keep = []  # a storage freed and reused would be counted once

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in constant:
            seen[storage.data_ptr()] = storage.nbytes()
            keep.append(tensor.detach())
        return tensor

    ids = torch.randint(0, arch.vocab, (run.micro_batch, run.max_length))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        output = base.base_model(input_ids=ids, use_cache=False).last_hidden_state
    assert output.requires_grad
    return sum(seen.values())


def predicted_bytes(arch: Architecture, run: PlanInput) -> float:
    """The formulas' figure for the same: the layers, the final norm, and the rotary tables."""
    needs = layer(arch, run)
    layers = arch.layers * (needs.residual if run.gradient_checkpointing else needs.saved)
    rotary = 0 if arch.family == "gpt2" else 2 * 4 * arch.head_dim * run.max_length
    return (layers + 4 * arch.hidden + 8) * run.tokens + rotary


SIZES = [
    {"hidden": 64, "intermediate": 96, "layers": 2, "heads": 4, "kv_heads": 4},
    {"hidden": 128, "intermediate": 512, "layers": 3, "heads": 4, "kv_heads": 2},
    {"hidden": 192, "intermediate": 256, "layers": 6, "heads": 6, "kv_heads": 1},
]


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox", "qwen3", "exaone4"])
@pytest.mark.parametrize("size", SIZES, ids=["square", "grouped", "one-kv-head"])
@pytest.mark.parametrize("wide", [False, True], ids=["query", "all-linear"])
def test_saved_activations_are_within_a_tenth(
    family: str,
    size: dict[str, int],
    wide: bool,
    small_architecture: Callable[..., Architecture],
    query_target: Callable[[str], tuple[str, ...]],
) -> None:
    arch = small_architecture(family, **size)
    run = PlanInput(
        arch.model,
        compute_dtype="float32",
        lora_rank=8,
        target_modules=("all-linear",) if wide else query_target(family),
        micro_batch=2,
        max_length=96,
        gradient_checkpointing=False,
        attention="sdpa-mem-efficient" if size["kv_heads"] == size["heads"] or arch.layer_norm else "flash",
    )
    # no padding: no mask is built, so none is copied for each layer; and grouped heads are not repeated on the CPU
    copied = arch.layers * 4 * run.max_length * run.tokens if run.attention == "sdpa-mem-efficient" else 0
    ratio = (predicted_bytes(arch, run) - copied) / saved_bytes(arch, run)
    assert 0.9 <= ratio <= 1.1, f"{family} {size} {ratio:.3f}"


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox", "qwen3", "exaone4"])
@pytest.mark.parametrize("layers", [3, 8])
def test_with_checkpointing_only_the_layers_inputs_are_saved(
    family: str,
    layers: int,
    small_architecture: Callable[..., Architecture],
    query_target: Callable[[str], tuple[str, ...]],
) -> None:
    arch = small_architecture(family, layers=layers)
    run = PlanInput(
        arch.model, compute_dtype="float32", target_modules=query_target(family), micro_batch=2, max_length=64
    )
    ratio = predicted_bytes(arch, run) / saved_bytes(arch, run)
    assert 0.9 <= ratio <= 1.1, f"{family} {ratio:.3f}"
