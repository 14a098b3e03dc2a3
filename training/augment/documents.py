"""Reads documents into passages: TXT, Markdown, HTML and PDF. What cannot be read is named with its reason."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data.errors import DobaeError, FileFormatError, InputError, one_line
from data.tables import read_text
from data.text import clean_text
from training.augment.passages import Passage

SHORTEST = 80
WANTED = 400
LONGEST = 900
"""Characters of a passage: enough for a few questions, little enough for a prompt."""

_SENTENCE_END = re.compile(r"(?<=[.!?다요])(?<!\d\.)\s+")
_MARKDOWN = (
    (re.compile(r"\A---\n.*?\n---\n", re.DOTALL), ""),
    (re.compile(r"^```.*?^```[^\n]*$", re.DOTALL | re.MULTILINE), ""),
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r"<[^>\n]{1,200}>"), ""),
    (re.compile(r"^\s{0,3}(?:#{1,6}|[-*+]|>|\d+[.)])\s+", re.MULTILINE), ""),
    (re.compile(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"^[\s|:-]+$", re.MULTILINE), ""),
)


class Unreadable(DobaeError):  # noqa: N818 - a finding about one document, not the end of a run
    """A document that cannot be used; the message says why."""

    code = "unreadable"


@dataclass(frozen=True, slots=True)
class Documents:
    """Passages in the order of the files' names, and the files that gave none, with the reason."""

    passages: tuple[Passage, ...]
    unreadable: tuple[tuple[str, str], ...]


def read_documents(folder: Path) -> Documents:
    """Reads every document of a folder and its subfolders.

    Raises:
        InputError: There is no such folder, or no passage in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a directory; put the documents in one")
    passages: list[Passage] = []
    unreadable: list[tuple[str, str]] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        name = path.relative_to(folder).as_posix()
        try:
            passages += _passages_of(path, name)
        except Unreadable as error:
            unreadable.append((name, str(error)))
    if not passages:
        first = f"; {unreadable[0][0]}: {unreadable[0][1]}" if unreadable else ""
        raise InputError(f"{folder}: no passage in {len(unreadable)} files{first}")
    return Documents(tuple(passages), tuple(unreadable))


def _passages_of(path: Path, name: str) -> list[Passage]:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise Unreadable(f"{path.suffix or 'no suffix'} is not read; give TXT, MD, HTML or PDF")
    found = list(reader(path, name))
    if not found:
        raise Unreadable(f"holds no passage of {SHORTEST} characters")
    return found


def split_passages(text: str, source: str, *, place: str = "", title: str = "", licence: str = "") -> Iterator[Passage]:
    """Cuts a text at paragraph and sentence ends into passages of `WANTED` to `LONGEST` characters.

    A rest shorter than `SHORTEST` joins the passage before it, or is left out where there is none.
    """
    blocks: list[str] = []
    for paragraph in clean_text(text, keep_lines=True).text.split("\n"):
        for piece in _pieces(paragraph):
            if blocks and len(blocks[-1]) < WANTED and len(blocks[-1]) + len(piece) < LONGEST:
                blocks[-1] += f"\n{piece}"
            else:
                blocks.append(piece)
    if len(blocks) > 1 and len(blocks[-1]) < SHORTEST:
        rest = blocks.pop()
        blocks[-1] += f"\n{rest}"
    for number, block in enumerate(blocks, 1):
        if len(block) >= SHORTEST:
            where = ", ".join(part for part in (place, f"passage {number}") if part)
            yield Passage(block, source, where, title, licence)


def _pieces(paragraph: str) -> Iterator[str]:
    """Yields a paragraph whole, or its sentences; a longer sentence is cut between words, a longer word anywhere."""
    for sentence in [paragraph] if len(paragraph) <= LONGEST else _SENTENCE_END.split(paragraph):
        rest = sentence.strip()
        while len(rest) > LONGEST:
            space = rest.rfind(" ", 1, LONGEST + 1)
            cut = space if space > 0 else LONGEST
            yield rest[:cut]
            rest = rest[cut:].lstrip()
        if rest:
            yield rest


def main_text(html: str, url: str = "") -> tuple[str, str, str]:
    """Extracts a page's main text, title and licence; the latter two may be empty.

    Raises:
        Unreadable: No main text is found.
    """
    import trafilatura

    text = trafilatura.extract(html, url=url or None, include_comments=False, include_tables=True)
    if not text:
        raise Unreadable("no main text is found in the page")
    about = trafilatura.extract_metadata(html, default_url=url or None)
    return text, str(about.title or ""), str(about.license or "")


def _text_of(path: Path) -> str:
    try:
        return read_text(path, table=False)
    except FileFormatError as error:
        raise Unreadable(str(error).removeprefix(f"{path}: ")) from error


def _from_text(path: Path, name: str) -> Iterator[Passage]:
    return split_passages(_text_of(path), name)


def _from_markdown(path: Path, name: str) -> Iterator[Passage]:
    text = _text_of(path)
    title = re.search(r"^#\s+(.+)$", text, re.MULTILINE)
    for pattern, replacement in _MARKDOWN:
        text = pattern.sub(replacement, text)
    return split_passages(text, name, title=title[1].strip() if title else "")


def _from_html(path: Path, name: str) -> Iterator[Passage]:
    text, title, licence = main_text(_text_of(path))
    return split_passages(text, name, title=title, licence=licence)


def _from_pdf(path: Path, name: str) -> Iterator[Passage]:
    import logging

    from pypdf import PdfReader

    # pypdf tells of every flaw that it works around; what it cannot work around is raised.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(path)
        locked = reader.is_encrypted and not reader.decrypt("")
        title = "" if locked or not reader.metadata else str(reader.metadata.title or "")
        pages = [] if locked else [page.extract_text() for page in reader.pages]
    except Exception as error:  # pypdf fails in its own and in every other way
        raise Unreadable(f"is not a readable PDF ({one_line(error, 100)})") from error
    if locked:
        raise Unreadable("is encrypted; save it without a password")
    if not any(page.strip() for page in pages):
        raise Unreadable("holds no text, only images; run text recognition first")
    for number, page in enumerate(pages, 1):
        # Lines of a page are cut by its width, not by its sentences.
        yield from split_passages(" ".join(page.split()), name, place=f"page {number}", title=title)


_READERS: dict[str, Callable[[Path, str], Iterator[Passage]]] = {
    ".txt": _from_text,
    ".md": _from_markdown,
    ".markdown": _from_markdown,
    ".html": _from_html,
    ".htm": _from_html,
    ".pdf": _from_pdf,
}
