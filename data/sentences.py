"""Splitting Korean answers into sentences, by rule.

Written for expert answers: polite endings, millimetres, numbered points inline, quoted speech, citation markers.
No character is lost: the sentences joined are the text, less the whitespace between them.
"""

import re
from itertools import pairwise

_CLOSING = "\"'”’」』)]"
# A run of end punctuation, what closes with it, and the markers that belong to the sentence before them.
_END = re.compile(r"[.!?。…]+[\"'”’」』)\]]*(?:\s*\[\d+\])*")
_ENDING = "다요죠까네음임함됨오"
_FULL_ENDING = "다요죠까"
_ABBREVIATIONS = frozenset(
    {"no", "vs", "etc", "fig", "cf", "dr", "mr", "mrs", "ms", "st", "approx", "vol", "p", "pp", "e.g", "i.e", "a.k.a"}
)
# Particles that go on after a quotation, even when a space was typed before them.
_QUOTATIVE = re.compile(r"\s*(?:이?라[고는며]|하[고며는]|고 |는 )")
_OPENERS = {"“": "”", "‘": "’", "「": "」", "『": "』", "(": ")", "[": "]"}


def split_sentences(text: str) -> list[str]:
    """Splits text into sentences, each stripped, with its numbering and its citation markers.

    A line break always ends a sentence. "0.3mm", "No. 3", "1. ", an abbreviation, and what stands between quotes or
    brackets are not taken apart.

    Args:
        text: Any text; "" gives [].

    Returns:
        The sentences in order, none empty.
    """
    return [sentence for line in text.splitlines() for sentence in _split_line(line)]


def _split_line(line: str) -> list[str]:
    inside = _enclosed(line)
    cuts = [0]
    for found in _END.finditer(line):
        if found.end() < len(line) and not inside[found.start()] and _ends_sentence(line, cuts[-1], found):
            cuts.append(found.end())
    sentences = [line[start:end].strip() for start, end in pairwise([*cuts, len(line)])]
    return [sentence for sentence in sentences if sentence]


def _ends_sentence(line: str, start: int, found: re.Match[str]) -> bool:
    """Says whether the punctuation `found` ends the sentence that began at `start`."""
    before, mark, after = line[start : found.start()], found[0], line[found.end() :]
    if not before.strip():
        return False
    spaced = after[0].isspace()
    korean_end = before[-1] in _ENDING
    if not spaced:
        # A missing space after a full stop is common; anything else without a space is inside a word or number.
        return (
            korean_end and mark[-1] not in _CLOSING.replace("]", "") and bool(re.match(r"[가-힣“‘]|\d+[.)]\s", after))
        )
    if any(char in _CLOSING for char in mark) and _QUOTATIVE.match(after):
        return False
    if mark.startswith(("..", "…")):
        return before[-1] in _FULL_ENDING
    if not mark.startswith("."):
        return True
    is_date = before[-1].isdigit() and bool(re.match(r"\s*\d", after))
    return not is_date and not _is_label(before)


def _is_label(before: str) -> bool:
    """Says whether a full stop after `before` numbers or abbreviates: "1", "가" at the start, "No", "e.g"."""
    word = before.split()[-1].lstrip("\"'“‘([")
    alone = before.strip() == word
    if re.fullmatch(r"\d{1,2}(?:[-.]\d{1,2})*", word):
        return True
    if alone and re.fullmatch(r"[가-하]|[A-Za-z]|[ivxIVX]{1,4}|[①-⑳]", word):
        return True
    return word.casefold() in _ABBREVIATIONS


def _enclosed(line: str) -> list[bool]:
    """Marks the characters between balanced quotes or brackets; an opener that never closes counts for nothing."""
    inside = [False] * (len(line) + 1)
    at = 0
    while at < len(line):
        closer = '"' if line[at] == '"' else _OPENERS.get(line[at])
        end = line.find(closer, at + 1) if closer else -1
        if end < 0:
            at += 1
            continue
        inside[at + 1 : end] = [True] * (end - at - 1)
        at = end + 1
    return inside
