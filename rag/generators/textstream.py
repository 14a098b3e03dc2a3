"""From tokens to shown text: no half syllables, no endless loops.

A Korean syllable takes up to three byte-level tokens, so a token boundary is seldom a character boundary.
"""

import re
from collections.abc import Sequence
from typing import Any

_BROKEN = "\ufffd"


class TextDecoder:
    """Turns tokens into text as they arrive, emitting whole characters only.

    The chunks add up to the decoded whole, less replacement characters and special tokens.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._window: list[int] = []
        self._context = 0
        self._shown = 0

    def push(self, tokens: Sequence[int]) -> str:
        """Returns the characters that `tokens` completed."""
        self._window += tokens
        text = self._decoded(self._window)
        whole = text.rstrip(_BROKEN)
        new = whole[self._shown :]
        self._shown = len(whole)
        if len(whole) == len(text):
            # Keep the last span as context: some tokenizers write a leading space by what stands before.
            self._window = self._window[self._context :]
            self._context = len(self._window)
            self._shown = len(self._decoded(self._window))
        return new.replace(_BROKEN, "")

    def _decoded(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


class RepetitionGuard:
    """Stops an answer that has begun to repeat itself word for word.

    A loop is a span of `span` characters or more (a shorter unit is counted in multiples) standing `copies` times in a
    row; numbers of list points and markers count as equal, so "1. 같은 말 2. 같은 말 3. 같은 말" is one too. Text that
    may turn out to be the second copy is held back until it differs, so that a loop is cut to its first copy.

    Attributes:
        looping: Whether a loop was found; what is pushed afterwards is ignored.
    """

    def __init__(self, span: int = 12, copies: int = 3, longest: int = 400) -> None:
        self.looping = False
        self._span = span
        self._copies = copies
        self._longest = longest
        self._text = ""
        self._shown = 0

    def push(self, chunk: str) -> str:
        """Returns what can be shown now."""
        # One character at a time, so that what is cut does not depend on how the text was chunked.
        return "".join(map(self._push, chunk))

    def finish(self) -> str:
        """Returns what was held back, the text having ended without a loop."""
        return "" if self.looping else self._show(len(self._text))

    def _push(self, char: str) -> str:
        if self.looping:
            return ""
        self._text += char
        base = max(0, len(self._text) - self._longest * self._copies)
        tail = _alike(self._text[base:])
        longest_run = 0
        for period in range(1, min(self._longest, len(tail) - 1) + 1):
            run = _run(tail, period)
            longest_run = max(longest_run, run)
            unit = tail[-period:]
            span = period * -(-self._span // period)
            # A ruler of dashes is no loop until it is absurd.
            copies = self._copies if any(map(str.isalnum, unit)) else 20 * self._copies
            if run + period >= copies * span:
                self.looping = True
                return self._show(self._cut(len(self._text) - run, period))
        return self._show(len(self._text) - longest_run)

    def _show(self, end: int) -> str:
        new = self._text[self._shown : end]
        self._shown = max(self._shown, end)
        return new

    def _cut(self, start: int, period: int) -> int:
        """Returns the end of the first sentence that ends within one period of `start`, or `start`."""
        for end in range(start, start + period):
            if _SENTENCE_END.search(self._text, max(0, end - 40), end):
                markers = _MARKERS.match(self._text, end, start + period)
                return markers.end() if markers else end
        return start


_MARKERS = re.compile(r"(?:\s*\[\d+\])*")
_SENTENCE_END = re.compile(r"(?:[다요죠까][.!?]|[!?])[\"'”’)]*(?:\s*\[\d+\])*\s*\Z")
# Digits at the very end count too: what they number may not have arrived yet.
_NUMBERING = re.compile(r"(?<=\[)\d+(?=\]|\Z)|(?<!\S)\d+(?=[.)]\s|[.)]?\Z)")


def _alike(text: str) -> str:
    """Writes every number of a marker or list point as zeros of the same length."""
    return _NUMBERING.sub(lambda found: "0" * len(found[0]), text)


def _run(text: str, period: int) -> int:
    """Returns how many last characters equal those `period` before them."""
    run = 0
    while run + period < len(text) and text[-1 - run] == text[-1 - run - period]:
        run += 1
    return run
