"""Korean analysis: one Kiwi analyser with the trade's words, shared by the lexical index and the question splitter.

Kiwi takes a second or more to load and is safe to use from several threads, so one instance serves a process.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from math import sqrt
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiwipiepy import Token

JAMO_GRAM = 4
"""Length of jamo n-grams: about a syllable and a half, so that one mistyped letter spares most of a word's n-grams."""

SPELLING_GRAM = 3
"""Length of spelling n-grams: questions are short, and a slip costs as many n-grams as they are long."""

HEAD = 2
"""Syllables kept of a word."""

NgramVector = dict[str, float]
"""Weight of each n-gram of a text."""

_CONTENT_TAGS = frozenset(
    ("NNG", "NNP", "NNB", "NR", "VV", "VA", "XR", "SL", "SN", "MM", "MAG", "XPN", "XSN", "W_SERIAL", "SH")
)
_SOUNDS_LIKE = str.maketrans(
    "\u1101\u1104\u1108\u110a\u110d\u11a9\u11bb\u1166\u1168\u116b\u1170",
    "\u1100\u1103\u1107\u1109\u110c\u11a8\u11ba\u1162\u1164\u116c\u116c",
)
"""Conjoining jamo that writers confuse: tense consonants read as plain ones, ㅔ as ㅐ, ㅖ as ㅒ, ㅙ and ㅞ as ㅚ."""

_NOT_WORD = re.compile(r"[\W_]+")
_load_lock = Lock()


class KoreanAnalyzer:
    """Kiwi with the trade-term dictionary of `index/resources/trade_terms.txt`.

    Attributes:
        fingerprint: Changes when tokens may change: Kiwi's version, its model's version and the dictionary.
    """

    def __init__(self) -> None:
        from kiwipiepy import Kiwi

        terms = files("index").joinpath("resources", "trade_terms.txt").read_text("utf-8")
        # The multi-word dictionary costs a second of loading and holds hardly a word of this trade.
        self._kiwi: Kiwi = Kiwi(load_multi_dict=False)
        for line in terms.splitlines():
            term = line.partition("#")[0].strip()
            if term:
                self._kiwi.add_user_word(term, "NNG", 3.0)
        digest = sha256(terms.encode()).hexdigest()[:12]
        self.fingerprint = f"kiwi-{version('kiwipiepy')}-{version('kiwipiepy_model')}-{digest}"

    def tokens(self, text: str) -> list["Token"]:
        """Analyses a text into morphemes with their tags and character offsets."""
        return list(self._kiwi.tokenize(text))

    def morphemes(self, text: str) -> list[str]:
        """Returns the content morphemes of a text as `form/t`, t being the first letter of the tag."""
        return content_morphemes(self.tokens(text))


def content_morphemes(tokens: list["Token"]) -> list[str]:
    """Keeps nouns, verb and adjective stems, modifiers, foreign words and numbers, as `form/t`."""
    return [f"{token.form}/{token.tag[0]}" for token in tokens if token.tag.split("-")[0] in _CONTENT_TAGS]


def jamo_ngrams(text: str, size: int = JAMO_GRAM) -> list[str]:
    """Returns the n-grams of a text's jamo, white space and punctuation left out.

    Spacing slips and single mistyped letters leave most n-grams as they were, which whole morphemes do not survive.
    """
    return _ngrams(_jamo(text), size)


def ngram_vector(grams: Iterable[str]) -> NgramVector:
    """Returns how often each n-gram occurs, scaled to length 1; empty for no n-gram."""
    counts = Counter(grams)
    norm = sqrt(sum(count * count for count in counts.values()))
    return {gram: count / norm for gram, count in counts.items()}


def ngram_cosine(first: NgramVector, second: NgramVector) -> float:
    """Returns the cosine of two texts' n-grams, in [0, 1]; 0 where one has none."""
    small, large = sorted((first, second), key=len)
    return sum(share * large.get(gram, 0.0) for gram, share in small.items())


def spelling_ngrams(text: str) -> list[str]:
    """Returns the jamo trigrams of a text as it sounds: "왜케" and "외캐", "됐나" and "됬나" share all of theirs."""
    return _ngrams(as_it_sounds(text), SPELLING_GRAM)


def as_it_sounds(text: str) -> str:
    """Returns the conjoining jamo of a text, those that sound alike made one, white space and punctuation left out."""
    return _jamo(text).translate(_SOUNDS_LIKE)


def word_heads(text: str) -> list[str]:
    """Returns the first two syllables of each space-separated word.

    Korean words carry their meaning at the front and their particles and endings at the back, so heads are a stemmer
    that costs nothing; it reads long answers many times faster than morphemes can be found in them.
    """
    return [word[:HEAD] for word in _NOT_WORD.split(text.casefold()) if word]


def _jamo(text: str) -> str:
    return unicodedata.normalize("NFD", _NOT_WORD.sub("", text.casefold()))


def _ngrams(jamo: str, size: int) -> list[str]:
    return [jamo[i : i + size] for i in range(len(jamo) - size + 1)]


@cache
def _analyzer() -> KoreanAnalyzer:
    return KoreanAnalyzer()


def korean_analyzer() -> KoreanAnalyzer:
    """Returns the process-wide analyser, loading it on first use."""
    with _load_lock:
        return _analyzer()
