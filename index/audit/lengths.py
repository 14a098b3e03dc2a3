"""How long questions and answers are: in characters, in Kiwi morphemes and in a tokenizer's tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from data.errors import ModelNotFoundError

BINS = 24


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
        edges: `BINS + 1` edges of the histogram; what is longer than 1.5 times p95 lies in the last bin.
        bars: Number of texts in each bin.
    """

    of: str
    unit: str
    count: int
    smallest: int
    median: float
    mean: float
    p95: float
    largest: int
    edges: tuple[float, ...]
    bars: tuple[int, ...]


def lengths(of: str, unit: str, values: Sequence[int]) -> Lengths:
    """Summarises at least one length."""
    array = np.asarray(values)
    p95 = float(np.percentile(array, 95))
    # A few very long texts would press all others into one bar.
    ceiling = max(1.0, min(float(array.max()), 1.5 * p95))
    bars, edges = np.histogram(np.minimum(array, ceiling), bins=BINS, range=(0, ceiling))
    return Lengths(
        of=of,
        unit=unit,
        count=len(array),
        smallest=int(array.min()),
        median=float(np.median(array)),
        mean=round(float(array.mean()), 1),
        p95=round(p95, 1),
        largest=int(array.max()),
        edges=tuple(round(float(edge), 2) for edge in edges),
        bars=tuple(int(bar) for bar in bars),
    )


def load_token_counter(name: str) -> Callable[[str], int]:
    """Loads a tokenizer and returns a function that counts a text's tokens, special tokens left out.

    Args:
        name: A Hugging Face name or the path of a tokenizer's directory.

    Raises:
        ModelNotFoundError: There is no such tokenizer.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelNotFoundError(
            f"tokenizer {name!r} is neither a directory nor in the local cache nor reachable ({reason}); "
            "give the path of a downloaded one"
        ) from error
    return lambda text: len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
