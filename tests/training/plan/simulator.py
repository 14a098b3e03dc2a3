"""A training step on the `meta` device that counts bytes the way a CUDA allocator would.

No GPU is needed: tensors on `meta` have shapes and dtypes but no storage, a dispatch mode sees every ATen call of
forward, recomputation and backward, and the size of each new storage (rounded up to 512 bytes, as CUDA's caching
allocator rounds) is added until the storage is freed. What CUDA does and `meta` does not is put back by hand:

- fp16 autocast: `Autocast` casts arguments by the lists of `ATen/autocast_mode.h`;
- the memory-efficient SDPA kernel (and the math one), chosen by argument;
- NF4 layers, as bitsandbytes' `MatMul4Bit` on Turing at training sizes: dequantise, `linear`, free;
- TRL's fused language-model head (`trl/kernels/chunked_logprob.py`).
"""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass
from typing import Any, Self
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

HALF = {"linear", "matmul", "bmm", "baddbmm", "addmm", "mm", "__matmul__", "scaled_dot_product_attention"}
FULL = {"layer_norm", "softmax", "pow", "__pow__", "rsqrt", "exp", "log", "sum", "log_softmax", "cross_entropy"}


class Autocast(TorchFunctionMode):
    """CUDA's fp16 autocast, by name of the function (the adapter's cast weights are not cached: they are small)."""

    def __init__(self, attention: str, enabled: bool = True) -> None:
        super().__init__()
        self.attention = attention
        self.enabled = enabled
        self.active = False

    def __enter__(self) -> Self:
        self.active = True
        return super().__enter__()

    def __exit__(self, *args: object) -> None:
        self.active = False
        super().__exit__(*args)

    def _cast(self, value: Any, dtype: torch.dtype) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.dtype == dtype:
            return value
        return value.to(dtype)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if self.enabled and name in HALF | FULL:
            dtype = torch.float16 if name in HALF else torch.float32
            args = tuple(self._cast(a, dtype) for a in args)
            kwargs = {k: self._cast(v, dtype) for k, v in kwargs.items()}
        if name == "dropout":  # CUDA's fused kernel keeps a byte an element
            given, share, training = (*args, *kwargs.values())[:3]
            return torch.ops.aten.native_dropout(given, share, True)[0] if training and share else given
        if name == "scaled_dot_product_attention":
            return _attention(self.attention, *args, **kwargs)
        return func(*args, **kwargs)


