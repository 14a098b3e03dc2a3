"""Loads the base model for training and puts the adapter on it: devices, number formats, quantisation.

Formats follow the GPU's compute capability: bfloat16 from 8.0 (Ampere), float16 below; on the CPU bfloat16
where it computes in that itself, else float32.
"""

import os
import resource
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data import tokenizer_files
from data.errors import AdapterMismatchError, InputError, ModelNotFoundError, one_line
from data.hub import snapshot_commit
from data.model_files import sampled_digest
from training.config import PrecisionSettings, TrainConfig
from training.targets import ALL_LINEAR, adapted_layers, check_targets

CARD = "dobae_adapter.json"
"""What an adapter was trained for; inference refuses one that does not fit."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where and in which formats a run computes.

    Attributes:
        device: "cpu" or "cuda:N".
        capability: Compute capability of the GPU; None on the CPU.
        weights: "float32", "float16" or "bfloat16": the base weights, or what nf4 and int8 are unpacked to.
        compute: The same three: the arithmetic; differs from float32 by autocast.
    """

    device: str
    capability: tuple[int, int] | None
    weights: str
    compute: str

    @property
    def cuda(self) -> bool:
        """Says whether a GPU is used."""
        return self.device != "cpu"


def peak_memory(*, cuda: bool) -> int:
    """Returns the most bytes that this process has held, of the GPU or of the machine."""
    if cuda:
        import torch

        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def without_known_warnings() -> Iterator[None]:
    """Keeps a warning from the user that only the libraries' authors can act on."""
    with warnings.catch_warnings():
        # PEFT 0.21 asks transformers 5.23 for a name that became deprecated.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        yield


def choose_hardware(config: TrainConfig) -> Hardware:
    """Chooses device and formats.

    Raises:
        InputError: There is no GPU, several are visible to one process, or GPU or CPU cannot compute in the format.
    """
    import torch

    wanted = config.precision
    cuda = torch.cuda.is_available() if wanted.device == "auto" else wanted.device == "cuda"
    if not cuda:
        return _on_cpu(wanted)
    if not torch.cuda.is_available():
        raise InputError('precision.device is "cuda" and there is no CUDA GPU here; set it to "auto" or "cpu"')
    count = torch.cuda.device_count()
    if count > 1 and "LOCAL_RANK" not in os.environ:
        raise InputError(
            f"{count} GPUs are visible to one process; run `accelerate launch --num_processes {count} "
            f"-m ui.cli.main train {config.name}`, or set CUDA_VISIBLE_DEVICES=0"
        )
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    capability = torch.cuda.get_device_capability(rank)
    weights, compute = _formats(wanted, "bfloat16" if capability >= (8, 0) else "float16")
    if capability < (8, 0) and "bfloat16" in (weights, compute):
        raise InputError(f"this GPU (compute capability {capability[0]}.{capability[1]}) has no bfloat16; use float16")
    return Hardware(f"cuda:{rank}", capability, weights, compute)


def _formats(wanted: PrecisionSettings, best: str) -> tuple[str, str]:
    """Returns the formats of weights and arithmetic; "auto" weights are `best`, "auto" arithmetic is the weights'."""
    weights = best if wanted.weights == "auto" else wanted.weights
    return weights, weights if wanted.compute == "auto" else wanted.compute


def _on_cpu(wanted: PrecisionSettings) -> Hardware:
    has_bfloat16 = cpu_has_bfloat16()
    weights, compute = _formats(wanted, "bfloat16" if has_bfloat16 else "float32")
    if "float16" in (weights, compute):
        raise InputError('precision float16 needs a GPU; use "auto" or "float32" on the CPU')
    if "bfloat16" in (weights, compute) and not has_bfloat16:
        raise InputError(
            "this CPU does not compute in bfloat16 itself, and imitating that takes many times as long; "
            'set precision.weights and precision.compute to "auto" or "float32"'
        )
    return Hardware("cpu", None, weights, compute)


def cpu_has_bfloat16() -> bool:
    """Says whether this CPU multiplies bfloat16 matrices itself."""
    import torch

    if capabilities := getattr(torch.cpu, "get_capabilities", None):  # not in the oldest torch that is supported
        found = capabilities()
        return any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())  # noqa: SLF001


def without_gqa_below_ampere(hardware: Hardware) -> bool:
    """Turns off `enable_gqa` in SDPA below compute capability 8.0, and says whether it did.

    Turing has no flash kernel, and `enable_gqa` rules out the memory-efficient one: what is left is the MATH kernel,
    whose memory is quadratic in the length (transformers/integrations/sdpa_attention.py).
    """
    if hardware.capability is None or hardware.capability >= (8, 0):
        return False
    from transformers.integrations import sdpa_attention

    sdpa_attention.use_gqa_in_sdpa = lambda *_args, **_kwargs: False
    return True


