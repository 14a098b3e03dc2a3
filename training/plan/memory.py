"""Predicted peak of `torch.cuda.max_memory_allocated` for one run, by part.

A step's peak is what stays (weights, adapter, gradients, optimiser states) plus the larger of two moments: the
vocabulary projection, when every layer's activations are saved, and the backward pass of the last layer, when they
still are. The CUDA context (some 0.1 to 0.4 GiB) is outside torch's allocator and outside this number.
Optimiser states are counted from the second step on, when they exist during the backward pass.
"""

from dataclasses import dataclass

from training.plan.activations import Layer, layer
from training.plan.architectures import Architecture, architecture
from training.plan.inputs import DTYPE_BYTES, GIB, PlanInput

# Bytes a quantised weight: half a byte, and absolute maxima for each 64: 4 bytes, or double-quantised 1 byte and
# 4 more for each 256 of them (bitsandbytes `quantize_4bit`, blocksize 64; `compress_statistics`, blocksize 256).
NF4_BYTES = 0.5 + 4 / 64
NF4_DOUBLE_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
# TRL `kernels/chunked_logprob.py`: logits exist one (4096 tokens, 32768 words) tile at a time
LOGIT_TOKENS, LOGIT_WORDS = 4096, 32768
# `CUBLAS_WORKSPACE_CONFIG` below Hopper, :4096:2:16:8 in KiB (32 MiB on Hopper); it comes from torch's allocator
CUBLAS_BYTES = (4096 * 2 + 16 * 8) * 1024
# The allocator hands out blocks of 512 bytes and leaves up to 1 MiB of a large block unsplit
# (`CUDACachingAllocator.cpp`, kLargeBuffer); as a share of what comes and goes
SLACK = 0.02


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the prediction: a name, its bytes, and what they are."""

    name: str
    size: float
    note: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """Peak memory of a run on one device.

    Attributes:
        parts: Its parts; they add up to the peak.
    """

    parts: tuple[Part, ...]

    @property
    def total(self) -> float:
        """Bytes."""
        return sum(part.size for part in self.parts)

    @property
    def total_gib(self) -> float:
        """GiB."""
        return self.total / GIB


def adapter_parameters(arch: Architecture, run: PlanInput) -> int:
    """Trained elements: r (inputs + outputs) for every adapted layer."""
    return arch.layers * sum(run.lora_rank * (t.inputs + t.outputs) for t in arch.targets(run.target_modules))


def predict(run: PlanInput, arch: Architecture | None = None) -> Prediction:
    """The peak memory of a run.

    Args:
        run: The run.
        arch: The model's dimensions; looked up by name when not given.

    Returns:
        Bytes by part.

    Raises:
        InputError: The model is unknown here, or has no such target module.
    """
    arch = arch or architecture(run.model, run.revision)
    trained = adapter_parameters(arch, run)
    element = DTYPE_BYTES[run.adapter_dtype]
    parts = [*_weights(arch, run), Part("adapter", trained * element, f"{trained:,} parameters, {run.adapter_dtype}")]
    parts.append(Part("gradients", trained * element, "of the adapter"))
    if run.world_size > 1:
        parts.append(Part("ddp buckets", trained * element, "gradients once more, to be reduced"))
    parts.append(Part("optimiser", *_optimiser(arch, run)))
    parts += _moving(arch, run, layer(arch, run))
    parts.append(Part("cublas workspace", CUBLAS_BYTES, "8.1 MiB below compute capability 9"))
    return Prediction(tuple(parts))


def _weights(arch: Architecture, run: PlanInput) -> list[Part]:
    """Frozen weights: bitsandbytes leaves embeddings, vocabulary projection, norms and biases as they were loaded."""
    count = arch.linear_parameters
    rows = arch.layers * sum(linear.outputs for linear in arch.linears())
    size, kind = {
        "none": (float(count * run.compute_bytes), run.compute_dtype),
        "nf4": (count * NF4_BYTES, "NF4"),
        "nf4-double": (count * NF4_DOUBLE_BYTES, "NF4, double quantisation"),
        "int8": (count + 4.0 * rows, "int8 and a scale a row"),
    }[run.quantisation]
    small = arch.norm_parameters + arch.bias_parameters
    return [
        Part("linear weights", size, f"{count:,} parameters, {kind}"),
        Part("embeddings", arch.embedding_parameters * run.compute_bytes, "tied" if arch.tied else "and lm_head"),
        Part("norms and biases", small * run.compute_bytes, f"{small:,} parameters"),
    ]


def _optimiser(arch: Architecture, run: PlanInput) -> tuple[float, str]:
    """Two moments a parameter. bitsandbytes keeps tensors below 4,096 elements in fp32 and pages those from 1e5 on."""
    element = DTYPE_BYTES[run.adapter_dtype]
    total = 0.0
    for target in arch.targets(run.target_modules):
        for count in (run.lora_rank * target.inputs, run.lora_rank * target.outputs):
            if run.optimiser == "adamw":
                total += 2 * element * count
            elif count < 4096:
                total += 8 * count
            else:
                paged = run.optimiser == "paged_adamw_8bit" and count >= 100_000
                total += 2 * 4 * count / 256 + (0 if paged else 2 * count)
    return total * arch.layers, f"two moments, {run.optimiser}"


def _moving(arch: Architecture, run: PlanInput, needs: Layer) -> list[Part]:
    """Activations at the peak, and what the moment of the peak adds to them."""
    tokens, c = run.tokens, run.compute_bytes
    first = 0.0 if run.gradient_checkpointing else needs.first_saves_less
    if run.gradient_checkpointing:
        kept = arch.layers * (needs.residual + needs.stuck) * tokens
        note = "inputs of the layers, which are recomputed"
    else:
        kept = (arch.layers * needs.saved - first) * tokens
        note = f"{arch.layers} layers, {needs.saved / 1024:.1f} KiB a token each"
    labelled = max(1, round(tokens * run.label_share))
    final, head = _head(arch, run, labelled)
    dequantise = 2.0 if run.quantisation in ("nf4", "nf4-double", "int8") else 0.0
    last = needs.backward_peak(tokens, dequantise)
    last -= 0.0 if run.gradient_checkpointing else needs.saved * tokens
    largest = max(linear.weights for linear in arch.linears()) * dequantise
    at_head = final + head
    parts = [Part("activations", kept, note)]
    if at_head >= last:
        parts.append(Part("logits and loss", at_head, f"{labelled:,} labelled positions, one tile at a time"))
    else:
        recomputed = needs.saved * tokens if run.gradient_checkpointing else 0.0
        if recomputed:
            parts.append(Part("recomputed layer", recomputed, f"{needs.saved / 1024:.1f} KiB a token"))
        unpacked = min(largest, last - recomputed)
        if unpacked > 0:
            parts.append(Part("dequantised matrix", unpacked, "the largest linear layer, in fp16"))
        parts.append(Part("backward", last - recomputed - unpacked, "gradients of one layer's activations"))
    shared = 8 * 3 * tokens + 2 * c * arch.head_dim * run.row_length
    if run.masked:
        shared += tokens * run.row_length
    parts.append(Part("inputs and mask", shared, "ids, labels, rotary tables" + (", mask" if run.masked else "")))
    moving = sum(part.size for part in parts)
    parts.append(Part("allocator slack", SLACK * moving, "rounding and unsplit blocks"))
    return parts


def _head(arch: Architecture, run: PlanInput, labelled: int) -> tuple[float, float]:
    """Bytes saved by the final norm and the loss, and bytes of their working buffers."""
    tile = min(labelled, LOGIT_TOKENS) * LOGIT_WORDS * run.compute_bytes
    element = 4 if arch.layer_norm else run.compute_bytes  # of the final norm's output
    rows = labelled * arch.hidden
    saved = (4 * arch.hidden + 8) * run.tokens + element * rows + 16 * labelled
    recast = run.compute_bytes * rows if element != run.compute_bytes else 0
    # forward: the norm's output, still whole; backward: the fp32 gradient of the labelled rows
    return saved, tile + recast + max(element * arch.hidden * run.tokens, 4 * rows) + 28 * labelled
