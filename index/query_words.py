"""What is read in a question: its words in four forms, and the written words behind everyday speech.

"장판 깔면 조은 점이 머임" asks for what questions and answers call 장점, a word that no n-gram of it holds and that a
small encoder does not hear in it. A lexicon (`index/resources/everyday_words.txt`) names the written word. It is added
to what was typed; for the encoder it takes the place of spellings that can mean nothing else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from index.korean import KoreanAnalyzer, as_it_sounds, jamo_ngrams, spelling_ngrams, word_heads


@dataclass(frozen=True, slots=True)
class QueryWords:
    """The tokens of one question for each lexical index."""

    morphemes: list[str]
    spellings: list[str]
    fragments: list[str]
    heads: list[str]


def query_words(question: str, analyzer: KoreanAnalyzer) -> QueryWords:
    """Reads a question for the lexical indexes.

    Args:
        question: As typed, on one line.
        analyzer: The analyser that the indexes were built with.
    """
    written = written_words(question)
    return QueryWords(
        morphemes=[*analyzer.morphemes(question), *(f"{word}/N" for word in written)],
        spellings=[*spelling_ngrams(question), *(gram for word in written for gram in spelling_ngrams(word))],
        # Answers seldom name what was asked about them: "장점" stands in the question, the advantages in the answer.
        fragments=jamo_ngrams(question),
        heads=[*word_heads(question), *(head for word in written for head in word_heads(word))],
    )


def written_words(text: str) -> list[str]:
    """Returns the written words that the everyday spellings in a text stand for, without repetition."""
    return list(dict.fromkeys(word for found in _everyday(text) for word in found.entry.words))


def as_written(text: str) -> str:
    """Returns a question as the encoder reads it: everyday spellings as, or followed by, the written words.

    The written word takes the place of spellings that can mean nothing else, and of the particles after them: "별로인
    점은요?" becomes "단점?". Behind the question stand the written words of other spellings, where it does not hold
    them: "마루 왜 좋아?" becomes "마루 왜 좋아? 장점". Other texts come back as they are.
    """
    result, done = "", 0
    further: list[str] = []
    for found in _everyday(text):
        if found.entry.sign == ":":
            continue
        if found.entry.sign == "+":
            further += found.entry.words
            continue
        particles = _PARTICLES.match(text, found.end)
        if particles is None:
            continue
        space = " " if text[done : found.start] and not text[found.start - 1].isspace() else ""
        result += text[done : found.start] + space + found.entry.words[0]
        done = particles.end()
    result += text[done:]
    return " ".join([result, *(word for word in dict.fromkeys(further) if word not in result)])


_PARTICLES = re.compile(
    r"(?:이|은|는|을|도|만|과|와|이랑|랑|인지|인가|인데|이에요|이예요|예요|이야|임|요|여|죠|지|아|음|나요|나여|냐|니|네)*(?![^\W_])"
)
"""Particles and endings up to the end of a word."""


class _Entry(NamedTuple):
    """The written words of a spelling, and what is done with them."""

    words: list[str]
    sign: str


class _Found(NamedTuple):
    """An everyday spelling in a text, from one character to another."""

    start: int
    end: int
    entry: _Entry


class _Lexicon(NamedTuple):
    """Entries by spelling as it sounds, and a pattern of all spellings."""

    entries: dict[str, _Entry]
    spelling: re.Pattern[str]


def _everyday(text: str) -> Iterator[_Found]:
    """Finds the everyday spellings of a text, none overlapping another, each from one end of a syllable to another."""
    lexicon = _lexicon()
    places = [(jamo, place) for place, char in enumerate(text) for jamo in as_it_sounds(char)]
    sounds = "".join(jamo for jamo, _ in places)
    done = 0
    for start, (_, place) in enumerate(places):
        begins = place >= done and (start == 0 or places[start - 1][1] < place)
        match = lexicon.spelling.match(sounds, start) if begins else None
        if match is None:
            continue
        entry, end = lexicon.entries[match[0]], places[match.end() - 1][1] + 1
        within = match.end() < len(places) and places[match.end()][1] < end
        if within or (entry.sign != "=" and place and text[place - 1].isalnum()):
            continue
        done = end
        yield _Found(place, end, entry)


@cache
def _lexicon() -> _Lexicon:
    text = files("index").joinpath("resources", "everyday_words.txt").read_text("utf-8")
    entries: dict[str, _Entry] = {}
    for line in text.splitlines():
        if parts := re.match(r"([^:=+#]+)([:=+])([^#]*)", line):
            words, sign, spellings = parts.groups()
            entries |= dict.fromkeys(map(as_it_sounds, spellings.split()), _Entry(words.split(), sign))
    # An alternation takes its first match, so the longest spelling comes first.
    spellings_in_order = sorted(map(re.escape, entries), key=len, reverse=True)
    denied = as_it_sounds("지아")  # of "지 않", whatever stands below the vowel
    return _Lexicon(entries, re.compile(f"(?:{'|'.join(spellings_in_order)})(?!{denied})"))
