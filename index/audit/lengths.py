"""How long questions and answers are: in characters, in Kiwi morphemes and in a tokenizer's tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import ModelNotFoundError, one_line
from data.hub import hub_answers
from data.tokenizer_files import load_tokenizer

MOST_BINS = 24


@dataclass(frozen=True, slots=True)
class Lengths:
    """A distribution of lengths.

    Attributes:
        of: "question" or "answer".
        unit: "characters", "morphemes" or "tokens".
        count: Number of texts.
        smallest: Shortest text.
        median: Half the texts are no longer.
        mean: Average.
        p95: 95 of 100 texts are no longer.
        largest: Longest text.
        edges: Edges of the histogram, whole numbers one width apart: a bin holds what is at least its left edge and
            below its right one, the last bin all that is longer, too.
        bars: Number of texts in each of at most `MOST_BINS` bins.
    """

    of: str
    unit: str
    count: int
    smallest: int
    median: float
    mean: float
    p95: float
    largest: int
    edges: tuple[int, ...]
    bars: tuple[int, ...]

    @property
    def cut(self) -> bool:
        """Tells whether the last bin holds texts longer than its right edge."""
        return self.largest >= self.edges[-1]


def lengths(of: str, unit: str, values: Sequence[int]) -> Lengths:
    """Summarises at least one length."""
    array = np.asarray(values)
    p95 = float(np.percentile(array, 95))
    # A few very long texts would press all others into one bar.
    ceiling = int(min(float(array.max()), 1.5 * p95))
    # Bins of a broken width hold now two whole numbers and now three: peaks that are not in the texts.
    width = max(1, ceil((ceiling + 1) / MOST_BINS))
    bars = np.bincount(np.minimum(array, ceiling) // width)
    return Lengths(
        of=of,
        unit=unit,
        count=len(array),
        smallest=int(array.min()),
        median=float(np.median(array)),
        mean=round(float(array.mean()), 1),
        p95=round(p95, 1),
        largest=int(array.max()),
        edges=tuple(range(0, (len(bars) + 1) * width, width)),
        bars=tuple(int(bar) for bar in bars),
    )


def load_token_counter(name: str) -> Callable[[str], int]:
    """Loads a tokenizer and returns a function that counts a text's tokens, special tokens left out.

    Args:
        name: The path of a tokenizer's directory, or a Hugging Face name, cached where the hub is away.

    Raises:
        ModelNotFoundError: There is no such tokenizer.
    """
    folder = Path(name)
    if folder.is_dir() and not any(folder.glob("*token*")):
        raise ModelNotFoundError(f"{name}: is a directory without a tokenizer; give one with a tokenizer.json")
    tokenizer = load_tokenizer(folder) if folder.is_dir() else _by_name(name)
    return lambda text: len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _by_name(name: str) -> Any:
    from transformers import AutoTokenizer

    local_only = not hub_answers(name)
    try:
        return AutoTokenizer.from_pretrained(name, local_files_only=local_only, trust_remote_code=False)
    except Exception as error:  # whatever the hub's client of the day raises
        raise ModelNotFoundError(
            f"tokenizer {name!r} is neither a directory nor in the local cache nor reachable "
            f"({one_line(error, 120)}); give the path of a downloaded one"
        ) from error
