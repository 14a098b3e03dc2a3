"""Says in the reader's language what the audit saw; the texts it quotes stay as they are."""

import re
from collections.abc import Callable

Say = Callable[..., str]

_SEEN: tuple[tuple[str, str], ...] = (
    (r"the most typical answer agrees with the others at (?P<score>[\d.]+) only \(.+\)", "answers_disagree"),
    (r"agrees little with the group's other answers .*\(cosine (?P<score>-?[\d.]+)\)", "answer_outlier"),
    (r"the answers lie nearer to a question of (?P<group>.+) \(.+ below the usual\)", "mismatch"),
    (r"nearly repeats \((?P<share>[\d.]+) of the letters\) (?P<field>.+)", "nearly_repeats"),
    (r"(?:repeats|asks the same as) a question of (?P<group>.+); their answers agree at (?P<score>[\d.]+)", "same"),
    (r"repeats (?P<field>.+)", "repeats"),
    (r"also stands in (?P<file>.+)", "also_stands"),
    (r"nearly stands \((?P<share>[\d.]+) of the letters\) in (?P<file>.+)", "nearly_stands"),
    (r"(?P<axis>.+): its twin asks for the other side, and so do the answers", "twin_and_answers_differ"),
    (r"(?P<axis>.+): its twin asks for the other side", "twin_differs"),
    (r"(?P<axis>.+): the answers speak of the other side only", "answers_differ"),
    (r"(?P<axis>.+): asks for both sides, its twin and the answers know one", "half_answered"),
    (r"answers say yes and no", "yes_and_no"),
    (r'wrongly decoded "(?P<text>.*)"', "wrongly_decoded"),
    (r"not in Unicode NFC \(decomposed Hangul\)", "not_nfc"),
    (r"invisible characters", "invisible"),
    (r"back-tick", "backtick"),
    (r"dangling quotation mark", "quote"),
    (r'editing note "(?P<text>.*)"', "editing_note"),
    (r'a model speaks of itself: "(?P<text>.*)"', "model_talk"),
    (r'markup "(?P<text>.*)"', "markup"),
    (r'lone letter "(?P<text>.*)" inside a word', "lone_letter"),
    (r'cut off after "(?P<text>.*)"', "cut_off"),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), key) for pattern, key in _SEEN)
_NEXT = re.compile("; (?=not in|invisible|back-tick|dangling|editing|a model|markup|lone|cut off)")
"""Between two leftovers of one cell; what they quote may hold a semicolon, too."""


def seen_in_words(evidence: str, say: Say) -> str:
    """Returns the evidence of a finding of `index.audit`; what is not known here stays as it is.

    Args:
        evidence: What was seen, then the texts concerned, parted by " | ". A leftover that holds such a bar stays as
            it is.
        say: As `data.catalog.message`.
    """
    what, bar, quoted = evidence.partition(" | ")
    return "; ".join(_said(each, say) for each in _NEXT.split(what)) + bar + quoted


def _said(what: str, say: Say) -> str:
    for pattern, key in _PATTERNS:
        if found := pattern.fullmatch(what):
            return say(f"seen.{key}", **found.groupdict())
    return what


def known_keys() -> set[str]:
    """Returns the keys that the catalogues must have."""
    return {key for _, key in _SEEN}
