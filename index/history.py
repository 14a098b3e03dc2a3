"""What changes in a knowledge base are: one revision is one transaction of one author, made of changes to groups."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from data.types import QAGroup
from index.examples import medoid


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group as the store holds it.

    Attributes:
        key: Integer key, given once and never to another group.
        group: The group.
        medoid: Position of the medoid answer.
        revision: Revision that gave it this content.
    """

    key: int
    group: QAGroup
    medoid: int
    revision: int


@dataclass(frozen=True, slots=True)
class Edit:
    """One group as it is and as it shall be; `before` is None for a new one, `after` for one that goes.

    Attributes:
        before: What the store holds now.
        after: Content wanted.
        key: Key under which a removed group returns; None gives a new group a new key.
    """

    before: StoredGroup | None
    after: QAGroup | None
    key: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One recorded change of one group.

    Attributes:
        number: Position in the history, from 1 without gaps.
        revision: Revision it belongs to.
        key: Key of the group.
        before: Content before; None if the group was new.
        after: Content after; None if it was removed.
    """

    number: int
    revision: int
    key: int
    before: QAGroup | None
    after: QAGroup | None

    @property
    def group_id(self) -> str:
        """Returns the id of the group that changed."""
        group = self.after or self.before
        return group.id if group else ""

    def stored(self) -> StoredGroup | None:
        """Returns the group as this change left it; None if it removed it."""
        if self.after is None:
            return None
        return StoredGroup(self.key, self.after, medoid(self.after.answers), self.revision)


@dataclass(frozen=True, slots=True)
class Revision:
    """One transaction.

    Attributes:
        number: The revision it made.
        author: Who asked for it.
        time: When, ISO 8601 in UTC, by the clock of the machine; order follows `number`, whatever the clock did.
        action: What was asked for.
        undoes: The revision that it undoes, if it does.
        changes: What it did to the groups; none for a build.
    """

    number: int
    author: str
    time: str
    action: str
    undoes: int | None
    changes: tuple[Change, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the command line's JSON form."""
        changes = [
            {
                "id": change.group_id,
                "before": asdict(change.before) if change.before else None,
                "after": asdict(change.after) if change.after else None,
            }
            for change in self.changes
        ]
        return {
            "revision": self.number,
            "author": self.author,
            "time": self.time,
            "action": self.action,
            "undoes": self.undoes,
            "changes": changes,
        }


@dataclass(frozen=True, slots=True)
class State:
    """Where a store stands.

    Attributes:
        base: Identity of the base, drawn when it was built: files of another build never fit.
        revision: Number of the last revision.
        changes: Number of the last change.
        groups: Number of groups.
        next_key: Key that the next new group gets.
        content: Sum of the digests of all rows modulo 2^256, as hexadecimal: cheap to keep up with every change.
    """

    base: str
    revision: int
    changes: int
    groups: int
    next_key: int
    content: str

    def after(self, removed: StoredGroup | None, put: StoredGroup | None) -> "State":
        """Returns the state once one row went and another came."""
        content = int(self.content, 16)
        content -= int(stored_digest(removed), 16) if removed else 0
        content += int(stored_digest(put), 16) if put else 0
        return replace(
            self,
            groups=self.groups + (put is not None) - (removed is not None),
            next_key=max(self.next_key, put.key + 1 if put else 0),
            content=f"{content % (1 << 256):064x}",
        )


def empty_state(base: str = "", revision: int = 0) -> State:
    """Returns the state of a store without groups."""
    return State(base, revision, changes=0, groups=0, next_key=1, content="0" * 64)


def now() -> str:
    """Returns the time of the machine's clock, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def stored_digest(stored: StoredGroup) -> str:
    """Returns a sha256 over everything a row holds, its key included."""
    group = stored.group
    return digest_of(
        stored.key,
        group.id,
        list(group.questions),
        list(group.answers),
        group.category,
        group.source,
        stored.medoid,
        stored.revision,
    )


def digest_of(*values: object) -> str:
    """Returns a sha256 over JSON values in order."""
    return sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


def group_to_json(group: QAGroup | None) -> str | None:
    """Writes a group for the history."""
    return None if group is None else json.dumps(asdict(group), ensure_ascii=False)


def group_from_json(text: str | None) -> QAGroup | None:
    """Reads a group of the history.

    Raises:
        ValueError: The text is no such record.
        TypeError: The record has other fields.
    """
    if text is None:
        return None
    record = json.loads(text)
    return QAGroup(**record | {name: tuple(record[name]) for name in ("questions", "answers")})
