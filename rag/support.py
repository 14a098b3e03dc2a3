"""Judges whether a cited example supports a sentence.

The share of the sentence's jamo 4-grams that stand in the example is high for copied and lightly reworded sentences
and low for made-up ones. What such a share cannot see is read off the morphemes: an amount, a thing or a deed that the
example does not name, and what it denies (`rag.claims`).

The judge is strict: words alone cannot tell a free paraphrase from an invention, so a sentence that says the same in
other words is not called supported. `dobae evaluate judge` measures how it agrees with labels made by hand.
"""

import re
from collections.abc import Iterable, Sequence

from data.sentences import split_sentences
from data.text import comparable
from index.korean import jamo_ngrams
from rag.answer import Citation, Sentence
from rag.citations import markers_of, without_markers
from rag.claims import contradicted, read_claims, unknown_predicates, unknown_things
from rag.generators.base import GenerationRequest

ENOUGH = 0.6
"""Share of a sentence that must stand in its examples."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


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
    if any(comparable(sentence) == comparable(whole) for source in sources for whole in split_sentences(source)):
        return True
    if support(sentence, sources) < ENOUGH or not _numbers_known(sentence, sources):
        return False
    text = "\n".join(sources)
    claims, known = read_claims(sentence), read_claims(text)
    return not (
        unknown_things(claims, known, text)
        or unknown_predicates(claims, known, text)
        or contradicted(claims, known)
        or claims.amounts - known.amounts
        or claims.degrees - known.degrees
    )


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
