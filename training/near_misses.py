"""Asks every wording of a group of a knowledge base that does not hold it, and keeps what the retriever finds.

Round j builds a knowledge base without the j-th wording of each group that has several, and asks just those. So a
training question never finds itself word for word, as a reader's does not. Groups that nearly repeat the question are
left out: their answer would be right, and a row that called it wrong would teach refusing what can be answered.
"""

import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np

from data.types import Hit, QAGroup
from index.encoders.base import Encoder, Vectors

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """One wording of one group, and what the retriever shows for it.

    Attributes:
        group: The group that answers it.
        question: The wording asked; not in the searched text unless it is the group's only one.
        hits: Best first, the group itself always among them, near-duplicate groups never.
    """

    group: QAGroup
    question: str
    hits: tuple[Hit, ...]

    @property
    def own(self) -> Hit:
        """Returns the hit of the group itself."""
        return next(hit for hit in self.hits if hit.group.id == self.group.id)

    @property
    def near_misses(self) -> tuple[Hit, ...]:
        """Returns the other hits, best first."""
        return tuple(hit for hit in self.hits if hit.group.id != self.group.id)


class MemoEncoder:
    """Remembers every question it has encoded, since the rounds repeat nearly all of them."""

    def __init__(self, inner: Encoder) -> None:
        self._inner = inner
        self._known: dict[str, Vectors] = {}

    @property
    def spec(self) -> str:
        """Returns the inner encoder's name."""
        return self._inner.spec

    @property
    def dim(self) -> int:
        """Returns the length of a vector."""
        return self._inner.dim

    @property
    def fingerprint(self) -> str:
        """Returns the inner encoder's identity."""
        return self._inner.fingerprint

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encodes questions, each once; shape `(len(texts), dim)`."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._inner.encode_queries(new), strict=True))
        return np.stack([self._known[text] for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encodes passages with the inner encoder; shape `(len(texts), dim)`."""
        return self._inner.encode_passages(texts)


def ask_all(
    groups: Sequence[QAGroup],
    encoder: Encoder,
    *,
    depth: int,
    near_duplicate: float,
    only: Collection[str] | None = None,
    rounds: int | None = None,
    progress: Progress | None = None,
) -> list[Asked]:
    """Asks the wordings of groups, a round for each wording.

    Args:
        groups: All that is searched, with distinct ids.
        encoder: Encodes the questions; a `MemoEncoder` saves the rounds time.
        depth: Groups found for a question.
        near_duplicate: Cosine of any two wordings from which another group is left out of the hits.
        only: Ids of the groups asked; all if None.
        rounds: Wordings asked of a group at most; all if None.
        progress: Told (rounds done, rounds).

    Returns:
        One entry a wording, round by round, in the order of the groups.
    """
    from index.building import build_knowledge_base
    from index.knowledge_base import open_knowledge_base
    from index.retriever import Retriever

    most = max(len(group.questions) for group in groups)
    total = min(most, rounds or most)
    asked: list[Asked] = []
    with tempfile.TemporaryDirectory(prefix="dobae-near-misses-") as temp:
        for number in range(total):
            if progress:
                progress(number, total)
            chosen = [group for group in groups if number < len(group.questions) and (only is None or group.id in only)]
            if not chosen:
                continue
            searched = [_without(group, number) for group in groups]
            path = Path(temp) / f"round-{number}"
            build_knowledge_base(path, searched, encoder)
            base = open_knowledge_base(path, encoder)
            found = Retriever(base).search_many([group.questions[number] for group in chosen], top_k=depth)
            base.store.close()
            for group, hits in zip(chosen, found, strict=True):
                kept = _distinct(group, hits, encoder, near_duplicate)
                asked.append(Asked(group, group.questions[number], kept))
    return asked


def _without(group: QAGroup, number: int) -> QAGroup:
    left = tuple(text for position, text in enumerate(group.questions) if position != number)
    return replace(group, questions=left) if left else group


def _distinct(group: QAGroup, hits: Sequence[Hit], encoder: Encoder, near_duplicate: float) -> tuple[Hit, ...]:
    """Drops near-duplicate groups, and appends the group itself where the retriever missed it."""
    from index.examples import medoid

    own_vectors = encoder.encode_queries(group.questions)
    kept: list[Hit] = []
    for hit in hits:
        if hit.group.id != group.id:
            cosines = own_vectors @ encoder.encode_queries(hit.group.questions).T  # (own wordings, their wordings)
            if float(cosines.max()) >= near_duplicate:
                continue
        kept.append(replace(hit, rank=len(kept) + 1))
    if all(hit.group.id != group.id for hit in kept):
        answer = group.answers[medoid(group.answers)]
        kept.append(Hit(group, group.questions[0], answer, 0.0, len(kept) + 1, behind=inf))
    return tuple(kept)
