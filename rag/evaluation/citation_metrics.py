"""Citations as ALCE scores them (Gao et al., EMNLP 2023), with the judge of `rag.support` in place of an NLI model.

- recall: share of sentences that carry a marker and that their cited examples, taken together, support;
- precision: share of markers that matter: the sentence is supported, and either the example alone supports it, or
  the other cited examples without it do not; 0 for an answer with sentences and no markers;
- support: share of sentences that the examples shown support, whether cited or not;
- invalid: share of the markers written that name no example. They never reach a reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from data.sentences import split_sentences
from rag.citations import count_markers, markers_of, without_markers
from rag.support import supports


@dataclass(frozen=True, slots=True)
class CitationCounts:
    """Counts of one answer, to be divided after its parts are added up.

    Attributes:
        sentences: Sentences.
        recalled: Those supported by what they cite.
        supported: Those supported by the examples shown.
        markers: Markers that reach the reader.
        precise: Those that matter.
        written: Markers written by the generator.
        invalid: Those that name no example.
    """

    sentences: int = 0
    recalled: int = 0
    supported: int = 0
    markers: int = 0
    precise: int = 0
    written: int = 0
    invalid: int = 0

    def __add__(self, other: "CitationCounts") -> "CitationCounts":
        """Adds the counts of two parts."""
        return CitationCounts(
            self.sentences + other.sentences,
            self.recalled + other.recalled,
            self.supported + other.supported,
            self.markers + other.markers,
            self.precise + other.precise,
            self.written + other.written,
            self.invalid + other.invalid,
        )


def count_citations(answer: str, raw: str, examples: Sequence[str]) -> CitationCounts:
    """Counts the citations of one part's answer.

    Args:
        answer: As the reader sees it; markers out of range were dropped.
        raw: As it was generated.
        examples: Answers of the examples shown; marker n is `examples[n - 1]`.
    """
    written, invalid = count_markers(raw, len(examples))
    counts = CitationCounts(written=written, invalid=invalid)
    for sentence in split_sentences(answer):
        counts += _of_sentence(sentence, examples)
    return counts


def _of_sentence(sentence: str, examples: Sequence[str]) -> CitationCounts:
    markers = markers_of(sentence)
    plain = without_markers(sentence)
    cited = [examples[marker - 1] for marker in markers]
    recalled = supports(plain, cited)
    precise = 0
    if recalled:
        for place, source in enumerate(cited):
            others = cited[:place] + cited[place + 1 :]
            precise += supports(plain, [source]) or not supports(plain, others)
    return CitationCounts(1, int(recalled), int(supports(plain, examples)), len(markers), precise)
