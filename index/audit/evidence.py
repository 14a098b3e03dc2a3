"""What the audit saw: facts, said in the language of whoever reads them, and the texts concerned, quoted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

Say = Callable[..., str]
Fact = Literal[
    "answers_disagree",
    "answer_outlier",
    "mismatch",
    "nearly_repeats",
    "same",
    "same_words",
    "repeats",
    "also_stands",
    "nearly_stands",
    "twin_and_answers_differ",
    "twin_differs",
    "answers_differ",
    "half_answered",
    "yes_and_no",
    "wrongly_decoded",
    "not_nfc",
    "invisible",
    "backtick",
    "quote",
    "editing_note",
    "model_talk",
    "markup",
    "lone_letter",
    "cut_off",
]
"""Names of the sentences under `seen` in the catalogues."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One fact.

    Attributes:
        key: Its name.
        values: Names and numbers that its sentence holds.
    """

    key: Fact
    values: Mapping[str, str | float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one finding rests on.

    Attributes:
        seen: The facts, at least one.
        texts: The texts concerned, shortened; of a doubted text, that first.
    """

    seen: tuple[Seen, ...]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, key: Fact, *texts: str, **values: str | float) -> Self:
        """Makes the evidence of one fact; numbers are rounded to four places."""
        rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}
        return cls((Seen(key, rounded),), texts)

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Reads what stands in `audit.json`."""
        return cls(tuple(Seen(**each) for each in value["seen"]), tuple(value["texts"]))

    def lines(self, say: Say) -> tuple[str, ...]:
        """Returns the facts on one line, then the texts; `say` is as `data.catalog.message`."""
        return "; ".join(say(f"seen.{each.key}", **each.values) for each in self.seen), *self.texts

    def in_words(self, say: Say) -> str:
        """Returns the lines as one, for the cell of a table."""
        return " | ".join(self.lines(say))
