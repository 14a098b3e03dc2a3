"""Judges whether a cited example supports a sentence.

The share of the sentence's jamo 4-grams that stand in the example is high for copied and lightly reworded sentences
and low for made-up ones. Two things that such a share cannot see are checked apart: a number that the example does not
hold, and a negation that the nearest sentence of the example does not have.
"""

import re
from collections.abc import Iterable, Sequence

from data.sentences import split_sentences
from index.korean import jamo_ngrams
from rag.answer import Citation, Sentence
from rag.citations import markers_of, without_markers
from rag.generators.base import GenerationRequest

ENOUGH = 0.6
"""Share of a sentence that must stand in its examples."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NEGATION = re.compile(r"지 (?:않|마|말|못)|(?:^|\s)(?:안|못) |없|아니|금물|금지|말아|마세요|피하")


def judge(text: str, request: GenerationRequest) -> tuple[Sentence, ...]:
    """Splits an answer into sentences and judges each against the examples it cites.

    Args:
        text: The answer; markers out of range were dropped before.
        request: What the answer was generated from.
    """
    return tuple(_judge_sentence(sentence, request) for sentence in split_sentences(text))


def citations_of(sentences: Iterable[Sentence], request: GenerationRequest) -> tuple[Citation, ...]:
    """Collects the markers of judged sentences; one is supported when all sentences that carry it are."""
    supported: dict[int, bool] = {}
    for sentence in sentences:
        for marker in sentence.markers:
            supported[marker] = supported.get(marker, True) and sentence.supported
    return tuple(
        Citation(marker, request.examples[marker - 1].group.id, supported[marker]) for marker in sorted(supported)
    )


def support(sentence: str, sources: Iterable[str]) -> float:
    """Returns the share of a sentence's jamo 4-grams that stand in the sources together, in [0, 1]."""
    grams = set(jamo_ngrams(sentence))
    if not grams:
        return 1.0
    known: set[str] = set()
    for source in sources:
        known.update(jamo_ngrams(source))
    return len(grams & known) / len(grams)


def supports(sentence: str, sources: Sequence[str]) -> bool:
    """Says whether the sources together hold up a sentence.

    Args:
        sentence: Without markers.
        sources: Answers of the examples it rests on; none hold nothing up.
    """
    if not sources:
        return False
    enough = support(sentence, sources) >= ENOUGH
    return enough and _numbers_known(sentence, sources) and _same_polarity(sentence, sources)


def _judge_sentence(sentence: str, request: GenerationRequest) -> Sentence:
    markers = markers_of(sentence)
    sources = [request.examples[marker - 1].answer for marker in markers]
    if not sources:
        return Sentence(sentence, (), 0.0, supported=False)
    plain = without_markers(sentence)
    return Sentence(sentence, markers, round(support(plain, sources), 4), supports(plain, sources))


def _numbers_known(sentence: str, sources: Iterable[str]) -> bool:
    known = {number for source in sources for number in _NUMBER.findall(source)}
    return known.issuperset(_NUMBER.findall(sentence))


def _same_polarity(sentence: str, sources: Iterable[str]) -> bool:
    candidates = [candidate for source in sources for candidate in split_sentences(source)]
    nearest = max(candidates, key=lambda candidate: support(sentence, [candidate]), default=sentence)
    return len(_NEGATION.findall(sentence)) % 2 == len(_NEGATION.findall(nearest)) % 2
