"""Models built from a row of the architecture table, without downloading: on `meta` to count, or with random weights.

The random ones train as the real ones do, byte for byte, which is all that measuring memory and speed asks for.
"""

from importlib import import_module
from typing import Any

from training.plan.architectures import Architecture


def config(arch: Architecture) -> Any:
    """The transformers configuration of an architecture.

    Args:
        arch: The dimensions.

    Returns:
        A `PretrainedConfig` with SDPA attention and no cache.
    """
    from transformers import AutoConfig

    if arch.family == "gpt2":
        fields: dict[str, Any] = {
            "n_embd": arch.hidden,
            "n_layer": arch.layers,
            "n_head": arch.heads,
            "n_inner": arch.intermediate,
            "n_positions": arch.positions,
            "activation_function": arch.activation,
            "attn_pdrop": arch.dropout,
            "resid_pdrop": arch.dropout,
            "embd_pdrop": arch.dropout,
        }
    else:
        fields = {
            "hidden_size": arch.hidden,
            "num_hidden_layers": arch.layers,
            "num_attention_heads": arch.heads,
            "intermediate_size": arch.intermediate,
            "hidden_act": arch.activation,
            "max_position_embeddings": 4096,
            "attention_bias": arch.attention_bias,
        }
        if arch.family == "gpt_neox":
            fields |= {"rotary_pct": 0.25}
        else:
            fields |= {"num_key_value_heads": arch.kv_heads, "head_dim": arch.head_dim}
        if arch.family == "exaone4":
            fields |= {"sliding_window": None, "layer_types": ["full_attention"] * arch.layers}
    built = AutoConfig.for_model(
        arch.family,
        vocab_size=arch.vocab,
        tie_word_embeddings=arch.tied,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        attn_implementation="sdpa",
        **fields,
    )
    built.use_cache = False
    return built


def meta_model(arch: Architecture, dtype: str = "float16") -> Any:
    """The model on torch's `meta` device: shapes and dtypes, no memory."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config(arch), dtype=getattr(torch, dtype))


def random_model(arch: Architecture, quantisation: str, device: str, dtype: str = "float16") -> Any:
    """The model with random weights, each made and quantised on the device: no more is ever held than one matrix extra.

    Args:
        arch: The dimensions.
        quantisation: "none", "nf4" or "nf4-double".
        device: Where it is built.
        dtype: Of everything that is not quantised.

    Returns:
        A causal language model that PEFT and `Trainer` take for one loaded the usual way.
    """
    import torch
    from transformers import AutoModelForCausalLM

    half = getattr(torch, dtype)
    empty = import_module("accelerate").init_empty_weights
    with empty(include_buffers=False):
        model: Any = AutoModelForCausalLM.from_config(config(arch), dtype=half)
    generator = torch.Generator(device).manual_seed(0)

    def draw(shape: torch.Size) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=device, dtype=half) * 0.02

    if quantisation != "none":
        _quantise(model, draw, double=quantisation == "nf4-double", dtype=half)
        model.is_loaded_in_4bit = True
    for name, parameter in list(model.named_parameters()):
        if parameter.device.type != "meta":
            continue
        path, _, attribute = name.rpartition(".")
        norm = parameter.ndim == 1 and attribute == "weight"
        filled = torch.ones(parameter.shape, device=device, dtype=half) if norm else draw(parameter.shape)
        setattr(model.get_submodule(path), attribute, torch.nn.Parameter(filled, requires_grad=False))
    model.tie_weights()
    return model.to(device)


def _quantise(model: Any, draw: Any, *, double: bool, dtype: Any) -> None:
    """Puts a bitsandbytes layer in the place of every linear layer but the vocabulary projection."""
    import bitsandbytes as bnb
    import torch
    from transformers.pytorch_utils import Conv1D

    for name, module in list(model.named_modules()):
        if name.endswith("lm_head") or not isinstance(module, torch.nn.Linear | Conv1D):
            continue
        outputs, inputs = module.weight.shape if isinstance(module, torch.nn.Linear) else reversed(module.weight.shape)
        layer = bnb.nn.Linear4bit(
            inputs,
            outputs,
            bias=module.bias is not None,
            compute_dtype=dtype,
            compress_statistics=double,
            quant_type="nf4",
            device="meta",
        )
        weight = draw(torch.Size((outputs, inputs)))
        stored = bnb.nn.Params4bit(weight, requires_grad=False, compress_statistics=double, quant_type="nf4")
        layer.weight = stored.to(weight.device)
        layer.requires_grad_(False)
        path, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(path), attribute, layer)
