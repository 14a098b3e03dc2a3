"""What one decoder layer keeps for the backward pass, and what its backward pass needs on top: bytes a token.

Derived by reading transformers 5.23 (`models/*/modeling_*.py`), peft 0.21 (`tuners/lora/layer.py`, `bnb.py`),
bitsandbytes 0.50 (`autograd/_functions.py`, `nn/modules.py`) and torch's `derivatives.yaml` and autocast lists, and
checked in `tests/training/plan/` against the bytes that autograd really saves. The rules they give:

- A frozen linear layer saves its weight only. An adapter's A saves its input, its B the r values between.
- RMSNorm computes in fp32 and saves an fp32 copy of its input. The frozen scale saves nothing of the activations.
- LayerNorm is on autocast's fp32 list: it saves an fp32 input and returns fp32.
- An unquantised LoRA layer casts its input to the adapter's fp32 and autocast casts it back: a copy for each adapter.
  bitsandbytes layers do not cast under autocast, so adapters that read one tensor share it.
- bitsandbytes layers return their input's dtype: fed by a LayerNorm, they return fp32, the residual stream included.
- A saved view keeps all of its storage alive (the fused query-key-value output).

Letters: h hidden, q query width, k key width, i intermediate, L length; c bytes of a compute element (2), 4 of fp32.
"""

from dataclasses import dataclass

from training.plan.architectures import Architecture
from training.plan.inputs import DTYPE_BYTES, PlanInput


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a decoder layer, in forward order.

    Attributes:
        name: What it is.
        saved: Bytes a token kept from its forward until its backward has run.
        transient: Bytes a token that its backward needs beside everything still saved, its own included.
        dequantised: Elements of the largest quantised matrix its backward unpacks.
    """

    name: str
    saved: float
    transient: float
    dequantised: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """One decoder layer's needs.

    Attributes:
        blocks: Its stretches, in forward order.
        residual: Bytes a token of the residual stream: what a checkpoint keeps.
        stuck: Bytes a token that checkpointing does not release.
        first_saves_less: Bytes a token the first layer does not save when its input needs no gradient.
    """

    blocks: tuple[Block, ...]
    residual: float
    stuck: float
    first_saves_less: float

    @property
    def saved(self) -> float:
        """Bytes a token kept by the whole layer."""
        return sum(block.saved for block in self.blocks)

    def backward_peak(self, tokens: int, dequantise_bytes: float) -> float:
        """Most bytes the layer holds in its backward pass, what it saved included.

        Args:
            tokens: Tokens of the micro-batch.
            dequantise_bytes: Bytes an unpacked element of a quantised matrix takes; 0 without quantisation.

        Returns:
            Bytes.
        """
        peak = held = 0.0
        for block in self.blocks:
            held += block.saved * tokens
            peak = max(peak, held + block.transient * tokens + block.dequantised * dequantise_bytes)
        return peak


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Byte sizes that depend on precision, worked out once."""

    c: int  # compute element
    lifted: int  # output of a linear layer fed by a LayerNorm: fp32 if quantised under autocast
    residual: int  # element of the residual stream
    copies: bool  # every adapter keeps its own copy of its input


def _sizes(arch: Architecture, run: PlanInput) -> _Sizes:
    c = run.compute_bytes
    quantised = run.quantisation != "none"
    lifted = 4 if arch.layer_norm and run.autocast and quantised else c
    recast = run.autocast and not quantised and DTYPE_BYTES[run.adapter_dtype] != c
    return _Sizes(c, lifted, lifted, recast)


def layer(arch: Architecture, run: PlanInput) -> Layer:
    """The needs of one decoder layer.

    Args:
        arch: The model's dimensions.
        run: The run.

    Returns:
        Its blocks, in forward order, bytes a token.
    """
    size = _sizes(arch, run)
    c, h, res = size.c, arch.hidden, size.residual * arch.hidden
    matrices = {linear.reads: linear.weights for linear in arch.linears()}  # the largest of each group is the last
    norm, norm_back = _norm(arch, h)
    attention_in, attention_back = _adapters(arch, run, size, "attention")
    heads_in, heads_back = _adapters(arch, run, size, "heads")
    mlp_in, mlp_back = _adapters(arch, run, size, "mlp")
    middle_in, middle_back = _adapters(arch, run, size, "middle")
    core, core_back = _attention(arch, run, size)
    act, act_back = _activation(arch, size)
    projected = arch.query + 2 * arch.key
    attention: list[Block] = [
        Block("attention inputs", attention_in, res + size.lifted * projected + attention_back, matrices["attention"])
    ]
    if arch.qk_norm:
        saved, back = _norm(arch, arch.query, arch.heads)
        saved_k, back_k = _norm(arch, arch.key, arch.kv_heads)
        attention.append(Block("query and key norms", saved + saved_k, res + c * projected + max(back, back_k)))
    attention.append(Block("attention", core, res + core_back))
    attention.append(Block("heads' output", heads_in, res + c * (h + arch.query) + heads_back, matrices["heads"]))
    mlp = [
        Block("mlp inputs", mlp_in, res + size.lifted * arch.intermediate + c * h + mlp_back, matrices["mlp"]),
        Block("activation", act, res + act_back),
        Block("middle", middle_in, res + size.lifted * arch.intermediate + c * h + middle_back, matrices["middle"]),
    ]
    norms = (Block("attention norm", norm, res + norm_back), Block("mlp norm", norm, res + norm_back))
    if arch.family == "gpt_neox" and res == 4 * h:
        norms = (norms[0], Block("mlp norm", 8, res + norm_back))  # parallel branches: both norms save one fp32 input
    masks = h if arch.family == "gpt2" and arch.dropout else 0  # a byte an element, for each residual branch
    drop = Block("dropout", masks, res + c * h)
    if arch.family == "exaone4":  # norms after the branches
        blocks = (*attention, norms[0], *mlp, norms[1])
    else:
        blocks = (norms[0], *attention, drop, norms[1], *mlp, drop)
    # bitsandbytes' MatMul8bitLt keeps its input on the context object, out of the reach of saved-tensor hooks, so
    # non-reentrant checkpointing releases none of it; the four tensors that linear layers read
    reads = h + arch.query + h + arch.intermediate
    stuck = size.lifted * reads if run.quantisation == "int8" else 0.0
    first = norm if arch.family != "exaone4" else 0.0
    return Layer(blocks, res, stuck, first)


