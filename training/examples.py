"""Turns groups into training rows: a prompt, rendered exactly as at inference, and what is to be answered.

Four kinds: closed-book (the question alone), grounded (the right group among the retriever's own near misses; the
answer is the shown one, cited sentence by sentence), compound (two questions in one message, both parts answered in
order), and unanswerable (near misses only; the answer is the refusal). Everything is drawn from one seed.

Knows nothing about tokens or models.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from data.errors import InputError
from data.prompts import (
    REFUSAL,
    Example,
    cited_sentences,
    closed_book_messages,
    defused,
    examples_of,
    grounded_messages,
)
from data.types import Hit, Message
from training.config import MixSettings
from training.near_misses import Asked

Kind = Literal["closed_book", "grounded", "compound", "unanswerable"]
KINDS: tuple[Kind, ...] = ("closed_book", "grounded", "compound", "unanswerable")

_JOINERS = (" 또한, ", " 그리고 ", " 또, ", " ", " 추가로, ")
_ASKS = re.compile(r"[?.!~]\s*$")


@dataclass(frozen=True, slots=True)
class Row:
    """One training example.

    Attributes:
        kind: What it teaches.
        prompt: The messages shown.
        completion: What is to be answered.
        asked: Ids of the groups, or names of the records, that are asked.
        shown: Ids of those shown as examples, in order.
    """

    kind: Kind
    prompt: tuple[Message, ...]
    completion: str
    asked: tuple[str, ...]
    shown: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the row in the prompt-completion form that TRL documents."""
        return {
            "prompt": [message._asdict() for message in self.prompt],
            "completion": [{"role": "assistant", "content": self.completion}],
        }


def cited(answer: str, marker: int) -> str:
    """Puts a marker after every sentence of a shown answer: "문장. [2] 문장. [2]"."""
    return " ".join(cited_sentences(answer, marker))


def draw_rows(asked: Sequence[Asked], mix: MixSettings, seed: int) -> list[Row]:
    """Draws training rows.

    Args:
        asked: The questions and what the retriever found for them.
        mix: Number of rows, proportions and rendering.
        seed: The same questions, settings and seed give the same rows.

    Returns:
        `mix.rows` rows, shuffled.

    Raises:
        InputError: A kind of row that is wanted cannot be made of these groups.
    """
    rng = random.Random(seed)  # noqa: S311 - a reproducible draw, not a secret
    rows: list[Row] = []
    for kind, count in _counts(mix, mix.rows).items():
        source = _cycle(_usable(asked, kind, mix), rng)
        rows += [_row(kind, next(source), source, mix, rng) for _ in range(count)]
    rng.shuffle(rows)
    return rows


def held_out_rows(asked: Sequence[Asked], mix: MixSettings, seed: int) -> list[Row]:
    """Renders questions of held-out groups as inference would: retriever's order, medoid answers.

    Closed-book rows are left out when there are others: nobody can know the answer of a group never seen, and their
    loss would drown what the others say.
    """
    plain = replace(mix, order="retriever", answers="medoid", examples_least=0, reach=0)
    if mix.closed_book < 1:
        rest = 1 - mix.closed_book
        plain = replace(
            plain,
            closed_book=0.0,
            grounded=mix.grounded / rest,
            compound=mix.compound / rest,
            unanswerable=mix.unanswerable / rest,
        )
    if len({item.group.id for item in asked}) < 2:  # one group alone joins with none
        plain = replace(plain, compound=0.0, grounded=plain.grounded + plain.compound)
    plain = replace(plain, rows=min(mix.held_out_rows, 2 * len(asked)))
    return draw_rows(asked, plain, seed)


def _counts(mix: MixSettings, rows: int) -> dict[Kind, int]:
    """Deals rows out by proportion, the largest remainders first."""
    exact = {kind: rows * float(getattr(mix, kind)) for kind in KINDS}
    counts = {kind: int(value) for kind, value in exact.items()}
    by_remainder = sorted(KINDS, key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: rows - sum(counts.values())]:
        counts[kind] += 1
    return counts


