"""What answers in a file depend on beside the question, so that a run is not continued with something else."""

from dataclasses import asdict
from typing import Any

from data.prompts import prompt_digest
from rag.generators.digests import LocalModel, adapter_digest, model_digest
from rag.pipeline import ANSWERING_VERSION, QAPipeline


def answer_settings(pipeline: QAPipeline) -> dict[str, Any]:
    """Returns settings of retrieval, prompt and model as JSON values; the base's groups are not among them."""
    retriever, model = pipeline.retriever, pipeline.generator
    settings: dict[str, Any] = {
        "encoder": retriever.base.encoder.fingerprint if retriever is not None else None,
        "example": retriever.settings.example if retriever is not None else None,
        **asdict(pipeline.settings),
        "prompt": prompt_digest(),
        "answering_version": ANSWERING_VERSION,
    }
    if isinstance(model, LocalModel):
        settings["model"] = model_digest(model.folder)
        settings["device"] = model.device
        settings["adapter"] = adapter_digest(model.adapter) if model.adapter else None
    return settings