def _norm(arch: Architecture, width: int, groups: int = 1) -> tuple[float, float]:
    """Saved and backward bytes of a norm over `width` elements in `groups` vectors."""
    if arch.layer_norm:
        # native_layer_norm saves its fp32 input, mean and reciprocal deviation; backward: fp32 in, fp32 out
        return 4 * width + 8 * groups, 8 * width
    # pow and mul save the fp32 input, rsqrt its result; backward holds five fp32 copies at its worst
    return 4 * width + 4 * groups, 20 * width


def _adapters(arch: Architecture, run: PlanInput, size: _Sizes, reads: str) -> tuple[float, float]:
    """Saved and backward bytes of the adapters that read one tensor."""
    targets = [t for t in arch.targets(run.target_modules) if t.reads == reads]
    if not targets:
        return 0.0, 0.0
    c, width = size.c, targets[0].inputs
    saved = float(c * run.lora_rank * len(targets))
    lifted_input = arch.layer_norm and run.autocast and (reads in ("attention", "mlp") or size.lifted == 4)
    lifted_input = lifted_input and reads != "heads"  # attention's output is fp16 again
    if run.lora_dropout:
        saved += len(targets) * (c + 1) * width  # the dropped-out input and its mask
    elif size.copies or lifted_input:
        saved += len(targets) * c * width
    elif reads != "heads":  # attention has saved its own output already
        saved += c * width
    # B's output gradient scaled, A's input gradient in fp32 and half
    back = c * max(t.outputs for t in targets) + (4 + c) * width if size.copies else 2 * c * width
    return saved, float(back)


def _attention(arch: Architecture, run: PlanInput, size: _Sizes) -> tuple[float, float]:
    """Saved and backward bytes of scaled dot-product attention, rotary embedding included."""
    c, q, k, length = size.c, arch.query, arch.key, run.row_length
    row = arch.heads * length  # attention weights of a token
    if run.attention == "sdpa-math":
        # half inputs are raised to fp32: query, key, value (heads repeated) and the softmax's result are saved; dropout
        # on the weights (GPT-2) adds its result and its mask, which leave as the softmax's gradients arrive
        fused = c * (q + 2 * k) if arch.layer_norm and c == 4 else 0
        dropped = arch.family == "gpt2" and arch.dropout > 0
        return 12 * q + row * (9 if dropped else 4) + fused, row * (4 if dropped else 8) + 12 * q
    keys = k if run.attention == "flash" else q  # below compute capability 8 heads are repeated before the kernel
    saved = float(c * (q + 2 * keys) + c * q + 4 * arch.heads)  # query, key, value, output, log-sum-exp
    if arch.family == "gpt_neox" and size.lifted == c:
        saved += c * 2 * q  # value is a view: the fused projection's whole output stays
    if run.masked and run.attention == "sdpa-mem-efficient":
        saved += c * length  # the boolean mask made additive at every call: (batch, 1, L, L), heads share it
    # gradients of output, query, key and value, and the kernel's fp32 accumulator for the query's
    return saved, float(4 * c * q + 4 * q)


def _activation(arch: Architecture, size: _Sizes) -> tuple[float, float]:
    """Saved and backward bytes of the MLP's non-linearity."""
    c, i, given = size.c, arch.intermediate, size.lifted
    if not arch.layer_norm:
        # silu saves the gate, the product saves silu's result and the other factor; backward: three gradients
        return 3 * c * i, 3 * c * i
    if arch.activation == "gelu_new":
        # 0.5 x (1 + tanh(.. (x + 0.044715 x^3))): pow is on autocast's fp32 list and lifts what follows. Saved: x for
        # pow (a copy unless it is fp32), tanh's result, and both factors of the product
        return (4 + 4 + 4 + given) * i, 12 * i
    return given * i, 2 * given * i
