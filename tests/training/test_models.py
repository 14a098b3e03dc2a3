"""Number formats follow the GPU; what is trained is float32; the order of rows survives a resume."""

from typing import Any

import pytest

from data.errors import InputError
from training import models
from training.models import choose_hardware, cpu_has_bfloat16, trainable_to_float32, without_gqa_below_ampere
from training.planning import plan_input

pytestmark = pytest.mark.integration


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    import torch

    def pretend(capability: tuple[int, int], count: int = 1) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)

    monkeypatch.delenv("LOCAL_RANK", raising=False)
    return pretend


def test_turing_computes_in_float16_and_ampere_in_bfloat16(gpu: Any, make_config: Any) -> None:
    config = make_config(precision={"device": "auto", "weights": "auto"})
    gpu((7, 5))
    turing = choose_hardware(config)
    assert (turing.device, turing.weights, turing.compute) == ("cuda:0", "float16", "float16")
    gpu((8, 0))
    assert choose_hardware(config).compute == "bfloat16"


def test_bfloat16_on_turing_is_refused(gpu: Any, make_config: Any) -> None:
    gpu((7, 5))
    with pytest.raises(InputError, match=r"7\.5\) has no bfloat16"):
        choose_hardware(make_config(precision={"device": "cuda", "compute": "bfloat16"}))


@pytest.mark.parametrize(("has_bfloat16", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_a_cpu_computes_in_what_it_is_fast_in(
    has_bfloat16: bool, chosen: str, make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "cpu_has_bfloat16", lambda: has_bfloat16)
    hardware = choose_hardware(make_config(precision={"weights": "auto"}))
    assert (hardware.device, hardware.weights, hardware.compute) == ("cpu", chosen, chosen)
    assert choose_hardware(make_config(precision={"weights": chosen})) == hardware


def test_a_run_on_the_cpu_is_planned_in_the_larger_format(make_config: Any) -> None:
    auto = [make_config(precision={"device": device, "weights": "auto"}) for device in ("cpu", "auto")]
    assert [plan_input(config).compute_dtype for config in auto] == ["float32", "float16"]


def test_a_run_that_computes_in_another_format_than_its_weights_is_not_planned(make_config: Any) -> None:
    assert plan_input(make_config(precision={"compute": "float32"})).compute_dtype == "float32"
    with pytest.raises(InputError, match=r'compute is "float16" and the weights would be float32; .* set .* "auto"'):
        plan_input(make_config(precision={"device": "cuda", "compute": "float16"}))


@pytest.mark.parametrize("wanted", [{"weights": "bfloat16"}, {"compute": "bfloat16"}])
def test_bfloat16_on_a_cpu_without_it_is_refused(
    wanted: dict[str, str], make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "cpu_has_bfloat16", lambda: False)
    with pytest.raises(InputError, match="does not compute in bfloat16 itself"):
        choose_hardware(make_config(precision=wanted))


@pytest.mark.parametrize(
    ("found", "has"),
    [
        ({}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"bf16": True}, True),
        ({"avx2": 1}, False),
    ],
)
def test_what_torch_finds_says_whether_a_cpu_has_bfloat16(
    found: dict[str, Any], has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert cpu_has_bfloat16() == has
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: bool(found) and has and "amx" in name)
    assert cpu_has_bfloat16() == has


def test_two_gpus_in_one_process_are_refused_with_the_command(
    gpu: Any, make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(precision={"device": "cuda"})
    gpu((7, 5), count=2)
    with pytest.raises(InputError, match="accelerate launch --num_processes 2"):
        choose_hardware(config)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_hardware(config).device == "cuda:1"


def test_cuda_without_a_gpu_is_refused(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA GPU here"):
        choose_hardware(make_config(precision={"device": "cuda"}))


def test_grouped_query_attention_is_spelled_out_below_ampere(
    gpu: Any, make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers.integrations import sdpa_attention

    before = sdpa_attention.use_gqa_in_sdpa
    monkeypatch.setattr(sdpa_attention, "use_gqa_in_sdpa", before)  # put back afterwards
    config = make_config(precision={"device": "cuda"})
    key = torch.zeros(1, 1, 1, 64)
    gpu((8, 0))
    assert not without_gqa_below_ampere(choose_hardware(config))
    assert sdpa_attention.use_gqa_in_sdpa(None, key, key)
    gpu((7, 5))
    assert without_gqa_below_ampere(choose_hardware(config))
    assert not sdpa_attention.use_gqa_in_sdpa(None, key, key)


def test_what_is_trained_becomes_float32_and_nothing_else() -> None:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)).to(torch.bfloat16)
    model[0].requires_grad_(requires_grad=False)
    before = model[1].weight
    assert trainable_to_float32(model) == 2
    assert model[1].weight is before, "an optimiser made earlier must still hold it"
    assert model[1].weight.dtype == torch.float32
    assert model[0].weight.dtype == torch.bfloat16


def test_order_is_of_seed_and_epoch_alone_longest_first() -> None:
    from training.trainer import EpochOrder

    lengths = [(number * 37) % 101 for number in range(90)]
    order = EpochOrder(lengths, 4, grouped=True, seed=1)
    first = list(order)
    assert sorted(first) == list(range(90))
    assert max(lengths) in [lengths[row] for row in first[:4]]
    order.set_epoch(1)
    second = list(order)
    assert second != first
    again = EpochOrder(lengths, 4, grouped=True, seed=1)
    again.set_epoch(1)
    assert list(again) == second
    spread = [max(batch) - min(batch) for batch in (_batch(lengths, second, place) for place in range(0, 88, 4))]
    assert sum(spread) / len(spread) < 10, "batches hold rows of like length"


def _batch(lengths: list[int], order: list[int], place: int) -> list[int]:
    return [lengths[row] for row in order[place : place + 4]]
