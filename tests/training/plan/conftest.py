"""Parts for the planner's tests: small architectures of every family, and the simulator of a CUDA step."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from training.plan.architectures import Architecture

FAMILIES = ("llama", "gpt2", "gpt_neox", "qwen3", "exaone4")


def small(
    family: str,
    hidden: int = 128,
    intermediate: int = 384,
    layers: int = 4,
    heads: int = 4,
    kv_heads: int = 2,
    dropout: float = 0.0,
) -> Architecture:
    """An architecture of the family, small enough to run."""
    layer_norm = family in ("gpt2", "gpt_neox")
    return Architecture(
        model=f"small-{family}",
        family=family,
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=heads if layer_norm else kv_heads,
        head_dim=hidden // heads,
        intermediate=intermediate,
        vocab=512,
        tied=family == "gpt2",
        activation={"gpt2": "gelu_new", "gpt_neox": "gelu"}.get(family, "silu"),
        positions=2048 if family == "gpt2" else 0,
        dropout=dropout,
        attention_bias=layer_norm,
        mlp_bias=layer_norm,
    )


@pytest.fixture(scope="session")
def small_architecture() -> Callable[..., Architecture]:
    return small


@pytest.fixture(scope="session")
def simulator() -> ModuleType:
    path = Path(__file__).with_name("simulator.py")
    spec = importlib.util.spec_from_file_location("plan_simulator", path)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules["plan_simulator"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def query_target() -> Callable[[str], tuple[str, ...]]:
    return lambda family: {"gpt2": ("c_attn",), "gpt_neox": ("query_key_value",)}.get(family, ("q_proj",))
