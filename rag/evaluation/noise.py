"""Misspells Korean questions the way hurried people do: seeded, so that every run asks the same.

Jamo slips (vowels that sound or lie alike, doubled or plain initials, lost final consonants), spaces lost or put in,
particles left out, and chat endings in place of polite ones.
"""

import random
import re
from collections.abc import Sequence


def _slips(table: str) -> dict[str, str]:
    """Reads "ab" as: b may be typed for a."""
    return {entry[0]: entry[1:] for entry in table.split()}


_BASE, _LAST = 0xAC00, 0xD7A3
_VOWELS, _FINALS = 21, 28

_VOWEL_ORDER = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_VOWEL_SLIPS = _slips(
    "ㅐㅔ ㅔㅐ ㅚㅙㅞ ㅙㅚㅞ ㅞㅚㅙ ㅓㅏㅕ ㅏㅓㅑ ㅗㅓㅛ ㅜㅠㅡ ㅡㅜ ㅣㅏ ㅕㅓ ㅛㅗ ㅠㅜ ㅢㅣㅡ ㅖㅔ ㅒㅐ"
)
_INITIAL_ORDER = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_INITIAL_SLIPS = _slips(
    "ㄱㄲㅋ ㄲㄱ ㄷㄸㅌ ㄸㄷ ㅂㅃㅍ ㅃㅂ ㅅㅆ ㅆㅅ ㅈㅉㅊ ㅉㅈ ㄹㄴ ㄴㄹㅁ ㅁㄴ ㅊㅈ ㅋㄱ ㅌㄷ ㅍㅂ ㅎㅇ"
)

_PARTICLE = re.compile(r"(?<=[가-힣]{2})(?:에서|으로|은|는|이|가|을|를|에|의|로|도)$")
_ENDINGS = (
    (
        re.compile(r"(?:알려|설명해|가르쳐) ?(?:주세요|주실 수 있나요|주십시오|줘)[.?]?$"),
        ("알려줘여", "좀 알랴줘", "갈쳐줘요ㅠ"),
    ),
    (re.compile(r"(?:무엇인가요|뭔가요|무엇입니까|뭐야)\??$"), ("뭔가여", "머임??", "뭐에요ㅠㅠ")),
    (re.compile(r"(?:인가요|입니까|이에요|예요)\??$"), ("인가여?", "임?", "인가욤")),
    (re.compile(r"(?:하나요|합니까|할까요|하죠)\??$"), ("하나여", "함?", "하죠?ㅠ")),
    (re.compile(r"(?:있나요|있을까요|있습니까|있어)\??$"), ("있나여", "있음?", "잇나요")),
    (re.compile(r"(?:되나요|될까요|됩니까|돼)\??$"), ("되나여", "됨?", "돼나요?")),
    (re.compile(r"(?:나요|까요|가요)\??$"), ("나여?", "냐??", "까여")),
)


def misspelt(question: str, rng: random.Random) -> str:
    """Returns a misspelt copy: about one slip in eight syllables, and most of the other habits at once."""
    text = _ending(question, rng)
    words = text.split()
    if rng.random() < 0.6:
        words = [_PARTICLE.sub("", word) if rng.random() < 0.5 else word for word in words]
    joined = words[0]
    for word in words[1:]:
        joined += ("" if rng.random() < 0.35 else " ") + word
    text = "".join(_slipped(char, rng) if rng.random() < 0.12 else char for char in joined)
    if len(text) > 4 and rng.random() < 0.3:
        place = rng.randrange(1, len(text) - 1)
        text = f"{text[:place]} {text[place:]}"
    return re.sub(r"\s+", " ", text).strip()


def misspelt_all(questions: Sequence[str], seed: int) -> list[str]:
    """Misspells each question; a question's copy depends on itself and the seed alone."""
    return [
        misspelt(question, random.Random(f"{seed}/{question}"))  # noqa: S311 - a reproducible draw, not a secret
        for question in questions
    ]


def _ending(text: str, rng: random.Random) -> str:
    for pattern, endings in _ENDINGS:
        if pattern.search(text):
            return pattern.sub(rng.choice(endings), text) if rng.random() < 0.7 else text.rstrip("?.")
    return text.rstrip("?.")


def _slipped(char: str, rng: random.Random) -> str:
    code = ord(char)
    if not _BASE <= code <= _LAST:
        return char
    initial, rest = divmod(code - _BASE, _VOWELS * _FINALS)
    vowel, final = divmod(rest, _FINALS)
    kind = rng.random()
    if kind < 0.55:
        vowel = _slip(_VOWEL_ORDER, _VOWEL_SLIPS, vowel, rng)
    elif kind < 0.8 or final == 0:
        initial = _slip(_INITIAL_ORDER, _INITIAL_SLIPS, initial, rng)
    else:
        final = 0
    return chr(_BASE + (initial * _VOWELS + vowel) * _FINALS + final)


def _slip(order: str, slips: dict[str, str], number: int, rng: random.Random) -> int:
    choices = slips.get(order[number])
    return order.index(rng.choice(choices)) if choices else number
