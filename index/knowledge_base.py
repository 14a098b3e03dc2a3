"""A knowledge base on disk, opened for searching at one revision.

A directory: `groups.sqlite` is the truth, or a PostgreSQL database that the directory points to; a folder of derived
files (FAISS, BM25, row numbers) can always be made from it again; `manifest.json` says from which revision and encoder
they were made, and holds their digests. Changes made since then are read from the truth's history and laid over them
(`index.overlay`). Nothing here is pickled, and no native file is read before its digest has been checked.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from data.errors import EncoderMismatchError
from index.encoders.base import Encoder, EncoderSettings, Vectors, make_encoder
from index.encoders.cache import CACHE_FILE, EmbeddingCache
from index.history import Change, State, StoredGroup
from index.korean import korean_analyzer
from index.manifest import DerivedFilesError, Manifest, check_files, read_manifest
from index.overlay import LayeredLexical, LayeredVectors, Overlay
from index.question_space import digest_of, space_of
from index.segment import Segment
from index.store import GroupStore, open_store
from index.vectors import Positions


class KnowledgeBase:
    """Groups and the indexes over them, at one revision; what others write meanwhile does not show.

    Attributes:
        path: The directory.
        manifest: What the derived files were made from.
        revision: The revision seen, the manifest's or a later one.
        store: The groups.
        encoder: Encodes questions as the stored ones were encoded.
        vectors: Index over question rows.
        morphemes: BM25 over the morphemes of each question row.
        spellings: BM25 over the jamo n-grams of each question row as it sounds.
        fragments: BM25 over the jamo n-grams of each group's answers; document i is group number i.
        heads: BM25 over the word heads of each group's questions and answers, likewise.
        keys: Key of each group number; ascending but for groups changed since the files were made.
        group_of_row: Group number of each question row; shape `(rows,)`.
    """

    def __init__(self, path: Path, encoder: Encoder, segment: Segment, store: GroupStore, overlay: Overlay) -> None:
        """Shows the segment's own revision; `open_knowledge_base` checks the files first."""
        self.path = path
        self.manifest: Manifest = segment.manifest
        self.encoder = encoder
        self.store = store
        self.segment = segment
        self.overlay = overlay
        self.revision = segment.manifest.revision
        self.changes = segment.manifest.changes
        self.vectors: LayeredVectors = LayeredVectors(
            segment.vectors, overlay.vectors(0), np.ones(segment.vectors.size, dtype=bool)
        )
        self.morphemes = LayeredLexical(overlay.morphemes, 0, None)
        self.spellings = LayeredLexical(overlay.spellings, 0, None)
        self.fragments = LayeredLexical(overlay.fragments, 0, None)
        self.heads = LayeredLexical(overlay.heads, 0, None)
        self.keys: Positions = segment.keys
        self.group_of_row: Positions = segment.group_of_row
        self._wording_of_row: Positions = segment.wording_of_row
        self._place_of_key: dict[int, int | None] = {}

    def rows(self, positions: Positions) -> list[tuple[StoredGroup, str]]:
        """Returns the group and the wording at each row position.

        Raises:
            KnowledgeBaseError: The store is damaged.
        """
        numbers = [int(self.group_of_row[position]) for position in positions]
        fixed = len(self.segment.keys)
        of_segment = [number for number in numbers if number < fixed]
        found = dict(zip(of_segment, self.segment.stored(of_segment, self.store), strict=True))
        groups = [found[number] if number < fixed else self.overlay.groups[number - fixed] for number in numbers]
        wordings = [int(self._wording_of_row[position]) for position in positions]
        try:
            return [(stored, stored.group.questions[wording]) for stored, wording in zip(groups, wordings, strict=True)]
        except IndexError as error:
            raise DerivedFilesError(
                f"{self.path}: the index names a wording that its group lacks; "
                f"run `dobae index rebuild --kb {self.path}`"
            ) from error

    def refreshed(self) -> "KnowledgeBase":
        """Returns the base at the last revision: this one where nothing changed. Not for two threads at once.

        Raises:
            KnowledgeBaseError: The store is damaged.
        """
        state, changes = self.store.changes_since(self.changes)
        if state.revision == self.revision:
            return self
        return self._after(state, changes)

    def without(self, numbers: Iterable[int]) -> "KnowledgeBase":
        """Returns this revision as a search would see it had some groups never been in it; the store keeps them.

        Args:
            numbers: Group numbers; at least one living group must remain.
        """
        gone: dict[int, int | None] = {int(self.keys[number]): None for number in numbers}
        return self._layered(self.revision, self.changes, self._place_of_key | gone)

    def _after(self, state: State, changes: list[Change]) -> "KnowledgeBase":
        last = {change.key: change for change in changes}
        changed = [stored for change in last.values() if (stored := change.stored())]
        vectors = iter(self._encoded([question for stored in changed for question in stored.group.questions]))
        places = self._place_of_key | dict.fromkeys(last)
        analyzer = korean_analyzer()
        for stored in changed:
            places[stored.key] = len(self.overlay.groups)
            self.overlay.add(stored, np.stack([next(vectors) for _ in stored.group.questions]), analyzer)
        return self._layered(state.revision, state.changes, places)

    def _layered(self, revision: int, changes: int, places: dict[int, int | None]) -> "KnowledgeBase":
        segment, overlay = self.segment, self.overlay
        base = KnowledgeBase(self.path, self.encoder, segment, self.store, overlay)
        base.revision, base.changes, base._place_of_key = revision, changes, places
        fixed, added = len(segment.keys), len(overlay.groups)
        alive = np.zeros(fixed + added, dtype=bool)
        alive[:fixed] = True
        touched = np.fromiter(places, dtype=np.int64, count=len(places))
        known = np.searchsorted(segment.keys, touched)
        known[known == fixed] = 0
        alive[known[segment.keys[known] == touched]] = False
        alive[[fixed + place for place in places.values() if place is not None]] = True
        base.keys = np.concatenate((segment.keys, np.array([stored.key for stored in overlay.groups], dtype=np.int64)))
        added_rows = np.array(overlay.group_of_row, dtype=np.int64)
        base.group_of_row = np.concatenate((segment.group_of_row, added_rows + fixed))
        base._wording_of_row = np.concatenate((segment.wording_of_row, np.array(overlay.wordings, dtype=np.int64)))
        of_rows = alive[base.group_of_row]
        base.vectors = LayeredVectors(segment.vectors, overlay.vectors(len(added_rows)), of_rows)
        base.morphemes = LayeredLexical(overlay.morphemes, len(added_rows), of_rows)
        base.spellings = LayeredLexical(overlay.spellings, len(added_rows), of_rows)
        base.fragments = LayeredLexical(overlay.fragments, added, alive)
        base.heads = LayeredLexical(overlay.heads, added, alive)
        return base

    def _encoded(self, texts: list[str]) -> Vectors:
        """Takes vectors from the cache that the writer filled, and makes what is missing there."""
        return EmbeddingCache(self.path / CACHE_FILE).read_queries(self.encoder, texts)


