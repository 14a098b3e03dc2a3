"""Leftovers of writing, copying and decoding, looked for in the cells as they stand in the file."""

import html
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from data.text import clean_text
from index.audit.evidence import Evidence, Fact, Seen
from index.audit.findings import Finding, shortened
from index.audit.raw import Cell

_LEFTOVER = re.compile(
    r"[\[(<]?\s*(?:수정된|개선된|변경된|다듬은|재작성된|수정)\s*(?:답변|질문|문장)\s*[\])>]?\s*[:：]\s*|수정된\s*(?:답변|질문)"
)
_MODEL_TALK = re.compile(r"AI\s*(?:언어\s*)?모델|인공지능\s*언어\s*모델|as an AI", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,80}>|&(?:[a-zA-Z]{2,8}|#\d{2,5});")
# UTF-8 read as Latin-1 shows Hangul as ê, ë, ì or í and two signs; CP949 read as UTF-8 and back shows these syllables.
_MOJIBAKE = re.compile("�|[êëìí][\u0080-\u00bf\u0152-\u0192\u02c6-\u2122]{2}|占쏙옙|ï¿½")
_STRAY_JAMO = re.compile(r"(?<=[가-힣])[ㄱ-ㅎㅏ-ㅣ](?=[가-힣])(?![ㄱ-ㅎ](?:자|형))")
_CUT_OFF = re.compile(r"[,、;(]$|(?:\s(?:및|그리고|또한|또는|하지만))$")

_BY_REPAIR: dict[str, Fact] = {"nfc": "not_nfc", "invisible": "invisible", "backtick": "backtick", "quote": "quote"}


class Artefact(NamedTuple):
    """A leftover: what it is, and the text without it (empty where no mend is known)."""

    seen: Seen
    mended: str


def artefacts_of(raw: str, *, is_answer: bool) -> list[Artefact]:
    """Finds leftovers in one text as it stands in the file.

    Args:
        raw: The text, not normalised.
        is_answer: Answers are prose; a lone letter or a missing end means something there, not in a typed question.
    """
    # Cleaning takes away the control characters that wrong decoding leaves, and with them the way back.
    if match := _MOJIBAKE.search(raw):
        return [_quoted("wrongly_decoded", match, _decoded_again(raw))]
    cleaned = clean_text(raw, keep_lines=is_answer)
    text = cleaned.text
    found = [Artefact(Seen(_BY_REPAIR[name], {}), text) for name in cleaned.repairs]
    if match := _LEFTOVER.search(text):
        found.append(_quoted("editing_note", match, _without_note(text, match)))
    if match := _MODEL_TALK.search(text):
        found.append(_quoted("model_talk", match, ""))
    if match := _MARKUP.search(text):
        found.append(_quoted("markup", match, _without_markup(text)))
    if is_answer:
        if match := _STRAY_JAMO.search(text):
            found.append(_quoted("lone_letter", match, _STRAY_JAMO.sub("", text)))
        if match := _CUT_OFF.search(text):
            found.append(_quoted("cut_off", match, ""))
    return found


def find_artefacts(cells: Iterable[Cell]) -> Iterator[Finding]:
    """Reports one finding a cell, with everything seen in it and one mend for all of it."""
    reported: set[tuple[str, str]] = set()
    for cell in cells:
        found = artefacts_of(cell.raw, is_answer=cell.kind == "answer")
        if not found or (cell.group_id, cell.field) in reported:
            continue
        reported.add((cell.group_id, cell.field))
        evidence = Evidence(tuple(artefact.seen for artefact in found), (shortened(cell.raw),))
        mended = _mended(cell.raw, is_answer=cell.kind == "answer")
        suggestion = f"replace: {mended}" if mended else ""
        yield Finding(cell.group_id, "artefact", cell.field, evidence, suggestion)


def _quoted(key: Fact, match: re.Match[str], mended: str) -> Artefact:
    return Artefact(Seen(key, {"text": match[0] if key == "wrongly_decoded" else match[0].strip()}), mended)


def _mended(raw: str, *, is_answer: bool) -> str:
    """Mends one leftover after another; empty where one cannot be mended."""
    text = raw
    for _ in range(8):
        found = artefacts_of(text, is_answer=is_answer)
        if not found:
            break
        text = found[0].mended
        if not text:
            return ""
    return text if text != raw and any(char.isalnum() for char in text) else ""


def _without_note(text: str, match: re.Match[str]) -> str:
    # "…답변입니다. 수정된 답변: 새 글": what follows the note replaces what stands before it, if it is a text itself.
    rest = text[match.end() :].strip(" :\n")
    if len(rest) >= 15:
        return rest
    return text[: match.start()].strip(" :\n([")


def _without_markup(text: str) -> str:
    return clean_text(html.unescape(_MARKUP.sub(lambda m: m[0] if m[0].startswith("&") else " ", text))).text


def _decoded_again(text: str) -> str:
    for encoding in ("cp1252", "latin-1"):
        try:
            return text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return ""
