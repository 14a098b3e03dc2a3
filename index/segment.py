"""The derived files of a knowledge base, read and checked: fixed indexes over the groups of one revision."""

from pathlib import Path

import numpy as np

from data.errors import one_line
from index.arrays import load_array
from index.choosing import load_index
from index.history import StoredGroup
from index.lexical import LexicalIndex, WordIndexes
from index.manifest import DerivedFilesError, Manifest
from index.store import GroupStore
from index.vectors import Positions, VectorIndex

ROWS_FILE = "rows.npy"
KEYS_FILE = "keys.npy"
WORD_FOLDERS = WordIndexes._fields
"""Folders of the lexical indexes, each named after its index."""


class Segment:
    """Indexes over the groups of one revision.

    Attributes:
        manifest: What they were made from.
        vectors: Index over question rows.
        words: The lexical indexes.
        group_of_row: Group number of each question row; shape `(questions,)`.
        wording_of_row: Position of each row's question in its group.
        keys: Key of each group, ascending; shape `(groups,)`.
    """

    def __init__(
        self,
        manifest: Manifest,
        vectors: VectorIndex,
        words: WordIndexes,
        rows: Positions,
        keys: Positions,
    ) -> None:
        self.manifest = manifest
        self.vectors = vectors
        self.words = words
        if rows.ndim != 2 or rows.shape[1] != 2:
            raise ValueError(f"rows are of shape {rows.shape}")
        self.group_of_row: Positions = rows[:, 0]
        self.wording_of_row: Positions = rows[:, 1]
        self.keys = keys
        self._groups: dict[int, StoredGroup] = {}

    @classmethod
    def load(cls, path: Path, manifest: Manifest) -> "Segment":
        """Reads the derived files of the base at `path`, whose digests the caller has checked.

        Raises:
            DerivedFilesError: They cannot be read or do not fit together.
        """
        folder = path / manifest.folder
        try:
            segment = cls(
                manifest,
                load_index(folder),
                WordIndexes(*(LexicalIndex.load(folder / name) for name in WORD_FOLDERS)),
                load_array(folder / ROWS_FILE),
                load_array(folder / KEYS_FILE),
            )
        except (OSError, ValueError, TypeError, RuntimeError, LookupError, MemoryError) as error:
            raise DerivedFilesError(
                f"{folder}: cannot be read ({one_line(error, 120)}); run `dobae index rebuild --kb {path}`"
            ) from error
        if not segment.fits():
            raise DerivedFilesError(f"{folder}: files do not fit together; run `dobae index rebuild --kb {path}`")
        return segment

    def fits(self) -> bool:
        """Tells whether the parts are of one size and refer to each other."""
        groups, questions = self.manifest.groups, self.manifest.questions
        words = self.words
        if self.keys.ndim != 1 or not self.keys.dtype == self.group_of_row.dtype == np.int64:
            return False
        return bool(
            len(self.group_of_row) == self.vectors.size == words.morphemes.size == words.spellings.size == questions > 0
            and len(self.keys) == words.fragments.size == words.heads.size == groups > 0
            and self.vectors.dim == self.manifest.dim
            and self.group_of_row.min() >= 0
            and self.group_of_row.max() == groups - 1
            and self.wording_of_row.min() >= 0
            and (np.diff(self.keys) > 0).all()
        )

    def stored(self, numbers: list[int], store: GroupStore) -> list[StoredGroup]:
        """Returns groups by number, as they were at the segment's revision.

        Raises:
            KnowledgeBaseError: The store is damaged.
        """
        missing = [number for number in numbers if number not in self._groups]
        if missing:
            keys = [int(self.keys[number]) for number in missing]
            found = store.groups_by_key(keys, self.manifest.revision)
            self._groups.update(zip(missing, found, strict=True))
        return [self._groups[number] for number in numbers]
