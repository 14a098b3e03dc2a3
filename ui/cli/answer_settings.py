"""What answers in a file depend on beside the question, so that a run is not continued with something else."""

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from data.prompts import prompt_digest
from index.knowledge_base import KnowledgeBase
from rag.generators.digests import LocalModel, adapter_digest, model_digest
from rag.pipeline import ANSWERING_VERSION, QAPipeline


def answer_settings(pipeline: QAPipeline) -> dict[str, Any]:
    """Returns what answers depend on as JSON values: base, retrieval, prompt and model, whose files are read whole.

    The base is known by its identity and by how it is searched, not by its groups, which may be edited while it serves.

    Raises:
        InputError: A file of the model or the adapter cannot be read.
    """
    retriever, model = pipeline.retriever, pipeline.generator
    settings: dict[str, Any] = {
        "base": _base(retriever.base) if retriever is not None else None,
        "encoder": retriever.base.encoder.fingerprint if retriever is not None else None,
        "example": retriever.settings.example if retriever is not None else None,
        **asdict(pipeline.settings),
        "prompt": prompt_digest(),
        "answering_version": ANSWERING_VERSION,
    }
    if isinstance(model, LocalModel):
        settings["model"] = model_digest(model.folder)
        settings["device"] = model.device
        settings["quotes"] = model.quotes
        settings["adapter"] = adapter_digest(model.adapter) if model.adapter else None
    return settings


def _base(base: KnowledgeBase) -> str:
    """Returns the identity of a base and a digest of its analyser, weights and thresholds."""
    searching = json.dumps(base.manifest.searching(), sort_keys=True)
    return f"{base.store.state().base}-{sha256(searching.encode()).hexdigest()[:8]}"
