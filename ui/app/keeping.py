"""What the keeper does with the base: look, change, take back, upload, download. Knows nothing about Streamlit."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data.cleaning import content_id
from data.errors import DobaeError, InputError
from data.readers import ReadResult, read_groups
from data.text import clean_text
from data.types import QAGroup
from index.editing import Edited, Editor, check_groups
from index.history import Revision, StoredGroup
from index.retriever import Retriever
from index.store import GroupStore

if TYPE_CHECKING:
    from index.encoders.base import Encoder, Progress

WAIT_SECONDS = 5.0
UPLOAD_TYPES = ("csv", "xlsx", "jsonl")
MAX_UPLOAD_MB = 20
SIMILAR = 20
"""Groups found by meaning for one search."""


class ChangedMeanwhileError(InputError):
    """Somebody else has changed the group since it was shown."""

    code = "changed_meanwhile"


@dataclass(frozen=True, slots=True)
class Preview:
    """What an upload would do.

    Attributes:
        read: What the file holds.
        new: Groups whose ids are new.
        changed: Groups that would change.
        unchanged: Groups that stand in the base just so.
    """

    read: ReadResult
    new: tuple[QAGroup, ...]
    changed: tuple[QAGroup, ...]
    unchanged: int

    @property
    def groups(self) -> tuple[QAGroup, ...]:
        """Returns the groups to be written."""
        return self.new + self.changed


class Keeping:
    """One base, seen and changed through the retriever that serves it.

    Args:
        retriever: Serves the base; its next search sees every change.
    """

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._seen: tuple[object, list[StoredGroup]] = (None, [])

    @property
    def store(self) -> GroupStore:
        """Returns the store of the base as it is served now."""
        return self._retriever.base.store

    @property
    def encoder(self) -> "Encoder":
        """Returns the encoder of the base."""
        return self._retriever.base.encoder

    def groups(self) -> list[StoredGroup]:
        """Returns all groups, the one changed last first."""
        store = self.store
        state = store.state()
        if self._seen[0] != state:
            state, groups = store.whole()
            # One assignment: another session's thread sees the old pair or the new one.
            self._seen = (state, sorted(groups, key=lambda stored: (-stored.revision, stored.key)))
        return self._seen[1]

    def find(self, words: str, category: str | None) -> list[StoredGroup]:
        """Returns groups of a category that hold the words, then those that mean something similar."""
        groups = [stored for stored in self.groups() if category is None or stored.group.category == category]
        wanted = " ".join(words.casefold().split())
        if not wanted:
            return groups
        holding = [stored for stored in groups if wanted in _text_of(stored.group)]
        try:
            hits = self._retriever.search(words[:2000], SIMILAR)
        except InputError:  # Words without a letter: there is nothing to search by meaning.
            return holding
        known = {stored.group.id for stored in holding}
        by_id = {stored.group.id: stored for stored in groups}
        return holding + [by_id[hit.group.id] for hit in hits if hit.group.id in by_id and hit.group.id not in known]

    def group(self, identifier: str) -> QAGroup | None:
        """Returns one group as it is now."""
        found = self.store.groups_by_id([identifier]).get(identifier)
        return found.group if found else None

    def categories(self) -> list[str]:
        """Returns the categories there are."""
        return sorted({stored.group.category for stored in self.groups()} - {""})

    def add(self, group: QAGroup, author: str) -> Edited:
        """Adds one group.

        Raises:
            InputError: As `index.editing.Editor.add`.
        """
        return self._editor(author).add([group])

    def change(self, before: QAGroup, after: QAGroup, author: str) -> Edited:
        """Changes one group.

        Raises:
            ChangedMeanwhileError: It is not as `before` any more.
            InputError: As `index.editing.Editor.update`.
        """

        def changed(now: QAGroup) -> QAGroup:
            _check_same(before, now)
            return after

        _check_same(before, self.group(before.id))
        # Another keeper may come first while this one waits for his turn.
        return self._editor(author).change(before.id, changed)

    def remove(self, before: QAGroup, author: str) -> Edited:
        """Removes one group.

        Raises:
            ChangedMeanwhileError: It is not as `before` any more.
            InputError: As `index.editing.Editor.remove`.
        """
        _check_same(before, self.group(before.id))
        return self._editor(author).remove([before.id], check=lambda now: _check_same(before, now))

    def undo(self, revision: int, author: str) -> Edited:
        """Takes back one revision."""
        return self._editor(author).undo(revision)

    def history(self, limit: int) -> list[Revision]:
        """Returns the last revisions, the newest first."""
        return self.store.revisions(limit=limit)

    def last_change(self, identifier: str) -> Revision | None:
        """Returns the last revision that changed a group, or the one that built the base; None if neither is known."""
        changed = self.store.revisions(limit=1, group_id=identifier)
        return next(iter(changed or self.store.revisions(limit=1, action="build")), None)

    def preview(self, name: str, raw: bytes) -> Preview:
        """Reads an uploaded file; nothing is written to the base.

        Args:
            name: As the visitor's machine calls it; only its ending is trusted.
            raw: Its bytes.

        Raises:
            InputError: The file cannot be used.
        """
        suffix = Path(name).suffix.lower()
        if suffix.removeprefix(".") not in UPLOAD_TYPES:
            raise InputError(f"{name}: choose a file that ends in {', '.join(UPLOAD_TYPES)}")
        with tempfile.TemporaryDirectory(prefix="dobae-upload-") as folder:
            path = Path(folder) / f"upload{suffix}"
            path.write_bytes(raw)
            try:
                read = read_groups(path, approved_only=True)
            except DobaeError as error:
                raise type(error)(str(error).replace(str(path), name)) from error
        # Where a row names no source, the reader names the file.
        groups = [replace(group, source=name[:200]) if group.source == path.name else group for group in read.groups]
        check_groups(groups)
        held = self.store.groups_by_id([group.id for group in groups])
        new = tuple(group for group in groups if group.id not in held)
        changed = tuple(group for group in groups if group.id in held and held[group.id].group != group)
        return Preview(read, new, changed, len(groups) - len(new) - len(changed))

    def apply(self, preview: Preview, author: str, progress: "Progress") -> Edited:
        """Writes what a preview showed, as one revision."""
        return self._editor(author).import_groups(preview.groups, progress=progress)

    def exported(self, suffix: str) -> bytes:
        """Returns every group in one of the formats of `data.exchange`.

        Raises:
            InputError: The format cannot hold a text.
        """
        from data.exchange import export_groups

        with tempfile.TemporaryDirectory(prefix="dobae-download-") as folder:
            path = Path(folder) / f"dobae{suffix}"
            export_groups(path, [stored.group for stored in sorted(self.groups(), key=lambda stored: stored.key)])
            return path.read_bytes()

    def _editor(self, author: str) -> Editor:
        base = self._retriever.base
        return Editor(base.path, base.encoder, author=author or "keeper", wait=WAIT_SECONDS)


def written_group(
    questions: str, answers: list[str], category: str, source: str, identifier: str | None = None
) -> QAGroup:
    """Makes a group of what stands in a form.

    Args:
        questions: One wording a line.
        answers: Empty ones are left out.
        category: Free text.
        source: Free text.
        identifier: Made from the content if None.
    """
    wordings = _cleaned(questions.splitlines())
    kept = _cleaned(answers, keep_lines=True)
    names = (clean_text(category).text, clean_text(source).text)
    return QAGroup(identifier or content_id(wordings, kept), wordings, kept, *names)


def _check_same(before: QAGroup, now: QAGroup | None) -> None:
    if now != before:
        raise ChangedMeanwhileError(f"group {before.id!r} has changed since it was shown; look at it again")


def _cleaned(texts: list[str], *, keep_lines: bool = False) -> tuple[str, ...]:
    cleaned = (clean_text(text, keep_lines=keep_lines).text for text in texts)
    return tuple(dict.fromkeys(text for text in cleaned if text))


def _text_of(group: QAGroup) -> str:
    return " ".join((group.id, *group.questions, *group.answers)).casefold()
