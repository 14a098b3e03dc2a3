"""What is read in a question: its words in four forms, and the written words behind everyday speech.

"장판 깔면 조은 점이 머임" asks for what questions and answers call 장점, a word that no n-gram of it holds and that a
small encoder does not hear in it. A lexicon (`index/resources/everyday_words.txt`) names the written word. It is added
to what was typed; for the encoder it takes the place of spellings that can mean nothing else.
"""

import re
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
    lexicon = _lexicon()
    found = (word for match in lexicon.spelling.finditer(as_it_sounds(text)) for word in lexicon.words[match[0]])
    return list(dict.fromkeys(found))


def as_written(text: str) -> str:
    """Returns a question as the encoder reads it: everyday spellings as, or followed by, the written words.

    The written word takes the place of spellings that can mean nothing else, and of the ending after them: "별로인
    점은요?" becomes "단점?". Behind the question stand the written words of other spellings, where it does not hold
    them: "마루 왜 좋아?" becomes "마루 왜 좋아? 장점". Other texts come back as they are.
    """
    lexicon = _lexicon()
    sounds = [(jamo, place) for place, char in enumerate(text) for jamo in as_it_sounds(char)]
    result, done = "", 0
    further: list[str] = []
    for match in lexicon.spelling.finditer("".join(jamo for jamo, _ in sounds)):
        start, end = sounds[match.start()][1], sounds[match.end() - 1][1] + 1
        inside = match.start() > 0 and sounds[match.start() - 1][1] == start
        if match[0] not in lexicon.replacing:
            further += lexicon.words[match[0]]
            continue
        if inside or start < done:
            continue
        while end < len(text) and text[end].isalnum():
            end += 1
        space = " " if text[done:start] and not text[start - 1].isspace() else ""
        result += text[done:start] + space + lexicon.words[match[0]][0]
        done = end
    result += text[done:]
    return " ".join([result, *(word for word in dict.fromkeys(further) if word not in result)])


class _Lexicon(NamedTuple):
    """Written words by spelling, the spellings that the encoder reads as the word, and a pattern of all spellings."""

    words: dict[str, list[str]]
    replacing: frozenset[str]
    spelling: re.Pattern[str]


@cache
def _lexicon() -> _Lexicon:
    text = files("index").joinpath("resources", "everyday_words.txt").read_text("utf-8")
    words: dict[str, list[str]] = {}
    replacing: set[str] = set()
    for line in text.splitlines():
        written, sign, spellings = re.match(r"([^:=#]*)([:=]?)([^#]*)", line).groups()  # type: ignore[union-attr]
        read = [as_it_sounds(spelling) for spelling in spellings.split()]
        words |= dict.fromkeys(read, written.split())
        replacing |= set(read) if sign == "=" else set()
    # An alternation takes its first match, so the longest spelling comes first.
    pattern = re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True)))
    return _Lexicon(words, frozenset(replacing), pattern)
