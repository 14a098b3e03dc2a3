"""Masks personal data before anything is stored."""

import re
import unicodedata

_DASH = re.compile("[\u2010-\u2015\u2212]")
# An area, mobile or safety (050x) number, parted by hyphens, dots, spaces or nothing; then 1588-style numbers,
# hyphenated only.
_PHONE = re.compile(r"(?<!\d)(?:\+?82[-.\s)]*0?|0)(?:1[016-9]|2|50\d|[3-7]\d)[-.\s)]*\d{3,4}[-.\s]*\d{4}(?!\d)")
_SERVICE = re.compile(r"(?<!\d)1[5-9]\d{2}-\d{4}(?!\d)")
# Six digits of a birthday, then a first digit of 1-8 and six more.
_RESIDENT = re.compile(r"(?<!\d)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\s*[-–]?\s*[1-8](?:\d{6}|[\d*]{6})(?!\d)")
# With its building, or alone where three digits or more say that it is a flat: "3호 붓" is a brush.
_FLAT = re.compile(
    r"(?<!\d)(?:\d{1,4}|[A-Za-z가나다라마바사아자차카타파하])\s*동\s*(?:지하\s*)?[Bb]?\d{1,4}\s*호"
    r"|(?<!\d)(?:\d{1,4}\s*[-–]\s*)?[Bb]?\d{3,4}\s*호(?![환출])"
)

_MASKS = ((_RESIDENT, "[주민등록번호]"), (_PHONE, "[전화번호]"), (_SERVICE, "[전화번호]"), (_FLAT, "[동·호수]"))


def masked(text: str) -> str:
    """Returns a text with resident numbers, phone numbers and flat numbers replaced by what they are.

    Full-width digits and every kind of dash count as their plain forms.
    """
    text = _DASH.sub("-", unicodedata.normalize("NFKC", text))
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text
