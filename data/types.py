"""The types every part shares.

A `QAGroup` is the unit of everything: of indexing, of splitting, of citing. A `Hit` is a group found for one
question; its score lives on the hit, never on the group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class QAGroup:
    """Paraphrases of one question with several reference answers.

    Attributes:
        id: Unique within a knowledge base.
        questions: At least one wording of the question, NFC-normalised.
        answers: At least one reference answer, NFC-normalised.
        category: Free text, empty when unknown.
        source: Where the group comes from, for example a file name.
    """

    id: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    category: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One group found for one question.

    Attributes:
        group: The group found.
        question: The stored wording that matched best.
        answer: The reference answer shown as the example (see `index.examples`).
        score: Cosine of the question's and `question`'s embeddings, in [-1, 1], larger is nearer.
        rank: Position in the result, from 1. Ranks follow the fused score, so cosines need not fall monotonically.
        behind: How far it ranks behind the best hit of its question; within 1 lie nearly all groups that answer
            (`index.fusion.reach_of`). 0 where nothing ranks, as for an example put there by hand.
        nearest: Largest cosine of any stored question with the one asked, the same for all hits of a search; None where
            nothing was searched. The nearest question's group may rank below the hits.
    """

    group: QAGroup
    question: str
    answer: str
    score: float
    rank: int
    behind: float = 0.0
    nearest: float | None = None


def nearest_cosine(hits: Sequence[Hit]) -> float:
    """Returns the largest cosine of any stored question with the one asked, as far as its hits tell; -1 for no hits.

    By it, and not by what ranks best, is decided whether the base knows what is asked at all.
    """
    return max((hit.score if hit.nearest is None else hit.nearest for hit in hits), default=-1.0)


class Message(NamedTuple):
    """One chat message: who says it and what is said."""

    role: Role
    content: str