def _attention(
    kind: str,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    bias = attn_mask
    if bias is not None and bias.dtype == torch.bool:  # sdp_utils convert_boolean_attn_mask, at every call
        bias = torch.empty(bias.shape, dtype=q.dtype, device=bias.device)
    if kind == "sdpa-mem-efficient":
        if enable_gqa:
            k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
            v = v.repeat_interleave(q.shape[1] // v.shape[1], 1)
        if bias is not None:
            bias = bias.expand(q.shape[0], q.shape[1], q.shape[2], k.shape[2])
        op = torch.ops.aten._scaled_dot_product_efficient_attention
        return op(q, k, v, bias, True, dropout_p, is_causal, scale=scale)[0]
    if is_causal:  # the math kernel builds the causal mask in the query's dtype
        bias = torch.empty(q.shape[2], k.shape[2], dtype=q.dtype, device=q.device)
    # half inputs are raised to fp32 unless reduced-precision math reductions were allowed
    out_dtype, q, k, v = q.dtype, q.float(), k.float(), v.float()
    if enable_gqa:
        k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
        v = v.repeat_interleave(q.shape[1] // v.shape[1], 1)
    weights = (q * 0.5) @ (k * 0.5).transpose(-2, -1)
    if bias is not None:
        weights = weights + bias
    weights = torch.ops.aten._safe_softmax(weights, -1)
    weights = torch.ops.aten.native_dropout(weights, dropout_p, True)[0] if dropout_p else weights
    return (weights @ v).to(out_dtype)


class _Dequantised(torch.autograd.Function):
    """bitsandbytes `MatMul4Bit` where it takes the dequantise-and-`linear` path."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: Nf4Linear) -> torch.Tensor:
        ctx.layer = layer
        return torch.ops.aten.linear(x, layer.dequantise(), layer.bias)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grads[0] @ ctx.layer.dequantise().to(grads[0].dtype), None


class Nf4Linear(torch.nn.Module):
    """A frozen linear layer stored in 4 bits; `double` also quantises the absolute maxima."""

    def __init__(self, linear: torch.nn.Linear, double: bool) -> None:
        super().__init__()
        self.shape, self.double = tuple(linear.weight.shape), double
        count = linear.weight.numel()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight = torch.empty(count // 2, 1, dtype=torch.uint8, device="meta")
        self.weight = torch.nn.Parameter(weight, requires_grad=False)
        kind = torch.uint8 if double else torch.float32
        self.register_buffer("absmax", torch.empty(count // 64, dtype=kind, device="meta"))
        if double:
            self.register_buffer("absmax2", torch.empty(count // 64 // 256 + 1, device="meta"))
        self.bias = linear.bias

    def dequantise(self) -> torch.Tensor:
        """The weight in fp16, freed by the caller."""
        if self.double:
            absmax = torch.empty(self.absmax.numel(), device="meta")
            absmax = absmax + 1.0
        return torch.empty(self.shape, dtype=torch.float16, device="meta")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As `Linear4bit.forward`: compute in fp16, give back the input's dtype."""
        dtype = x.dtype
        return _Dequantised.apply(x.to(torch.float16), self).to(dtype)


class _FusedHead(torch.autograd.Function):
    """Allocations of TRL's `ChunkedLogProbFunction` on CUDA."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        rows = hidden.shape[0]
        stats = [torch.zeros(rows, device="meta") for _ in range(7)]
        buffer = torch.empty((min(rows, 4096), 32768), dtype=torch.float16, device="meta")
        chunk = hidden[:4096].to(torch.float16)  # the backbone's output is still alive, in the caller
        ctx.save_for_backward(hidden, weight, stats[0])
        del buffer, chunk
        return stats[1] + 0

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        hidden, _, _ = ctx.saved_tensors
        grad = torch.zeros(hidden.shape, device="meta")
        buffer = torch.empty((min(hidden.shape[0], 4096), 32768), dtype=torch.float16, device="meta")
        chunk = hidden[:4096].to(torch.float16)
        del buffer, chunk
        return grad.to(hidden.dtype), None


class MemoryMode(TorchDispatchMode):
    """Live and peak bytes of the storages made while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.peak = 0
        self.current = self.peak_at = ""
        self.seen: dict[int, weakref.ref[Any]] = {}

    def add(self, tensor: torch.Tensor) -> None:
        """Counts the tensor's storage once, until it dies."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.seen:
            return
        size = -(-storage.nbytes() // 512) * 512

        def freed(_: Any) -> None:
            self.live -= size
            self.seen.pop(key, None)

        self.seen[key] = weakref.ref(storage, freed)
        self.live += size
        self._raise_peak(self.live)

    def _raise_peak(self, size: int) -> None:
        if size > self.peak:
            self.peak, self.peak_at = size, self.current

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.current = str(func)
        result = func(*args, **(kwargs or {}))
        for item in result if isinstance(result, tuple | list) else (result,):
            if isinstance(item, torch.Tensor) and item.device.type == "meta":
                self.add(item)
        if func is torch.ops.aten._scaled_dot_product_efficient_attention_backward.default:
            # fp32 accumulator for the query's gradient, freed when the kernel returns
            self._raise_peak(self.live + args[1].numel() * 4)
        return result


@dataclass(frozen=True, slots=True)
class Simulated:
    """Bytes of one simulated step.

    Attributes:
        static: Weights, adapter, gradients and optimiser states.
        saved: Activations kept when the forward pass ends, the loss included.
        peak: The most bytes alive at once, static included.
        peak_at: The operator that reached it.
    """

    static: int
    saved: int
    peak: int
    peak_at: str


def quantise(model: torch.nn.Module, double: bool) -> None:
    """Replaces a PEFT model's frozen linear layers by their NF4 stand-in, the vocabulary projection excepted."""
    for name, module in list(model.named_modules()):
        if getattr(module, "cast_input_dtype_enabled", False):
            module.cast_input_dtype_enabled = False  # peft's bnb layers do not cast under autocast
        if type(module) is torch.nn.Linear and not any(part in name for part in ("lm_head", "lora_")):
            parent, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(parent), attribute, Nf4Linear(module, double))


def _checkpoint_with(mode: Autocast) -> Any:
    """A checkpointing function whose recomputation runs under autocast, as `torch.utils.checkpoint` arranges."""

    def checkpointed(function: Any, *args: Any) -> Any:
        def run(*inner: Any) -> Any:
            if mode.active:
                return function(*inner)
            with mode:
                return function(*inner)

        return checkpoint(run, *args, use_reentrant=False)

    return checkpointed


def simulate(
    model: Any, *, batch: int, length: int, label_tokens: int, masked: bool, attention: str, checkpointing: bool
) -> Simulated:
    """One step of a PEFT model on `meta`, its second (gradients and optimiser states exist).

    Args:
        model: A `PeftModel` on `meta`, fp16 weights, fp32 adapter.
        batch: Rows.
        length: Tokens a row.
        label_tokens: Positions the head is applied to, all rows together.
        masked: Whether a boolean attention mask is built (padding or packing).
        attention: "sdpa-mem-efficient" or "sdpa-math".
        checkpointing: Whether decoder layers are recomputed in backward.

    Returns:
        The bytes.
    """
    base = model.get_base_model()
    model.train()
    memory, autocast = MemoryMode(), Autocast(attention)
    if checkpointing:
        base._set_gradient_checkpointing(enable=True, gradient_checkpointing_func=_checkpoint_with(autocast))
        base.enable_input_require_grads()
    trainable = [p for p in model.parameters() if p.requires_grad]
    for tensor in [*model.parameters(), *model.buffers()]:
        memory.add(tensor)
    states = [torch.empty(p.shape, device="meta") for p in trainable for _ in range(2)]
    for state in states:
        memory.add(state)
    for parameter in trainable:
        parameter.grad = torch.empty_like(parameter)
        memory.add(parameter.grad)
    static = memory.live
    ids = torch.zeros(batch, length, dtype=torch.long, device="meta")
    mask = torch.ones(batch, 1, length, length, dtype=torch.bool, device="meta") if masked else None
    # transformers looks for packed rows in the values of the positions, which `meta` tensors do not have
    with memory, patch("transformers.masking_utils.find_packed_sequence_indices", lambda *_: None):
        with autocast:
            hidden = base.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        index = torch.zeros(label_tokens, dtype=torch.long, device="meta")
        loss = _FusedHead.apply(hidden[:, :-1][index, index], base.get_output_embeddings().weight).sum()
        del hidden
        gc.collect()
        saved = memory.live - static
        loss.backward()
    return Simulated(static, saved, memory.peak, memory.peak_at)
