"""Edits a knowledge base while others read it.

One edit is one transaction and one revision: written to the truth with its author, time and what was there before. The
derived files stay as they are; readers lay the changes over them (`index.overlay`), until so many have gathered that
the files are made again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import DobaeError, InputError, one_line
from data.groups import group_problem
from data.types import QAGroup
from index.building import derive_again, open_to_mend
from index.database import Session
from index.encoders.base import Encoder, Progress
from index.encoders.cache import CACHE_FILE, EmbeddingCache
from index.history import Edit, Revision, StoredGroup
from index.knowledge_base import check_encoder
from index.locking import lock_file, user_name, writing
from index.manifest import DerivedFilesError, Manifest, check_there, read_manifest
from index.store import GroupStore
from index.store_writing import commit

COMPACT_AFTER = 1_000
"""Changes that may lie over the derived files of a small base."""

COMPACT_SHARE = 0.1
"""Changes that may lie over them in a large base, as a share of its groups."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit did.

    Attributes:
        revision: The revision made, or None if there was nothing to change.
        unchanged: Groups that were already as wanted.
        compacted: The manifest of the derived files, if they were made again on the way.
        not_compacted: Why they were not, if that failed; the edit stands all the same.
    """

    revision: Revision | None
    unchanged: int = 0
    compacted: Manifest | None = None
    not_compacted: str = ""

    def counts(self) -> dict[str, int]:
        """Returns how many groups were added, updated and removed."""
        changes = self.revision.changes if self.revision else ()
        return {
            "added": sum(change.before is None for change in changes),
            "updated": sum(change.before is not None and change.after is not None for change in changes),
            "removed": sum(change.after is None for change in changes),
        }


class Editor:
    """Edits one knowledge base; safe to use from several threads, which take turns."""

    def __init__(
        self, path: Path, encoder: Encoder, *, author: str | None = None, wait: float = 0.0, compact: bool = True
    ) -> None:
        """Prepares to edit; nothing is opened yet.

        Args:
            path: The base.
            encoder: The one it was made with; encodes new questions.
            author: Who edits, for the history; the system's user if None.
            wait: Seconds to wait for another writer.
            compact: Make the derived files again once many changes lie over them.
        """
        self.path = path.resolve()
        self.encoder = encoder
        self.author = " ".join((author or "").split())[:200] or user_name()
        self.wait = wait
        self.compact_by_itself = compact

    def add(self, groups: Sequence[QAGroup]) -> Edited:
        """Adds groups.

        Raises:
            InputError: An id is taken already, or a group cannot be stored.
            KnowledgeBaseError: The base cannot be written; nothing was changed.
        """

        def plan(store: GroupStore, session: Session) -> list[Edit]:
            taken = store.groups_by_id([group.id for group in groups], session)
            if taken:
                raise InputError(
                    f"id {min(taken)!r} is in the base already; change it with `dobae index update`, take a file in "
                    "with `dobae index import`, or give another id"
                )
            return [Edit(None, group) for group in groups]

        return self._edit("add", plan, groups)

    def update(self, groups: Sequence[QAGroup]) -> Edited:
        """Gives groups of these ids this content.

        Raises:
            InputError: There is no group of an id, or a group cannot be stored.
            KnowledgeBaseError: The base cannot be written; nothing was changed.
        """

        def plan(store: GroupStore, session: Session) -> list[Edit]:
            held = self._held(store, session, [group.id for group in groups])
            return [Edit(held[group.id], group) for group in groups]

        return self._edit("update", plan, groups)

    def change(self, identifier: str, changed: Callable[[QAGroup], QAGroup]) -> Edited:
        """Changes one group by what it holds when its turn comes, so that no other writer's change is lost.

        Args:
            identifier: Id of the group.
            changed: Given the group as it is, returns it as it shall be, under the same id; what it raises changes
                nothing.

        Raises:
            InputError: There is no such group, or it cannot be stored.
            KnowledgeBaseError: The base cannot be written; nothing was changed.
        """

        def plan(store: GroupStore, session: Session) -> list[Edit]:
            held = self._held(store, session, [identifier])[identifier]
            after = changed(held.group)
            check_groups([after])
            return [Edit(held, after)]

        return self._edit("update", plan)

    def remove(self, ids: Sequence[str], *, check: Callable[[QAGroup], None] | None = None) -> Edited:
        """Removes groups.

        Args:
            ids: Ids of the groups.
            check: Given each group as it is; what it raises changes nothing.

        Raises:
            InputError: There is no group of an id.
            KnowledgeBaseError: The base cannot be written, or would lose its last group; nothing was changed.
        """

        def plan(store: GroupStore, session: Session) -> list[Edit]:
            held = self._held(store, session, ids)
            if check:
                for stored in held.values():
                    check(stored.group)
            return [Edit(held[identifier], None) for identifier in dict.fromkeys(ids)]

        return self._edit("remove", plan)

    def import_groups(
        self, groups: Sequence[QAGroup], *, mirror: bool = False, progress: Progress | None = None
    ) -> Edited:
        """Adds groups of new ids and updates those of known ones, as one revision.

        Args:
            groups: Ids are distinct.
            mirror: Also remove the groups that are not among them.
            progress: Told how many new questions are encoded.
        """

        def plan(store: GroupStore, session: Session) -> list[Edit]:
            held = store.groups_by_id([group.id for group in groups], session)
            edits = [Edit(held.get(group.id), group) for group in groups]
            if mirror:
                named = {group.id for group in groups}
                edits += [Edit(stored, None) for stored in store.all_groups() if stored.group.id not in named]
            return edits

        return self._edit("import", plan, groups, progress=progress)

    def undo(self, revision: int | None = None) -> Edited:
        """Takes back one revision, as a new one.

        Args:
            revision: Which; the last one that is neither an undo nor undone if None.

        Raises:
            InputError: There is nothing to undo, or a group has changed since.
        """
        undone = 0

        def plan(store: GroupStore, session: Session) -> list[Edit]:
            nonlocal undone
            target = self._to_undo(store, revision)
            undone = target.number
            names = {group.id for change in target.changes for group in (change.before, change.after) if group}
            held = store.groups_by_id(sorted(names), session)
            edits = []
            for change in target.changes:
                now = held.get(change.after.id) if change.after else None
                blocked = held.get(change.group_id) if change.after is None else None
                if (now.group if now else None) != change.after or (blocked and blocked.key != change.key):
                    raise InputError(
                        f"revision {target.number} cannot be undone: group {change.group_id!r} has changed since; "
                        "undo the later revision first, see `dobae index history`"
                    )
                edits.append(Edit(now, change.before, change.key))
            return edits

        return self._edit("undo", plan, undoes=lambda: undone)

    def compact(self, *, progress: Progress | None = None) -> Manifest:
        """Makes the derived files again, so that no change lies over them; thresholds are calibrated anew."""
        self._check_there()
        with writing(self.path, "dobae index compact", wait=self.wait):
            return derive_again(self.path, self.encoder, progress=progress)

    def _check_there(self) -> None:
        """Refuses a mistyped path before folders and a lock are made for it.

        Where there is a lock, there was a base, and a build may just be moving the next one in.
        """
        if not lock_file(self.path).exists():
            check_there(self.path)

    def _edit(
        self,
        action: str,
        plan: Callable[[GroupStore, Session], list[Edit]],
        groups: Sequence[QAGroup] = (),
        *,
        undoes: Callable[[], int] | None = None,
        progress: Progress | None = None,
    ) -> Edited:
        check_groups(groups)
        self._check_there()
        with writing(self.path, f"dobae index {action}", wait=self.wait):
            manifest = self._manifest()
            store = open_to_mend(self.path)
            try:
                database = store.database
                with database.writing() as session:
                    edits = plan(store, session)
                    wanted = [edit for edit in edits if not edit.before or edit.before.group != edit.after]
                    if not wanted:
                        return Edited(None, len(edits))
                    self._encode(wanted, progress)
                    revision = commit(
                        session,
                        database.name,
                        wanted,
                        author=self.author,
                        action=action,
                        undoes=undoes() if undoes else None,
                    )
                state = store.state()
            finally:
                store.close()
            waiting = state.changes - manifest.changes if manifest else 0
            compacted, not_compacted = None, ""
            if self.compact_by_itself and waiting > max(COMPACT_AFTER, COMPACT_SHARE * state.groups):
                try:
                    compacted = derive_again(self.path, self.encoder, progress=progress)
                except (DobaeError, OSError) as error:
                    # The edit is written; readers lay it over the files there are, and the next one tries again.
                    not_compacted = one_line(error, 200)
        return Edited(revision, len(edits) - len(wanted), compacted, not_compacted)

    def _manifest(self) -> Manifest | None:
        """The manifest, or None where it is damaged: the truth may be edited all the same.

        Raises:
            EncoderMismatchError: The base was made with another encoder.
        """
        try:
            manifest = read_manifest(self.path)
        except DerivedFilesError:
            return None
        check_encoder(self.path, manifest, self.encoder)
        return manifest

    def _encode(self, edits: Iterable[Edit], progress: Progress | None) -> None:
        """Puts the vectors of new questions into the cache, where readers find them."""
        texts = [question for edit in edits if edit.after for question in edit.after.questions]
        EmbeddingCache(self.path / CACHE_FILE).encode_queries(self.encoder, texts, progress)

    def _held(self, store: GroupStore, session: Session, ids: Sequence[str]) -> dict[str, StoredGroup]:
        held = store.groups_by_id(ids, session)
        missing = [identifier for identifier in ids if identifier not in held]
        if missing:
            raise InputError(f"there is no group {missing[0]!r} in {self.path}; see `dobae index export` for the ids")
        return held

    @staticmethod
    def _to_undo(store: GroupStore, number: int | None) -> Revision:
        revisions = store.revisions()
        undone: set[int] = set()
        # The newest first: an undo that was itself undone took nothing back.
        for revision in revisions:
            if revision.undoes and revision.number not in undone:
                undone.add(revision.undoes)
        if number is None:
            left = [each for each in revisions if each.changes and each.action != "undo" and each.number not in undone]
            if not left:
                raise InputError("there is nothing to undo; see `dobae index history`")
            return left[0]
        found = next((revision for revision in revisions if revision.number == number), None)
        if found is None or not found.changes:
            why = "is a build, which `NAME.previous` undoes" if found else "does not exist"
            raise InputError(f"revision {number} {why}; see `dobae index history`")
        if number in undone:
            raise InputError(f"revision {number} is undone already; see `dobae index history`")
        return found


def check_groups(groups: Sequence[QAGroup]) -> None:
    """Refuses groups that a base cannot hold or a file could not give back.

    Raises:
        InputError: Says which group and why.
    """
    seen: set[str] = set()
    for group in groups:
        where = f"group {group.id[:60]!r}"
        if group.id in seen:
            raise InputError(f"{where} is named twice; give each group an id of its own")
        seen.add(group.id)
        if problem := group_problem(group):
            raise InputError(f"{where}: {problem}")
