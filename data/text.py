"""Text normalisation: one spelling for one text, and a word about what was changed.

Everything read from a file passes through `clean_text` once, so that later stages may compare strings.
"""

import re
import unicodedata
from typing import NamedTuple

from data.errors import QuestionError

MAX_QUESTION_CHARS = 2_000
MAX_ANSWER_CHARS = 20_000
"""Longer ones are documents, which morphemes and n-grams would be counted in for minutes."""

_OPENING = "\"'“‘「『«"
_CLOSING = "\"'”’」』»"
_PAIRS = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "«": "»"}
# C0 and C1 controls (terminals obey both), soft hyphen, zero-width and bidirectional marks, Hangul fillers, surrogates,
# non-characters.
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069"
    "\ufeff\u115f\u1160\u3164\uffa0\ud800-\udfff\ufffe\uffff]"
)
# What XML 1.0 forbids, and carriage returns, which readers of CSV and XML turn into line feeds.
_UNFIT = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ud800-\udfff\ufffe\uffff]")
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\s*\n\s*")


class CleanText(NamedTuple):
    """A normalised text and the names of the repairs that were needed beyond white space and NFC."""

    text: str
    repairs: tuple[str, ...]


def clean_text(raw: str, *, keep_lines: bool = False) -> CleanText:
    """Normalises a text and mends stray marks.

    NFC; control and zero-width characters go; runs of white space become one space (single line breaks survive when
    `keep_lines` is set); back-ticks go; a quotation mark that has no partner goes from either end, and a pair that
    wraps the whole text goes too.

    Args:
        raw: The text as read.
        keep_lines: Keep line breaks (for answers).

    Returns:
        The text, possibly empty, and the repairs: "nfc", "invisible", "backtick", "quote".
    """
    repairs: list[str] = []
    text = unicodedata.normalize("NFC", raw)
    if text != raw:
        repairs.append("nfc")
    visible = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(visible) < len(text.replace("\r", "")):
        repairs.append("invisible")
    text = _SPACES.sub(" ", visible)
    text = _BLANK_LINES.sub("\n" if keep_lines else " ", text).strip()
    if "`" in text:
        text = text.replace("`", "").strip()
        repairs.append("backtick")
    stripped = _strip_stray_quotes(text)
    if stripped != text:
        repairs.append("quote")
    return CleanText(stripped, tuple(repairs))


def _strip_stray_quotes(text: str) -> str:
    while text:
        first, last = text[0], text[-1]
        if len(text) > 1 and _PAIRS.get(first) == last and first not in text[1:-1] and last not in text[1:-1]:
            text = text[1:-1].strip()
        elif last in _CLOSING and _unpaired(text, last) and not text[-2:-1].isdigit():  # 53" is a length
            text = text[:-1].rstrip()
        elif first in _OPENING and _unpaired(text, first):
            text = text[1:].lstrip()
        else:
            break
    return text


def _unpaired(text: str, mark: str) -> bool:
    """Tells whether `mark`, standing at an end of `text`, has no partner."""
    for opening, closing in _PAIRS.items():
        if mark == opening == closing:
            return text.count(mark) % 2 == 1
        if mark in (opening, closing):
            return text.count(opening) != text.count(closing)
    return False


def check_question(raw: str) -> str:
    """Normalises a question and refuses what cannot be asked.

    Line breaks stay: they may be all that parts two questions.

    Args:
        raw: The question as typed.

    Returns:
        The normalised question.

    Raises:
        QuestionError: The question is empty, longer than `MAX_QUESTION_CHARS`, or has no letter or digit.
    """
    if len(raw) > MAX_QUESTION_CHARS:
        raise QuestionError(f"question has {len(raw):,} characters; shorten it to at most {MAX_QUESTION_CHARS:,}")
    if any("\ud800" <= char <= "\udfff" for char in raw):
        raise QuestionError("question is not valid UTF-8; type it in a UTF-8 terminal or file")
    text = clean_text(raw, keep_lines=True).text
    if not text:
        raise QuestionError("question is empty; type a question, for example: 벽지가 들뜨는 이유가 뭔가요?")
    if not any(char.isalnum() for char in text):
        raise QuestionError(f"question {text[:20]!r} holds no letter or digit; ask it in words")
    return text


def on_one_line(text: str) -> str:
    """Returns `text` with every run of white space as one space."""
    return " ".join(text.split())


def comparable(text: str) -> str:
    """Returns `text` without white space, punctuation and case: the key for "the same question"."""
    return "".join(char for char in unicodedata.normalize("NFC", text).casefold() if char.isalnum())


def printable(text: str) -> str:
    """Returns a text without characters that a terminal would obey or that are not text; line breaks stay."""
    return _INVISIBLE.sub("", text)


def unfit_character(text: str) -> str:
    """Names the first character of a text that a file could not give back, as "U+XXXX"; empty where there is none.

    Control characters but the line feed and the tab, surrogates and non-characters: XML and CSV lose or change them.
    """
    found = _UNFIT.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""
