"""Turns rows into token ids and labels, the prompt exactly as inference encodes it.

TRL would tokenise for us, but it only warns when a prompt is no prefix of its row, and neither counts the rows it cuts
nor those it drops. So it is given ids. A row ends with the token at which generation stops, and no later one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from data.chat import row_ids, stop_token
from data.errors import InputError
from training.examples import Row

IGNORED = -100
"""The label of a token without a loss."""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One row as the model sees it.

    Attributes:
        input_ids: Prompt and completion.
        prompt_length: Tokens of the prompt.
        truncated: Whether the completion's end was cut off.
    """

    input_ids: tuple[int, ...]
    prompt_length: int
    truncated: bool = False

    @property
    def labels(self) -> list[int]:
        """Returns the ids of the completion, and `IGNORED` for the prompt."""
        return [IGNORED] * self.prompt_length + list(self.input_ids[self.prompt_length :])


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows that fit, and what had to be cut.

    Attributes:
        rows: Rows with at least one label.
        truncated: Rows of these that lost the end of their completion.
        dropped: Rows left out since nothing of their completion fits.
        by_kind: Rows kept, by kind.
    """

    rows: tuple[EncodedRow, ...]
    truncated: int = 0
    dropped: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)

    def digest(self) -> str:
        """Returns a digest of all ids, by which a resumed run knows that its data are the same."""
        digest = sha256()
        for row in self.rows:
            digest.update(f"{row.prompt_length}:{row.input_ids}\n".encode())
        return digest.hexdigest()[:16]

    def counts(self) -> dict[str, Any]:
        """Returns what the report says about the rows."""
        lengths = sorted(len(row.input_ids) for row in self.rows)
        return {
            "rows": len(self.rows),
            "by_kind": self.by_kind,
            "truncated": self.truncated,
            "dropped": self.dropped,
            "tokens": sum(lengths),
            "label_tokens": sum(len(row.input_ids) - row.prompt_length for row in self.rows),
            "median_length": lengths[len(lengths) // 2] if lengths else 0,
            "longest": lengths[-1] if lengths else 0,
        }


def encode_rows(rows: Sequence[Row], tokenizer: Any, max_length: int) -> EncodedRows:
    """Encodes rows, cutting what is longer than `max_length` tokens at the end.

    Raises:
        InputError: No label survives in any row, or a prompt is not a token prefix of its row.
    """
    kept: list[EncodedRow] = []
    kinds: Counter[str] = Counter()
    longest_prompt = 0
    for row in rows:
        encoded = encode_row(row, tokenizer)
        longest_prompt = max(longest_prompt, encoded.prompt_length)
        if encoded.prompt_length >= max_length:
            continue
        if len(encoded.input_ids) > max_length:
            encoded = EncodedRow(encoded.input_ids[:max_length], encoded.prompt_length, truncated=True)
        kept.append(encoded)
        kinds[row.kind] += 1
    if rows and not kept:
        raise InputError(
            f"data.max_length is {max_length}, and no label of any of the {len(rows)} rows lies before it; "
            f"the longest prompt has {longest_prompt} tokens: raise max_length, or show fewer examples"
        )
    return EncodedRows(tuple(kept), sum(row.truncated for row in kept), len(rows) - len(kept), dict(kinds))


def encode_row(row: Row, tokenizer: Any) -> EncodedRow:
    """Encodes one row, whole.

    Raises:
        InputError: The tokens of the prompt are not the first tokens of the row: the model would be trained on
            another prompt than it is asked with.
        GenerationError: The chat template takes no such messages.
    """
    prompt, full = row_ids(tokenizer, row.prompt, row.completion)
    if full[: len(prompt)] != prompt:
        same = next((i for i, (a, b) in enumerate(zip(prompt, full, strict=False)) if a != b), len(full))
        before, alone, within = (
            tokenizer.decode(ids)
            for ids in (prompt[max(0, same - 4) : same], prompt[same : same + 4], full[same : same + 4])
        )
        raise InputError(
            "the prompt is not a token prefix of prompt and answer with this tokenizer: after "
            f"{before!r} stands {alone!r} in the one and {within!r} in the other; "
            "mend its chat template, or choose another base"
        )
    return EncodedRow(_ended(full, len(prompt), tokenizer), len(prompt))


def _ended(full: list[int], prompt_length: int, tokenizer: Any) -> tuple[int, ...]:
    """Cuts after the completion's first stop token (templates put a line break behind it), or adds one."""
    stop = stop_token(tokenizer)
    for position in range(prompt_length, len(full)):
        if full[position] == stop:
            return tuple(full[: position + 1])
    return (*full, stop)
