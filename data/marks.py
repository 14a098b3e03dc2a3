"""What a person writes into an `accept` cell: the words for yes and for no, the same in every list to be marked.

In Korea an O accepts and an X refuses; so does a tick, and so do the answers that a keyboard has at hand.
"""

import unicodedata


def _word(cell: str) -> str:
    return unicodedata.normalize("NFKC", cell).strip().casefold()


_YES = frozenset(
    _word(word)
    for word in (
        *("y", "yes", "1", "true", "o", "ok", "accept", "v", "✓", "✔"),
        *("예", "네", "ㅇ", "ㅇㅇ", "○", "◯", "〇", "승인"),
    )
)
_NO = frozenset(
    _word(word)
    for word in (
        *("n", "no", "0", "false", "reject", "x", "×", "✕", "✗", "✘"),
        *("아니요", "아니오", "아뇨", "ㄴ", "ㄴㄴ", "거절"),
    )
)


def accepted(cell: str) -> bool | None:
    """Tells whether a mark accepts (True) or refuses (False); None for an empty cell and for any other word."""
    word = _word(cell)
    return True if word in _YES else False if word in _NO else None
