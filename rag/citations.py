"""Citation markers: parsed from the stream, checked, and dropped when they point at nothing.

A marker out of range never reaches the reader, not even for a moment: text that may still become a marker is held
back until it is one or is not.
"""

import re
from collections.abc import Iterable, Iterator

MARKER = re.compile(r"\[(\d{1,3})\]")
_MARKER_LIKE = re.compile(r"\s*[\[［][\[\]［］\d\s,]*\d[\[\]［］\d\s,]*[\]］]")
_MAY_BECOME_MARKER = re.compile(r"\s*[\[［][\[\]［］\d\s,]*$|\s+$")


def checked_stream(chunks: Iterable[str], examples: int) -> Iterator[str]:
    """Passes a stream on without markers that name no example.

    Args:
        chunks: Text as it is generated.
        examples: Number of examples shown; markers 1 to `examples` are valid.

    Yields:
        Non-empty pieces of text.
    """
    held = ""
    for chunk in chunks:
        held += chunk
        waiting = _MAY_BECOME_MARKER.search(held)
        ready, held = (held[: waiting.start()], held[waiting.start() :]) if waiting else (held, "")
        if text := drop_invalid_markers(ready, examples):
            yield text
    if text := drop_invalid_markers(held, examples).rstrip():
        yield text


def drop_invalid_markers(text: str, examples: int) -> str:
    """Keeps valid markers as "[n]", and removes everything else that looks like one, with the space before it.

    "[1, 9]", "[ 2 ]" and "［1］" are read as the markers they mean.
    """

    def valid(match: re.Match[str]) -> str:
        numbers = dict.fromkeys(int(number[:4]) for number in re.findall(r"\d+", match[0]))
        space = match[0][: len(match[0]) - len(match[0].lstrip())]
        return "".join(f"{space}[{number}]" for number in numbers if 1 <= number <= examples)

    return _MARKER_LIKE.sub(valid, text)


def count_markers(text: str, examples: int) -> tuple[int, int]:
    """Counts the markers a generator wrote, and those among them that name no example.

    Args:
        text: As generated, nothing dropped yet.
        examples: Number of examples shown.
    """
    numbers = [int(number[:4]) for found in _MARKER_LIKE.finditer(text) for number in re.findall(r"\d+", found[0])]
    return len(numbers), sum(not 1 <= number <= examples for number in numbers)


def markers_of(text: str) -> tuple[int, ...]:
    """Returns the markers in a text, each once, in order of appearance."""
    return tuple(dict.fromkeys(int(number) for number in MARKER.findall(text)))


def without_markers(text: str) -> str:
    """Returns the text without any marker."""
    return re.sub(r"\s*\[\d{1,3}\]", "", text).strip()
