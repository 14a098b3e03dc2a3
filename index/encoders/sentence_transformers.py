"""Any `sentence-transformers` model, by name or local path."""

from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import ModelNotFoundError, one_line
from data.hub import hub_answers
from index.encoders.base import EncoderSettings, Vectors

FAMILY_PROMPTS = {"e5": ("query: ", "passage: ")}
"""Prefixes of model families whose published configuration does not carry them."""


class SentenceTransformersEncoder:
    """A `sentence-transformers` model with its own prompts, or those given in the settings."""

    def __init__(self, settings: EncoderSettings) -> None:
        model = _load(settings)
        dim = model.get_embedding_dimension()
        if dim is None:
            raise ModelNotFoundError(f"encoder {settings.spec}: the model does not say its dimension")
        self._model = model
        self._batch_size = settings.batch_size
        # A path is stored whole, so that the base is found from any working directory.
        self.spec = str(Path(settings.spec).resolve()) if Path(settings.spec).is_dir() else settings.spec
        self.dim: int = dim
        self._query_prompt, self._passage_prompt = _prompts(model, settings)
        self.fingerprint = self._identity()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encodes questions with the query prompt; float32, shape `(len(texts), dim)`."""
        return self._encode(texts, self._query_prompt)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encodes passages with the passage prompt; float32, shape `(len(texts), dim)`."""
        return self._encode(texts, self._passage_prompt)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        vectors = self._model.encode(
            list(texts),
            batch_size=self._batch_size,
            prompt=prompt,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def _identity(self) -> str:
        """Digests the weights' names, shapes and a sample of their values: two models of one name differ here."""
        digest = sha256(f"{self._query_prompt}\x1f{self._passage_prompt}\x1f{self._model.max_seq_length}".encode())
        for name, tensor in sorted(self._model.state_dict().items()):
            flat = tensor.detach().flatten()
            sample = flat[:: max(1, flat.numel() // 64)][:64].float().cpu().numpy()
            digest.update(f"{name}{tuple(tensor.shape)}".encode())
            digest.update(sample.tobytes())
        name = Path(self.spec).name
        return f"sentence-transformers-{version('sentence-transformers')}-{name}-{digest.hexdigest()[:16]}"


def _load(settings: EncoderSettings) -> Any:
    from sentence_transformers import SentenceTransformer

    path = Path(settings.spec)
    if path.is_dir() and not any(path.rglob("*.safetensors")) and any(path.rglob("*.bin")):
        raise ModelNotFoundError(f"encoder {path}: holds pickled weights (*.bin); convert them to safetensors first")
    local_only = path.exists() or not hub_answers(settings.spec)
    try:
        return SentenceTransformer(
            settings.spec,
            device=settings.device,
            local_files_only=local_only,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # the library and those below it raise what they like
        if path.is_dir():
            raise ModelNotFoundError(f"encoder {path}: cannot be loaded ({one_line(error)})") from error
        raise ModelNotFoundError(
            f"encoder {settings.spec!r} cannot be loaded from the local cache or the network ({one_line(error)}); "
            "give the path of a downloaded sentence-transformers model"
        ) from error


def _prompts(model: Any, settings: EncoderSettings) -> tuple[str, str]:
    own: dict[str, str] = dict(model.prompts or {})
    family = next((prompts for name, prompts in FAMILY_PROMPTS.items() if _is_family(name, settings.spec)), ("", ""))
    query = settings.query_prompt if settings.query_prompt is not None else own.get("query") or family[0]
    passage = (
        settings.passage_prompt
        if settings.passage_prompt is not None
        else own.get("passage") or own.get("document") or family[1]
    )
    return query, passage


def _is_family(name: str, spec: str) -> bool:
    return name in Path(spec).name.casefold().replace("_", "-").split("-")
