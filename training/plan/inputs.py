"""The question put to the planner: one fine-tuning run, in the terms that decide its memory."""

from dataclasses import dataclass

from data.errors import InputError

QUANTISATIONS = ("none", "nf4", "nf4-double", "int8")
DTYPE_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}
OPTIMISERS = ("adamw", "adamw_8bit", "paged_adamw_8bit")
ATTENTIONS = ("sdpa-mem-efficient", "sdpa-math", "flash")
GIB = 2**30


@dataclass(frozen=True, slots=True)
class PlanInput:
    """One run of LoRA fine-tuning.

    Attributes:
        model: Hub id, or a directory that holds a `config.json`.
        quantisation: Of the frozen linear layers: "none", "nf4", "nf4-double" or "int8".
        compute_dtype: Of the frozen weights and the activations; with half types the forward pass runs under autocast.
        adapter_dtype: Of the trained weights, their gradients and (unquantised) optimiser states.
        lora_rank: Rank of the adapter.
        target_modules: Names of the adapted linear layers, or `("all-linear",)`.
        lora_dropout: Dropout before the adapter, in [0, 1).
        micro_batch: Sequences a device holds at once.
        max_length: Tokens a sequence; the prediction is for full sequences, since the longest batch decides.
        packing: Whether sequences are packed; a packed batch always carries a block-diagonal mask.
        gradient_checkpointing: Whether each decoder layer is recomputed in the backward pass.
        optimiser: "adamw", "adamw_8bit" or "paged_adamw_8bit".
        label_share: Share of positions that carry a label, in (0, 1]: only these meet the vocabulary projection.
        attention: The kernel: "sdpa-mem-efficient" (a T4's best), "sdpa-math" (quadratic) or "flash".
        world_size: Devices; each holds everything (data parallel).
        budget_gib: Usable memory of one device, in GiB.
        revision: Revision of a hub id whose cached `config.json` is read; empty for the main branch.
    """

    model: str
    quantisation: str = "none"
    compute_dtype: str = "float16"
    adapter_dtype: str = "float32"
    lora_rank: int = 16
    target_modules: tuple[str, ...] = ("q_proj",)
    lora_dropout: float = 0.0
    micro_batch: int = 1
    max_length: int = 1024
    packing: bool = False
    gradient_checkpointing: bool = True
    optimiser: str = "adamw"
    label_share: float = 1.0
    attention: str = "sdpa-mem-efficient"
    world_size: int = 1
    budget_gib: float = 15.0
    revision: str = ""

    def __post_init__(self) -> None:
        """Refuses what cannot be planned, all problems at once.

        Raises:
            InputError: A value is out of its range, or a name is unknown.
        """
        problems = [
            f"{name} is {value!r}, choose one of {', '.join(allowed)}"
            for name, value, allowed in (
                ("quantisation", self.quantisation, QUANTISATIONS),
                ("compute_dtype", self.compute_dtype, tuple(DTYPE_BYTES)),
                ("adapter_dtype", self.adapter_dtype, tuple(DTYPE_BYTES)),
                ("optimiser", self.optimiser, OPTIMISERS),
                ("attention", self.attention, ATTENTIONS),
            )
            if value not in allowed
        ]
        problems += [
            f"{name} is {value}, it must be at least 1"
            for name, value in (
                ("lora_rank", self.lora_rank),
                ("micro_batch", self.micro_batch),
                ("max_length", self.max_length),
                ("world_size", self.world_size),
            )
            if value < 1
        ]
        if not 0 < self.label_share <= 1:
            problems.append(f"label_share is {self.label_share}, it must lie in (0, 1]")
        if not 0 <= self.lora_dropout < 1:
            problems.append(f"lora_dropout is {self.lora_dropout}, it must lie in [0, 1)")
        if not self.budget_gib > 0:
            problems.append(f"budget_gib is {self.budget_gib}, it must be above 0")
        if not self.target_modules:
            problems.append("target_modules is empty")
        if problems:
            raise InputError(f"cannot plan: {'; '.join(problems)}")

    @property
    def tokens(self) -> int:
        """Tokens of one micro-batch."""
        return self.micro_batch * self.max_length

    @property
    def row_length(self) -> int:
        """Tokens of a row that attention sees: TRL's `bfd` packing flattens a micro-batch into one row."""
        return self.tokens if self.packing else self.max_length

    @property
    def autocast(self) -> bool:
        """Whether the forward pass runs under autocast, as `Trainer` does for fp16 and bf16."""
        return self.compute_dtype != "float32"

    @property
    def compute_bytes(self) -> int:
        """Bytes of one activation element."""
        return DTYPE_BYTES[self.compute_dtype]

    @property
    def masked(self) -> bool:
        """Whether attention gets an explicit mask: packing builds one, and so does padding in a batch of several."""
        return self.packing or self.micro_batch > 1
