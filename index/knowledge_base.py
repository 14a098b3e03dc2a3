"""A knowledge base on disk, opened for searching.

A directory: `groups.sqlite` is the truth; a folder of derived files (FAISS, BM25, row numbers) can always be made from
it again; `manifest.json` says from which revision and encoder they were made, and holds their digests. Nothing here is
pickled, and no native file is read before its digest has been checked.
"""

from pathlib import Path

import numpy as np

from data.errors import EncoderMismatchError, KnowledgeBaseError, one_line
from index.encoders.base import Encoder, EncoderSettings, make_encoder
from index.korean import korean_analyzer
from index.lexical import LexicalIndex
from index.manifest import Manifest, check_files, read_manifest
from index.store import FILE_NAME as STORE_FILE
from index.store import GroupStore, StoredGroup
from index.vectors import Positions, VectorIndex

VECTORS_FILE = "questions.faiss"
ROWS_FILE = "rows.npy"
MORPHEMES_FOLDER = "morphemes"
SPELLINGS_FOLDER = "spellings"
FRAGMENTS_FOLDER = "fragments"
HEADS_FOLDER = "heads"


class KnowledgeBase:
    """Groups and the indexes over them, at one revision.

    Attributes:
        path: The directory.
        manifest: What the derived files were made from.
        store: The groups.
        encoder: Encodes questions as the stored ones were encoded.
        vectors: Index over question rows.
        morphemes: BM25 over the morphemes of each question row.
        spellings: BM25 over the jamo n-grams of each question row as it sounds.
        fragments: BM25 over the jamo n-grams of each group's answers; document i is group number i.
        heads: BM25 over the word heads of each group's questions and answers, likewise.
        group_of_row: Group number of each question row; shape `(questions,)`.
    """

    def __init__(self, path: Path, encoder: Encoder, manifest: Manifest) -> None:
        """Reads the derived files; use `open_knowledge_base`, which checks them first."""
        self.path = path
        self.manifest = manifest
        self.encoder = encoder
        folder = path / manifest.folder
        try:
            self.vectors = VectorIndex.load(folder / VECTORS_FILE)
            self.morphemes = LexicalIndex.load(folder / MORPHEMES_FOLDER)
            self.spellings = LexicalIndex.load(folder / SPELLINGS_FOLDER)
            self.fragments = LexicalIndex.load(folder / FRAGMENTS_FOLDER)
            self.heads = LexicalIndex.load(folder / HEADS_FOLDER)
            rows = np.load(folder / ROWS_FILE, allow_pickle=False)
        except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
            raise KnowledgeBaseError(
                f"{folder}: cannot be read ({one_line(error, 120)}); run `dobae index rebuild --kb {path}`"
            ) from error
        self.group_of_row: Positions = rows[:, 0]
        self._wording_of_row: Positions = rows[:, 1]
        if not (
            len(rows) == self.vectors.size == self.morphemes.size == self.spellings.size == manifest.questions
            and self.fragments.size == self.heads.size == manifest.groups
            and self.vectors.dim == encoder.dim
        ):
            raise KnowledgeBaseError(f"{folder}: files do not fit together; run `dobae index rebuild --kb {path}`")
        self.store = GroupStore(path / STORE_FILE)
        self._groups: dict[int, StoredGroup] = {}

    def rows(self, positions: Positions) -> list[tuple[StoredGroup, str]]:
        """Returns the group and the wording at each row position.

        Raises:
            KnowledgeBaseError: The store is damaged.
        """
        # Keys count from 1 in the order of the groups.
        keys = [int(self.group_of_row[position]) + 1 for position in positions]
        missing = [key for key in keys if key not in self._groups]
        if missing:
            for stored in self.store.groups_by_key(missing):
                self._groups[stored.key] = stored
        found = [self._groups[key] for key in keys]
        wordings = [int(self._wording_of_row[position]) for position in positions]
        return [(stored, stored.group.questions[wording]) for stored, wording in zip(found, wordings, strict=True)]


def open_knowledge_base(path: Path, encoder: Encoder | EncoderSettings | None = None) -> KnowledgeBase:
    """Opens a knowledge base for searching.

    Args:
        path: The directory.
        encoder: The encoder to use, or settings to build it from; None builds the one the base was made with.

    Raises:
        KnowledgeBaseError: There is no base, or a file is missing, changed, damaged or of another revision.
        EncoderMismatchError: The base was made with another encoder.
        ModelNotFoundError: The encoder's model cannot be loaded.
    """
    manifest = read_manifest(path)
    check_files(path, manifest)
    if encoder is None:
        encoder = EncoderSettings(spec=manifest.encoder)
    if isinstance(encoder, EncoderSettings):
        encoder = make_encoder(encoder)
    if encoder.fingerprint != manifest.fingerprint:
        raise EncoderMismatchError(
            f"{path}: was built with encoder {manifest.encoder!r} ({manifest.fingerprint}), opened with "
            f"{encoder.spec!r} ({encoder.fingerprint}); leave --encoder out, "
            f"or run `dobae index rebuild --kb {path} --encoder {encoder.spec}`"
        )
    if korean_analyzer().fingerprint != manifest.tokenizer:
        raise KnowledgeBaseError(
            f"{path}: was built with another Korean analyser ({manifest.tokenizer}); "
            f"run `dobae index rebuild --kb {path}`"
        )
    base = KnowledgeBase(path, encoder, manifest)
    if base.store.revision != manifest.revision:
        raise KnowledgeBaseError(
            f"{path}: the index is of revision {manifest.revision}, the groups of {base.store.revision}; "
            f"run `dobae index rebuild --kb {path}`"
        )
    return base
