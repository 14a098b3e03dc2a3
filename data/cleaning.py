"""One group of what a file says, the same for tables and JSON lines: cleaned, checked, and what was mended counted."""

from collections import Counter
from collections.abc import Collection, Iterable
from hashlib import blake2s
from pathlib import Path

from data.errors import InputError, one_line
from data.text import MAX_ANSWER_CHARS, MAX_QUESTION_CHARS, clean_text
from data.types import QAGroup


def cleaned_group(
    questions: Iterable[str],
    answers: Iterable[str],
    *,
    identifier: str,
    category: str,
    source: str,
    repairs: Counter[str],
) -> QAGroup:
    """Makes a group of texts as they stand in a file.

    Args:
        questions: Wordings; empty ones and repetitions are left out.
        answers: Likewise.
        identifier: May be empty.
        category: May be empty.
        source: May be empty.
        repairs: Counts what was mended, by its name.

    Raises:
        InputError: Says why the row cannot be used.
    """
    group = QAGroup(
        id=clean_text(identifier).text,
        questions=_cleaned(questions, repairs),
        answers=_cleaned(answers, repairs, keep_lines=True),
        category=clean_text(category).text,
        source=clean_text(source).text,
    )
    if problem := _problem(group):
        raise InputError(problem)
    return group


def content_id(questions: tuple[str, ...], answers: tuple[str, ...]) -> str:
    """Returns an id made from a group's content."""
    digest = blake2s("\x1f".join((*questions, "", *answers)).encode(), digest_size=5)
    return f"qa-{digest.hexdigest()}"


def unread_note(path: Path, what: str, names: Collection[str]) -> list[str]:
    """Says which columns, sheets or keys of a file were not read."""
    return [f"{path.name}: {what} not read: {one_line(', '.join(names), 200)}"] if names else []


_REPAIR_WORDS = {
    "nfc": "put into Unicode NFC",
    "invisible": "freed of invisible characters",
    "backtick": "freed of back-ticks",
    "quote": "freed of stray quotation marks",
}


def repair_notes(path: Path, repairs: Counter[str]) -> list[str]:
    """Says how many texts of a file were mended, and how."""
    return [f"{path.name}: {count} texts were {_REPAIR_WORDS[name]}" for name, count in sorted(repairs.items())]


def _cleaned(raws: Iterable[str], repairs: Counter[str], *, keep_lines: bool = False) -> tuple[str, ...]:
    texts: dict[str, None] = {}
    for raw in raws:
        cleaned = clean_text(raw, keep_lines=keep_lines)
        repairs.update(cleaned.repairs)
        if cleaned.text:
            texts[cleaned.text] = None
    return tuple(texts)


def _problem(group: QAGroup) -> str:
    questions, answers = group.questions, group.answers
    if not questions and not answers:
        return "question and answer are empty"
    if not questions:
        return "question is empty"
    if not answers:
        return "answer is empty"
    if not any(char.isalnum() for text in questions for char in text):
        return "question holds no letter or digit"
    for what, texts, most in (
        ("question", questions, MAX_QUESTION_CHARS),
        ("answer", answers, MAX_ANSWER_CHARS),
        ("id", (group.id,), MAX_QUESTION_CHARS),
        ("category", (group.category,), MAX_QUESTION_CHARS),
        ("source", (group.source,), MAX_QUESTION_CHARS),
    ):
        longest = max(map(len, texts))
        if longest > most:
            return f"{what} has {longest:,} characters; shorten it to at most {most:,}"
    return ""
