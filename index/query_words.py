"""What the lexical side reads in a question: its words in four forms, and the written words behind everyday speech.

"장판 깔면 조은 점이 머임" asks for what questions and answers call 장점, a word that no n-gram of it holds. A lexicon
(`index/resources/everyday_words.txt`) names the written word; it is added to the question, never put in place of what
was typed, and only for the lexical side: the encoder reads the question as it stands.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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
    lexicon, spelling = _lexicon()
    found = (word for match in spelling.finditer(as_it_sounds(text)) for word in lexicon[match[0]])
    return list(dict.fromkeys(found))


@cache
def _lexicon() -> tuple[dict[str, list[str]], re.Pattern[str]]:
    text = files("index").joinpath("resources", "everyday_words.txt").read_text("utf-8")
    lexicon: dict[str, list[str]] = {}
    for line in text.splitlines():
        words, _, spellings = line.partition("#")[0].partition(":")
        lexicon |= {as_it_sounds(spelling): words.split() for spelling in spellings.split()}
    # An alternation takes its first match, so the longest spelling comes first.
    return lexicon, re.compile("|".join(sorted(map(re.escape, lexicon), key=len, reverse=True)))
