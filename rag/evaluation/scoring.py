"""Scores of every answer: beside its references, of what was found for it, of its citations, of its length."""

from collections.abc import Iterable, Mapping, Sequence
from math import log2
from statistics import fmean

import numpy as np

from index.encoders.base import Progress, Vectors
from index.encoders.cache import EmbeddingCache
from rag.evaluation.answering import Asking
from rag.evaluation.citation_metrics import CitationCounts, count_citations
from rag.evaluation.journal import Record
from rag.evaluation.metric_encoders import MetricEncoder
from rag.evaluation.protocols import AskedQuestion
from rag.evaluation.text_metrics import chrf, distinct, longest_repeat, rouge_l

Scores = dict[str, float]
"""Score by metric; a metric that does not apply is absent."""

DrawnScores = dict[str, dict[str, list[Scores]]]
"""Scores by arm and question id, one for each seed the question was asked with."""

QUALITY = ("cosine", "rouge_l", "chrf")
RETRIEVAL = ("recall_1", "recall_3", "recall_5", "mrr", "ndcg_10")
CITATIONS = ("citation_recall", "citation_precision", "support", "invalid_markers")
TEXT = ("distinct_1", "distinct_2", "longest_repeat", "characters", "tokens", "answered")
METRICS = (*QUALITY, *RETRIEVAL, *CITATIONS, *TEXT)


class Scorer:
    """Scores answers, encoding every text once."""

    def __init__(self, metric: MetricEncoder, cache: EmbeddingCache) -> None:
        self.metric = metric
        self._cache = cache
        self._vectors: dict[str, Vectors] = {}

    def encode(self, texts: Iterable[str], progress: Progress | None = None) -> None:
        """Encodes texts ahead of scoring, in one go."""
        missing = [text for text in dict.fromkeys(texts) if text and text not in self._vectors]
        vectors = self._cache.encode_queries(self.metric.encoder, missing, progress)
        self._vectors.update(zip(missing, vectors, strict=True))

    def cosine(self, text: str, references: Sequence[str]) -> float:
        """Returns the mean cosine of a text with its references, each clipped at 0; 0 for no text."""
        if not text:
            return 0.0
        self.encode((text, *references))
        vector = self._vectors[text]
        return fmean(max(0.0, float(np.dot(vector, self._vectors[reference]))) for reference in references)

    def score(self, item: AskedQuestion, record: Record) -> Scores:
        """Scores one answer."""
        scores: Scores = {"answered": float(not record["abstained"])}
        text = record["text"]
        if item.references:
            scores["cosine"] = self.cosine(text, item.references)
            scores["rouge_l"] = rouge_l(text, item.references) if text else 0.0
            scores["chrf"] = chrf(text, item.references)
        if item.in_base and all(part["ranking"] is not None for part in record["parts"]):
            scores.update(_retrieval(item, record))
        if text:
            scores.update(_of_text(text))
            scores.update(_citations(record))
        scores["characters"] = float(len(text))
        if record["tokens"] is not None:
            scores["tokens"] = float(record["tokens"])
        return {name: round(value, 6) for name, value in scores.items()}


def score_all(
    askings: Sequence[Asking],
    answers: Mapping[str, Record],
    scorer: Scorer,
    *,
    encoding: Progress | None = None,
    progress: Progress | None = None,
) -> DrawnScores:
    """Scores everything.

    Args:
        askings: Everything that was asked.
        answers: Their records by key.
        scorer: Scores one answer.
        encoding: Told how many of the new texts are encoded.
        progress: Told how many answers are scored.

    Returns:
        Scores by arm, question id and seed, in the order asked.
    """
    texts = [answers[asking.key]["text"] for asking in askings if asking.item.references]
    references = [text for asking in askings for text in asking.item.references]
    scorer.encode([*references, *texts], encoding)
    drawn: DrawnScores = {}
    known: dict[tuple[str, str], Scores] = {}
    for done, asking in enumerate(askings, 1):
        key = (asking.key, asking.item.id)
        if key not in known:
            known[key] = scorer.score(asking.item, answers[asking.key])
        drawn.setdefault(asking.arm.settings.name, {}).setdefault(asking.item.id, []).append(known[key])
        if progress:
            progress(done, len(askings))
    return drawn


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """Returns the mean of each metric over the seeds that have it."""
    return {
        name: round(fmean(values), 6)
        for name in METRICS
        if (values := [score[name] for score in scores if name in score])
    }


def _of_text(text: str) -> Scores:
    scores = {"longest_repeat": float(longest_repeat(text))}
    for size in (1, 2):
        share = distinct(text, size)
        if share is not None:
            scores[f"distinct_{size}"] = share
    return scores


def _retrieval(item: AskedQuestion, record: Record) -> Scores:
    """Scores where the right groups stand in what was found.

    One ranking, of a question asked whole:

    - recall_k: share of the right groups among the first k;
    - mrr: 1 / rank of the first right group, 0 where none was found;
    - ndcg_10: DCG / IDCG over the first ten, gain 1 for each right group; DCG = sum of 1 / log2(1 + rank), IDCG that of
      a ranking with all right groups first (Järvelin and Kekäläinen, 2002).

    Several rankings, of a question split into parts: each right group has the best of its ranks, and is scored as if it
    were the only one; the mean over the right groups counts. With one right group and one ranking both are the same.
    """
    rankings = [part["ranking"] for part in record["parts"]]
    ranks = [
        min((ranking.index(target) + 1 for ranking in rankings if target in ranking), default=0)
        for target in item.targets
    ]
    scores = {f"recall_{depth}": fmean(float(0 < rank <= depth) for rank in ranks) for depth in (1, 3, 5)}
    if len(rankings) == 1:
        scores["mrr"] = max(1 / rank if rank else 0.0 for rank in ranks)
        ideal = _gain(range(1, len(ranks) + 1))
        scores["ndcg_10"] = _gain(ranks) / ideal
    else:
        scores["mrr"] = fmean(1 / rank if rank else 0.0 for rank in ranks)
        # The ideal gain of a single right group is 1.
        scores["ndcg_10"] = fmean(_gain([rank]) for rank in ranks)
    return scores


def _gain(ranks: Iterable[int]) -> float:
    """Discounted cumulative gain of right groups at these ranks, to depth 10; rank 0 was not found."""
    return sum(1 / log2(1 + rank) for rank in ranks if 0 < rank <= 10)


def _citations(record: Record) -> Scores:
    """Scores the citations of what was answered from examples; nothing where every part was refused or had none."""
    parts = [part for part in record["parts"] if part["answer"] and part["examples"]]
    if not parts:
        return {}
    counts = CitationCounts()
    for part in parts:
        counts += count_citations(part["answer"], part["raw"], part["examples"])
    scores = {}
    if counts.sentences:
        scores["citation_recall"] = counts.recalled / counts.sentences
        scores["support"] = counts.supported / counts.sentences
        # As ALCE has it, an answer that cites nothing is not precise: otherwise to stop citing would hide.
        scores["citation_precision"] = counts.precise / counts.markers if counts.markers else 0.0
    if counts.written:
        scores["invalid_markers"] = counts.invalid / counts.written
    return scores