def open_knowledge_base(path: Path, encoder: Encoder | EncoderSettings | None = None) -> KnowledgeBase:
    """Opens a knowledge base for searching, at its last revision.

    Args:
        path: The directory.
        encoder: The encoder to use, or settings to build it from; None builds the one the base was made with.

    Raises:
        DerivedFilesError: A derived file or the manifest is missing, changed, damaged or of another version.
        KnowledgeBaseError: There is no base, or its store is damaged.
        EncoderMismatchError: The base was made with another encoder.
        ModelNotFoundError: The encoder's model cannot be loaded.
    """
    manifest = read_manifest(path)
    check_files(path, manifest)
    if encoder is None:
        encoder = EncoderSettings(spec=manifest.encoder)
    if isinstance(encoder, EncoderSettings):
        encoder = make_encoder(encoder)
    check_encoder(path, manifest, encoder)
    if korean_analyzer().fingerprint != manifest.tokenizer:
        raise DerivedFilesError(
            f"{path}: was built with another Korean analyser ({manifest.tokenizer}); "
            f"run `dobae index rebuild --kb {path}`"
        )
    if digest_of(space_of(manifest.fingerprint)) != manifest.space:
        raise DerivedFilesError(
            f"{path}: was built when its encoder's vectors were ranked otherwise; run `dobae index rebuild --kb {path}`"
        )
    segment = Segment.load(path, manifest)
    store = open_store(path)
    state = store.state()
    if state.base != manifest.base:
        store.close()
        raise DerivedFilesError(
            f"{path}: the index was made from the groups of another build; run `dobae index rebuild --kb {path}`"
        )
    if state.revision < manifest.revision or state.changes < manifest.changes:
        store.close()
        raise DerivedFilesError(
            f"{path}: the index is of revision {manifest.revision}, the groups of {state.revision}; "
            f"run `dobae index rebuild --kb {path}`"
        )
    overlay = Overlay(manifest.dim, segment.words)
    return KnowledgeBase(path, encoder, segment, store, overlay).refreshed()


def check_encoder(path: Path, manifest: Manifest, encoder: Encoder) -> None:
    """Refuses another encoder than the one the base was made with.

    Raises:
        EncoderMismatchError: It is another one.
    """
    if (encoder.fingerprint, encoder.dim) != (manifest.fingerprint, manifest.dim):
        raise EncoderMismatchError(
            f"{path}: was built with encoder {manifest.encoder!r} ({manifest.fingerprint}), opened with "
            f"{encoder.spec!r} ({encoder.fingerprint}); leave --encoder out, "
            f"or run `dobae index rebuild --kb {path} --encoder {encoder.spec}`"
        )