def _usable(asked: Sequence[Asked], kind: Kind, mix: MixSettings) -> list[Asked]:
    if not getattr(mix, kind):
        return []
    usable = [item for item in asked if kind != "unanswerable" or item.near_misses]
    if len({item.group.id for item in usable}) < (2 if kind == "compound" else 1):
        raise InputError(f"too few groups for {kind} rows: give more groups, or set mix.{kind} to 0")
    return usable


def _cycle(items: Sequence[Asked], rng: random.Random) -> Iterator[Asked]:
    """Yields items forever, every one once before any comes again."""
    while True:
        yield from rng.sample(items, len(items))


def _row(kind: Kind, item: Asked, source: Iterator[Asked], mix: MixSettings, rng: random.Random) -> Row:
    if kind == "closed_book":
        answer = item.own.answer if mix.answers == "medoid" else rng.choice(item.group.answers)
        text = defused(answer)
        return Row(kind, closed_book_messages(item.question), text, (item.group.id,))
    if kind == "compound":
        other = next(entry for entry in source if entry.group.id != item.group.id)
        return _compound(item, other, mix, rng)
    wanted = item.hits if kind == "grounded" else item.near_misses
    hits = _shown(wanted, {item.group.id} if kind == "grounded" else set(), mix, rng)
    completion = _answer_of(item.group.id, hits) if kind == "grounded" else REFUSAL
    return _grounded(kind, item.question, hits, completion, (item.group.id,))


def _compound(first: Asked, second: Asked, mix: MixSettings, rng: random.Random) -> Row:
    opening = first.question if _ASKS.search(first.question) else f"{first.question}?"
    question = f"{opening}{rng.choice(_JOINERS)}{second.question}"
    ids = (first.group.id, second.group.id)
    found = {hit.group.id: hit for hit in (*second.hits, *first.hits)}
    ranked = sorted(found.values(), key=lambda hit: -hit.score)
    hits = _shown(ranked, set(ids), mix, rng)
    completion = " ".join(_answer_of(group_id, hits) for group_id in ids)
    return _grounded("compound", question, hits, completion, ids)


def _shown(hits: Sequence[Hit], needed: set[str], mix: MixSettings, rng: random.Random) -> list[Hit]:
    """Chooses the examples: the first ones, and those needed in place of the last of the others."""
    count = rng.randint(mix.examples_least, mix.examples) if mix.examples_least else mix.examples
    others = [hit for hit in hits if hit.group.id not in needed]
    wanted = max(0, count - len(needed))
    near = others[: mix.reach]
    fillers = rng.sample(near, wanted) if len(near) > wanted else others[:wanted]
    keep = {hit.group.id for hit in fillers} | needed
    chosen = [hit for hit in hits if hit.group.id in keep]
    if mix.answers == "any":
        short = rng.random() < mix.shortest
        chosen = [
            replace(hit, answer=min(hit.group.answers, key=len) if short else rng.choice(hit.group.answers))
            for hit in chosen
        ]
    while sum(len(hit.question) + len(hit.answer) for hit in chosen) > mix.example_chars:
        spare = [hit for hit in chosen if hit.group.id not in needed]
        if not spare or len(chosen) == 1:
            break
        chosen.remove(spare[-1])
    if mix.order == "shuffled" or (mix.order == "mixed" and rng.random() < 0.5):
        rng.shuffle(chosen)
    return chosen


def _answer_of(group_id: str, hits: Sequence[Hit]) -> str:
    return next(cited(hit.answer, marker) for marker, hit in enumerate(hits, 1) if hit.group.id == group_id)


def _grounded(kind: Kind, question: str, hits: Sequence[Hit], completion: str, asked: tuple[str, ...]) -> Row:
    shown: tuple[Example, ...] = examples_of(hits)
    return Row(kind, grounded_messages(question, shown), completion, asked, tuple(hit.group.id for hit in hits))
