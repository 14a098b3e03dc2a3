"""Finds the groups most similar to a question."""

from collections.abc import Sequence
from dataclasses import dataclass

from data.text import check_question, on_one_line
from data.types import Hit
from index.encoders.base import Vectors
from index.examples import ExampleChoice, example_answer
from index.fusion import FusionWeights, LexicalScores, Ranked, rank_groups, reach_of
from index.knowledge_base import KnowledgeBase
from index.korean import korean_analyzer
from index.live import LiveKnowledgeBase
from index.query_words import as_written, query_words
from index.question_space import QuestionSpace, space_of

DEFAULT_TOP_K = 3


@dataclass(frozen=True, slots=True)
class RetrieverSettings:
    """How to search.

    Attributes:
        top_k: Groups returned for a question.
        example: Which of a group's answers is shown.
        lexical: Fuse the lexical signals with the cosine; without, the encoder ranks alone.
        weights: Fusion weights in place of the base's own.
        reach: Difference of rank scores that counts as one in `Hit.behind`; that of the encoder's space if None.
        space: Rank by cosines in the encoder's question space, where it has one; without, by the encoder's own.
    """

    top_k: int = DEFAULT_TOP_K
    example: ExampleChoice = "medoid"
    lexical: bool = True
    weights: FusionWeights | None = None
    space: bool = True
    reach: float | None = None


class Retriever:
    """Searches one knowledge base. Hits are groups, never two of one; scores are cosines."""

    def __init__(self, base: KnowledgeBase | LiveKnowledgeBase, settings: RetrieverSettings | None = None) -> None:
        """Searches `base`, and follows what others write to it."""
        self._live = base if isinstance(base, LiveKnowledgeBase) else LiveKnowledgeBase(base)
        self.settings = settings or RetrieverSettings()
        self._analyzer = korean_analyzer()

    @property
    def base(self) -> KnowledgeBase:
        """Returns the base at its last revision."""
        return self._live.current()

    def search(self, question: str, top_k: int | None = None) -> list[Hit]:
        """Finds the groups most similar to one question.

        Args:
            question: One question, not a compound one.
            top_k: Groups wanted; the setting's if None.

        Returns:
            Hits, best first, ranks from 1; fewer than `top_k` when the base is smaller.

        Raises:
            QuestionError: The question is empty, too long or holds no letter.
            KnowledgeBaseError: The base is damaged.
        """
        text = on_one_line(check_question(question))
        return self._hits(self.base, text, self.encode([text])[0], top_k)

    def search_many(self, questions: Sequence[str], top_k: int | None = None) -> list[list[Hit]]:
        """Searches for several questions, encoding them in one batch; one hit list a question, in order."""
        texts = [on_one_line(check_question(question)) for question in questions]
        if not texts:
            return []
        return self.hits_of_vectors(texts, self.encode(texts), top_k)

    def encode(self, questions: Sequence[str]) -> Vectors:
        """Encodes questions as the base's own were, everyday words as written ones; shape `(len(questions), dim)`."""
        return self._live.encoder.encode_queries([as_written(question) for question in questions])

    def hits_of_vectors(self, questions: Sequence[str], vectors: Vectors, top_k: int | None = None) -> list[list[Hit]]:
        """Searches with several vectors made earlier by `encode`, all at one revision; one hit list a question."""
        base = self.base
        return [self._hits(base, text, vector, top_k) for text, vector in zip(questions, vectors, strict=True)]

    def _hits(self, base: KnowledgeBase, question: str, vector: Vectors, top_k: int | None) -> list[Hit]:
        lexical = None
        if self.settings.lexical:
            words = query_words(question, self._analyzer)
            lexical = LexicalScores(
                base.morphemes.scores(words.morphemes),
                base.spellings.scores(words.spellings),
                base.fragments.scores(words.fragments),
                base.heads.scores(words.heads),
            )
        ranked = rank_groups(
            vector,
            base.vectors,
            base.group_of_row,
            lexical,
            self.settings.weights or base.manifest.weights,
            top_k or self.settings.top_k,
            base.keys,
            self._space(base),
        )
        return self.hits_of_rows(base, ranked)

    def _space(self, base: KnowledgeBase) -> QuestionSpace | None:
        return space_of(base.manifest.fingerprint) if self.settings.space else None

    def hits_of_rows(self, base: KnowledgeBase, ranked: Ranked) -> list[Hit]:
        """Returns rows of `base`, one a group, as hits, in the order given."""
        found = base.rows(ranked.positions)
        reach = self.settings.reach or reach_of(self._space(base))
        behind = None if ranked.fused is None else (ranked.fused[:1] - ranked.fused) / reach
        return [
            Hit(
                group=stored.group,
                question=wording,
                answer=example_answer(stored.group.answers, stored.medoid, self.settings.example),
                score=max(-1.0, min(1.0, float(cosine))),
                rank=rank,
                behind=0.0 if behind is None else float(behind[rank - 1]),
                nearest=None if ranked.nearest is None else max(-1.0, min(1.0, ranked.nearest)),
            )
            for rank, ((stored, wording), cosine) in enumerate(zip(found, ranked.cosines, strict=True), 1)
        ]
