"""Goal: the predicted peak is that of a whole CUDA step. The simulator counts every allocation of one on `meta`."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from data.errors import InputError
from training.plan import skeleton
from training.plan.architectures import TABLE, Architecture, architecture
from training.plan.inputs import GIB, PlanInput
from training.plan.memory import CUBLAS_BYTES, NF4_BYTES, NF4_DOUBLE_BYTES, adapter_parameters, predict

torch = pytest.importorskip("torch")
# peft asks transformers 5.23 by a name it has renamed
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def simulated(simulator: ModuleType, arch: Architecture, run: PlanInput) -> Any:
    """One simulated step of the run; packed rows are one row, as TRL flattens them."""
    from peft import LoraConfig, get_peft_model

    targets: Any = "all-linear" if run.target_modules == ("all-linear",) else list(run.target_modules)
    model = skeleton.meta_model(arch)
    with torch.device("meta"):
        lora = LoraConfig(r=run.lora_rank, target_modules=targets, fan_in_fan_out=arch.family == "gpt2")
        peft = get_peft_model(model, lora)
    if run.quantisation != "none":
        simulator.quantise(peft, run.quantisation == "nf4-double")
    return simulator.simulate(
        peft,
        batch=1 if run.packing else run.micro_batch,
        length=run.row_length,
        label_tokens=max(1, round(run.tokens * run.label_share)),
        masked=run.masked,
        attention=run.attention,
        checkpointing=run.gradient_checkpointing,
    )


def check(simulator: ModuleType, arch: Architecture, run: PlanInput, tolerance: float = 0.1) -> None:
    """The total, and what is not weights, each within the tolerance."""
    found = simulated(simulator, arch, run)
    parts = {part.name: part.size for part in predict(run, arch).parts}
    fixed = ("linear weights", "embeddings", "norms and biases", "adapter", "gradients", "optimiser")
    static = sum(parts.pop(name) for name in fixed)
    moving = sum(parts.values()) - CUBLAS_BYTES
    assert static == pytest.approx(found.static, rel=0.01)
    assert moving == pytest.approx(found.peak - found.static, rel=tolerance), found.peak_at


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox", "qwen3", "exaone4"])
@pytest.mark.parametrize("quantisation", ["none", "nf4-double"])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "checkpointed"])
@pytest.mark.parametrize("wide", [False, True], ids=["query", "all-linear"])
def test_peak_of_a_step(
    family: str,
    quantisation: str,
    checkpointing: bool,
    wide: bool,
    simulator: ModuleType,
    small_architecture: Callable[..., Architecture],
    query_target: Callable[[str], tuple[str, ...]],
) -> None:
    if family == "gpt2" and quantisation != "none":
        pytest.skip("the simulator has no 4-bit Conv1D")
    arch = small_architecture(family, hidden=512, intermediate=1536, layers=4, heads=8, kv_heads=4, dropout=0.1)
    run = PlanInput(
        arch.model,
        quantisation,
        lora_rank=8,
        target_modules=("all-linear",) if wide else query_target(family),
        micro_batch=4,
        max_length=256,
        gradient_checkpointing=checkpointing,
        label_share=0.5,
    )
    check(simulator, arch, run)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox", "exaone4"])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "checkpointed"])
def test_quadratic_attention_is_seen(
    family: str,
    checkpointing: bool,
    simulator: ModuleType,
    small_architecture: Callable[..., Architecture],
    query_target: Callable[[str], tuple[str, ...]],
) -> None:
    arch = small_architecture(family, hidden=512, intermediate=1024, layers=6, heads=8, kv_heads=2, dropout=0.1)
    run = PlanInput(
        arch.model,
        target_modules=query_target(family),
        micro_batch=2,
        max_length=768,
        gradient_checkpointing=checkpointing,
        attention="sdpa-math",
        label_share=0.25,
    )
    check(simulator, arch, run)


PRESETS: dict[str, dict[str, Any]] = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": {"target_modules": ("all-linear",), "micro_batch": 8},
    "42dot/42dot_LLM-SFT-1.3B": {"micro_batch": 4},
    "skt/kogpt2-base-v2": {"target_modules": ("c_attn",), "micro_batch": 8, "gradient_checkpointing": False},
    "EleutherAI/polyglot-ko-5.8b": {
        "target_modules": ("query_key_value",), "quantisation": "nf4-double", "micro_batch": 2
    },
    "Qwen/Qwen3-8B": {"quantisation": "nf4-double", "target_modules": ("all-linear",)},
    "LGAI-EXAONE/EXAONE-4.0-1.2B": {"micro_batch": 4, "packing": True, "max_length": 512},
    "upstage/SOLAR-10.7B-v1.0": {"quantisation": "nf4-double", "packing": True},
}  # fmt: skip


@pytest.mark.parametrize("arch", TABLE, ids=lambda a: a.model)
def test_the_presets_models_at_their_true_size(arch: Architecture, simulator: ModuleType) -> None:
    run = PlanInput(arch.model, label_share=0.3, **PRESETS[arch.model])
    found = simulated(simulator, arch, run)
    predicted = predict(run).total - CUBLAS_BYTES
    assert predicted == pytest.approx(found.peak, rel=0.05)


def test_bytes_of_quantised_weights_are_what_bitsandbytes_makes() -> None:
    functional = pytest.importorskip("bitsandbytes.functional")
    weight = torch.randn(512, 1024)
    for double, each in ((False, NF4_BYTES), (True, NF4_DOUBLE_BYTES)):
        packed, state = functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=double, blocksize=64)
        size = packed.nbytes + state.absmax.nbytes + (state.state2.absmax.nbytes if double else 0)
        assert size == pytest.approx(weight.numel() * each, rel=0.001)


def test_adapter_parameters_are_pefts() -> None:
    from peft import LoraConfig, get_peft_model

    arch = architecture("EleutherAI/polyglot-ko-5.8b")
    for names in (("query_key_value",), ("all-linear",)):
        run = PlanInput(arch.model, target_modules=names, lora_rank=16)
        model = skeleton.meta_model(arch)
        with torch.device("meta"):
            targets: Any = "all-linear" if names == ("all-linear",) else list(names)
            peft = get_peft_model(model, LoraConfig(r=16, target_modules=targets))
        assert adapter_parameters(arch, run) == sum(p.numel() for p in peft.parameters() if p.requires_grad)


def test_each_saving_saves() -> None:
    base = PlanInput("Qwen/Qwen3-8B", micro_batch=2, gradient_checkpointing=False, target_modules=("all-linear",))

    def total(**change: Any) -> float:
        from dataclasses import replace

        return predict(replace(base, **change)).total_gib

    assert total(gradient_checkpointing=True) < total()
    assert total(micro_batch=1) < total()
    assert total(max_length=512) < total()
    assert total(label_share=0.1) <= total()
    assert total(quantisation="nf4-double") < total(quantisation="nf4") < total(quantisation="int8") < total()
    assert total(optimiser="paged_adamw_8bit") <= total(optimiser="adamw_8bit") < total()
    assert total(attention="flash") < total() < total(attention="sdpa-math")
    assert total(world_size=2) > total()


def test_parts_add_up_and_none_is_negative() -> None:
    prediction = predict(PlanInput("upstage/SOLAR-10.7B-v1.0", "nf4-double", target_modules=("all-linear",)))
    assert sum(part.size for part in prediction.parts) == prediction.total
    assert all(part.size >= 0 for part in prediction.parts)
    assert prediction.total_gib == prediction.total / GIB


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        PlanInput("m", quantisation="nf3", micro_batch=0, label_share=0, budget_gib=-1, target_modules=())
    for word in ("nf3", "micro_batch", "label_share", "budget_gib", "target_modules"):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