def load_tokenizer(folder: Path) -> Any:
    """Loads the tokenizer of a model folder, with a padding token.

    Raises:
        ModelNotFoundError: There is none that can be read.
    """
    tokenizer = tokenizer_files.load_tokenizer(folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(config: TrainConfig, folder: Path, hardware: Hardware) -> Any:
    """Loads the base model, quantised when the run says so.

    Raises:
        ModelNotFoundError: It cannot be loaded.
        InputError: bitsandbytes is missing.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = getattr(torch, hardware.weights)
    options: dict[str, Any] = {}
    quantization = config.precision.quantization
    if quantization == "nf4":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=config.precision.double_quant,
            bnb_4bit_compute_dtype=getattr(torch, hardware.compute),
        )
    elif quantization == "int8":
        options["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": hardware.device},
            attn_implementation=config.model.attention,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            **options,
        )
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"{config.model.base} does not fit into the memory of {hardware.device}; "
            f"see `dobae train plan {config.name}`"
        ) from error
    except ImportError as error:
        raise InputError(f"{config.model.base} cannot be loaded: {one_line(error)}") from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelNotFoundError(f"cannot load {config.model.base} from {folder}: {one_line(error)}") from error


def with_adapter(model: Any, config: TrainConfig, base: Path) -> Any:
    """Puts a new LoRA adapter on the model, which was loaded from the folder `base`, or goes on with an old one.

    Raises:
        InputError: No layer has such a name, or the old adapter cannot be read.
        AdapterMismatchError: The old adapter was trained for another base.
    """
    from peft import LoraConfig, get_peft_model

    settings = config.adapter
    try:
        if settings.start_from:
            folder = Path(settings.start_from).expanduser()
            check_card(folder, config.model.base, model, base)
            check_shape(folder, config, model)
            return load_adapter(model, folder, is_trainable=True)
        check_targets(model, settings.targets)
        targets = "all-linear" if settings.targets == ALL_LINEAR else list(settings.targets)
        peft_config = LoraConfig(
            task_type="CAUSAL_LM",
            target_modules=targets,
            r=settings.r,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            # GPT-2's Conv1D keeps its weight transposed; quantised, it is a linear layer like any other.
            fan_in_fan_out=model.config.model_type == "gpt2" and config.precision.quantization == "none",
        )
        return get_peft_model(model, peft_config)
    except (ValueError, OSError, RuntimeError) as error:
        raise InputError(f"the adapter does not fit {config.model.base}: {one_line(error)}") from error


def read_card(folder: Path) -> dict[str, Any]:
    """Reads what an adapter of `dobae train` says of itself.

    Raises:
        InputError: There is no adapter, or it says nothing.
    """
    import json

    if not (folder / "adapter_config.json").is_file():
        raise InputError(f"no adapter in {folder}: adapter_config.json is missing")
    if not (folder / CARD).is_file():
        raise InputError(f"the adapter in {folder} does not say which base it is for: {CARD} is missing")
    try:
        return dict(json.loads((folder / CARD).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / CARD} cannot be read ({error})") from error


def check_card(folder: Path, name: str, model: Any, base: Path) -> None:
    """Compares an adapter's card with the base it is to be put on: its name, vocabulary and, where known, commit.

    Raises:
        InputError: There is no adapter.
        AdapterMismatchError: It is for another base.
    """
    card = read_card(folder)
    rows = int(model.get_input_embeddings().weight.shape[0])
    if card.get("base_model") != name or card.get("base_vocab_size") != rows:
        raise AdapterMismatchError(
            f"the adapter in {folder} was trained for {card.get('base_model')} with a vocabulary of "
            f"{card.get('base_vocab_size')}; {name} has {rows}"
        )
    wanted, commit = card.get("base_revision"), snapshot_commit(base)
    if wanted and commit and wanted != commit:
        raise AdapterMismatchError(
            f"the adapter in {folder} was trained on revision {wanted} of {name}; this is revision {commit}: "
            "set model.revision"
        )
    if (digest := card.get("base_digest")) and digest != sampled_digest(base):
        raise AdapterMismatchError(f"the adapter in {folder} was trained on other weights than those in {base}")


def load_adapter(model: Any, folder: Path, **options: Any) -> Any:
    """Puts the adapter of a folder on a model.

    Args:
        model: The base model.
        folder: The adapter's.
        **options: Of `PeftModel.from_pretrained`.

    Raises:
        InputError: Its files are damaged, or do not fit the model.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        return PeftModel.from_pretrained(model, folder, use_safetensors=True, **options)
    except (SafetensorError, RuntimeError, ValueError, TypeError, KeyError, OSError) as error:
        raise InputError(f"the adapter in {folder} is damaged, or does not fit its base: {one_line(error)}") from error


def check_shape(folder: Path, config: TrainConfig, model: Any) -> None:
    """Compares an adapter with the settings of the run on `model` that goes on from it and cannot change its shape.

    Raises:
        InputError: They differ; all differences in one line.
    """
    from peft import PeftConfig

    old, new = PeftConfig.from_pretrained(str(folder)), config.adapter
    wanted = {"r": ("r", new.r), "alpha": ("lora_alpha", new.alpha), "dropout": ("lora_dropout", new.dropout)}
    problems = [
        f"adapter.{name} is {value}, the adapter has {getattr(old, key)}"
        for name, (key, value) in wanted.items()
        if getattr(old, key) != value
    ]
    targets = set(old.target_modules or ())
    if adapted_layers(model, targets) != adapted_layers(model, new.targets):
        problems.append(f"adapter.targets is {', '.join(new.targets)}, the adapter has {', '.join(sorted(targets))}")
    if problems:
        raise InputError(f"adapter.start_from {folder} has another shape: {'; '.join(problems)}")


def trainable_to_float32(model: Any) -> int:
    """Casts what is trained to float32, and returns how many tensors that changed.

    TRL casts the adapter of a quantised base to bfloat16, whose gradients CUDA's gradient scaler cannot unscale.
    """
    import torch

    changed = 0
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dtype != torch.float32:
            parameter.data = parameter.data.to(torch.float32)
            changed += 1
    return changed
