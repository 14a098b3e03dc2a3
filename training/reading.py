"""Rows from general reading data: choosing, copying and refusing are skills that any text can teach.

A record is a question and an answer that restates its context. Its example is shown under its topic alone (the words
that question and answer begin with), so that the question asked is not simply repeated; the distractors are other
records of the same kind, those that share a word first.
"""

import json
import lzma
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from data.errors import FileFormatError, InputError
from data.prompts import REFUSAL, Example, grounded_messages
from data.text import clean_text
from training.config import MixSettings
from training.examples import Kind, Row, cited

_SHORTEST_TOPIC = 2
_LONGEST_ANSWER = 400


@dataclass(frozen=True, slots=True)
class Record:
    """One question with its answer.

    Attributes:
        topic: What is asked about, with its particle; empty when there is nothing to show.
        question: The question asked.
        answer: The answer; empty for a question that nothing shown answers.
        source: Where it comes from.
        licence: Its licence.
    """

    topic: str
    question: str
    answer: str
    source: str
    licence: str


@dataclass(frozen=True, slots=True)
class ReadingRows:
    """Rows, and how many each (source, licence) gave."""

    rows: tuple[Row, ...]
    sources: tuple[tuple[str, str, int], ...] = ()


def read_records(path: Path) -> list[Record]:
    """Reads the records that have a context and can be used.

    Args:
        path: JSONL or JSONL.xz of context, question, answer, source, licence.

    Raises:
        FileFormatError: The file is missing, damaged or holds no usable record.
    """
    records: list[Record] = []
    try:
        for number, line in enumerate(_lines(path), 1):
            if not line.strip():
                continue
            try:
                record = _record(json.loads(line))
            except (ValueError, TypeError, AttributeError, KeyError) as error:
                what = f"{error} is missing" if isinstance(error, KeyError) else error
                raise FileFormatError(f"{path}, line {number}: not a record ({what})") from error
            if record is not None:
                records.append(record)
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: cannot be read ({error})") from error
    if not any(record.answer for record in records):
        raise FileFormatError(f"{path}: no usable record; each needs a context, a question and an answer")
    return records


def draw_reading_rows(records: Sequence[Record], count: int, mix: MixSettings, seed: int) -> ReadingRows:
    """Draws grounded and unanswerable rows, in the proportion of the mix.

    Raises:
        InputError: The mix has neither kind.
    """
    if not count:
        return ReadingRows(())
    total = mix.grounded + mix.unanswerable
    if not total:
        raise InputError("data.reading_rows needs mix.grounded or mix.unanswerable above 0")
    rng = random.Random(seed)  # noqa: S311 - a reproducible draw, not a secret
    shelf = _Shelf([record for record in records if record.answer])
    unanswerable = [record for record in records if not record.answer] or list(shelf.records)
    if len({record.topic for record in shelf.records}) < 2:
        raise InputError("data.reading: its usable records ask about one thing; choosing needs two")
    refusals = round(count * mix.unanswerable / total)
    rows: list[Row] = []
    used: dict[tuple[str, str], int] = defaultdict(int)
    for number in range(count):
        refuse = number < refusals
        record = rng.choice(unanswerable if refuse and rng.random() < 0.5 else shelf.records)
        rows.append(_row(record, refuse, shelf, mix, rng))
        used[record.source, record.licence] += 1
    rng.shuffle(rows)
    return ReadingRows(tuple(rows), tuple((*key, number) for key, number in sorted(used.items())))


class _Shelf:
    """Records that can be found by the words of their topics."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self._by_word: dict[str, list[int]] = defaultdict(list)
        self._by_source: dict[str, list[int]] = defaultdict(list)
        for position, record in enumerate(records):
            self._by_source[record.source].append(position)
            for word in record.topic.split():
                self._by_word[word].append(position)

    def distractors(self, asked: Record, count: int, rng: random.Random) -> list[Record]:
        """Draws records about something else: half that share a word, the rest of the same source."""
        alike = [position for word in asked.question.split() for position in self._by_word.get(word, ())]
        same = self._by_source.get(asked.source) or range(len(self.records))
        chosen: dict[str, Record] = {}
        for attempt in range(20 * count):
            pool: Sequence[int] = alike if alike and attempt < count else same
            record = self.records[rng.choice(pool)]
            about_it = record.topic == asked.topic or record.topic.split()[0] in asked.question.split()[0]
            if not about_it and record.answer != asked.answer:
                chosen[record.topic] = record
            if len(chosen) == count:
                break
        return list(chosen.values())


def _row(record: Record, refuse: bool, shelf: _Shelf, mix: MixSettings, rng: random.Random) -> Row:
    count = rng.randint(mix.examples_least, mix.examples) if mix.examples_least else mix.examples
    shown = shelf.distractors(record, count if refuse else count - 1, rng)
    if not refuse:
        shown.insert(0, record)
    rng.shuffle(shown)
    examples = [Example(f"{entry.topic}?", entry.answer) for entry in shown]
    completion = REFUSAL if refuse else cited(record.answer, shown.index(record) + 1)
    kind: Kind = "unanswerable" if refuse else "grounded"
    name = f"reading:{record.topic or record.question}"
    return Row(
        kind,
        grounded_messages(record.question, examples),
        completion,
        (name,),
        tuple(f"reading:{entry.topic}" for entry in shown),
    )


def _record(content: dict[str, str]) -> Record | None:
    """Returns a usable record, or None for one without context, topic, or with an overlong answer."""
    if not content.get("context"):
        return None
    question, answer = clean_text(content["question"]).text, clean_text(content["answer"]).text
    source, licence = content.get("source", ""), content.get("licence", "")
    if "unanswerable" in source:
        return Record("", question, "", source, licence) if question else None
    same = (a == b for a, b in zip(question, answer, strict=False))
    topic = question[: sum(takewhile(bool, same))]
    topic = topic[: topic.rfind(" ")] if " " in topic and not _whole_word(topic, question) else topic
    topic = topic.strip(" ?.,")
    if len(topic) < _SHORTEST_TOPIC or len(answer) > _LONGEST_ANSWER or topic == answer:
        return None
    return Record(topic, question, answer, source, licence)


def _whole_word(topic: str, question: str) -> bool:
    return len(topic) == len(question) or topic.endswith(" ") or question[len(topic)] == " "


def _lines(path: Path) -> Iterator[str]:
    if path.suffix == ".xz":
        with lzma.open(path, "rt", encoding="utf-8") as file:
            yield from file
    else:
        with path.open(encoding="utf-8") as file:
            yield from file
