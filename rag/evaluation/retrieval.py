"""A retriever that ranks as an arm says: as shipped, by one signal alone, by an oracle, or by chance."""

import random
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np

from data.types import Hit
from index.encoders.base import Vectors
from index.fusion import FusionWeights, Ranked, reach_of
from index.knowledge_base import KnowledgeBase
from index.question_space import space_of
from index.retriever import Retriever, RetrieverSettings
from index.vectors import cosines_of
from rag.confidence import confidence
from rag.evaluation.config import ArmSettings
from rag.pipeline import fitting_hits

DEPTH = 10
"""Groups kept of a ranking; the retrieval metrics look no deeper."""

_WORDS_ALONE = 1e4
"""Factor on the lexical weights by which words decide, and the cosine only between equals."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What one part of a question found, to `DEPTH`.

    Attributes:
        group_ids: Best first.
        scores: Their cosines.
        confidence: Of an answer from the examples shown, whatever order they are shown in; None where there are none.
    """

    group_ids: tuple[str, ...]
    scores: tuple[float, ...]
    confidence: float | None


class ArmRetriever(Retriever):
    """Searches for one arm, and remembers each ranking deeper than the examples it hands out.

    Attributes:
        rankings: One a search since the last `begin`.
    """

    def __init__(self, base: KnowledgeBase, arm: ArmSettings, group_numbers: dict[str, int]) -> None:
        """Prepares the searches of one arm in one base.

        Args:
            base: The base.
            arm: How to rank, order and show.
            group_numbers: Position of each group of the base by its id.
        """
        weights = None
        if arm.retrieval == "lexical":
            shipped = base.manifest.weights
            weights = FusionWeights(*(weight * _WORDS_ALONE for weight in astuple(shipped)))
        dense = arm.retrieval == "dense"
        reach = reach_of(space_of(base.manifest.fingerprint)) * _WORDS_ALONE if weights else None
        settings = RetrieverSettings(arm.k, arm.example, not dense, weights, not dense, reach)
        super().__init__(base, settings)
        self.rankings: list[Ranking] = []
        self._arm = arm
        self._depth = max(DEPTH, arm.k)
        self._numbers = group_numbers
        self._targets: tuple[str, ...] = ()
        self._removed: frozenset[str] = frozenset()
        self._searched = base
        self._chance = random.Random(0)  # noqa: S311 - reproducible draws, not secrets

    def begin(self, targets: Sequence[str], removed: Sequence[str], seed: str) -> None:
        """Forgets the last question.

        Args:
            targets: Groups that answer the next one, in the order of its parts, for the oracle.
            removed: Groups that are searched as if they had never been in the base.
            seed: Seed of what is drawn for it.
        """
        self.rankings = []
        self._targets = tuple(targets)
        self._removed = frozenset(removed)
        self._searched = self.base.without(self._numbers[name] for name in removed) if removed else self.base
        self._chance = random.Random(seed)  # noqa: S311 - reproducible draws, not secrets

    def hits_of_vectors(self, questions: Sequence[str], vectors: Vectors, top_k: int | None = None) -> list[list[Hit]]:
        """Searches with several vectors made earlier by `encode`, one a part of the question; one hit list a part.

        A part's own target is known where there are as many parts as targets; elsewhere an oracle shows every part all.
        """
        by_part = len(questions) == len(self._targets)
        return [
            self._searched_for(text, vector, top_k, self._targets[part : part + 1] if by_part else self._targets)
            for part, (text, vector) in enumerate(zip(questions, vectors, strict=True))
        ]

    def _searched_for(self, question: str, vector: Vectors, top_k: int | None, targets: tuple[str, ...]) -> list[Hit]:
        if self._arm.retrieval == "random":
            others = [number for name, number in self._numbers.items() if name not in self._removed]
            ranked = self._hits_of_groups(self._chance.sample(others, min(self._depth, len(others))), vector)
        else:
            ranked = self._hits(self._searched, question, vector, self._depth)
        if self._arm.retrieval == "oracle":
            right = self._hits_of_groups([self._numbers[name] for name in targets], vector)
            right.sort(key=lambda hit: -hit.score)
            ranked = [*right, *(hit for hit in ranked if hit.group.id not in targets)][: self._depth]
        best = ranked[:DEPTH]
        chosen = fitting_hits(tuple(ranked[: top_k or self._arm.k]))
        self.rankings.append(
            Ranking(
                tuple(hit.group.id for hit in best),
                tuple(round(hit.score, 6) for hit in best),
                confidence(question, chosen),
            )
        )
        return self._in_order(chosen)

    def _in_order(self, hits: Sequence[Hit]) -> list[Hit]:
        """Puts the examples in the arm's order; what would not fit was left out before, not after."""
        chosen = list(hits)
        if self._arm.order == "reversed":
            chosen.reverse()
        elif self._arm.order == "shuffled":
            self._chance.shuffle(chosen)
        return [replace(hit, rank=rank) for rank, hit in enumerate(chosen, 1)]

    def _hits_of_groups(self, numbers: Sequence[int], vector: Vectors) -> list[Hit]:
        base = self.base
        rows, cosines = [], []
        for number in numbers:
            positions = np.flatnonzero(base.group_of_row == number)
            found = cosines_of(base.vectors.rows(positions), vector)
            best = int(found.argmax())
            rows.append(int(positions[best]))
            cosines.append(float(found[best]))
        return self.hits_of_rows(base, Ranked(np.array(rows, dtype=np.int64), np.array(cosines, dtype=np.float32)))
