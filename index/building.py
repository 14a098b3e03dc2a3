"""Builds a knowledge base, and rebuilds its derived files.

Everything is made in a folder beside the target and moved into place at the end, so that a build that fails or is
killed leaves what was there before. The words are analysed on one thread while the encoder works on the others.
"""

import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.errors import InputError, KnowledgeBaseError
from data.types import QAGroup
from index import manifest as manifests
from index.calibration import calibrate, foreign_questions
from index.choosing import choose_index
from index.database import damaged
from index.encoders.base import Encoder, Progress, Vectors
from index.encoders.cache import CACHE_FILE, EmbeddingCache
from index.examples import medoid_of_ngrams
from index.fusion import FusionWeights, default_weights
from index.group_words import answer_ngrams, group_heads
from index.history import State
from index.korean import korean_analyzer, spelling_ngrams
from index.lexical import LexicalIndex, WordIndexes
from index.locking import user_name, writing
from index.manifest import Manifest
from index.places import MILVUS_VARIABLE, address_in, read_places
from index.question_space import digest_of, space_of
from index.segment import KEYS_FILE, ROWS_FILE, WORD_FOLDERS
from index.store import FILE_NAME as STORE_FILE
from index.store import GroupStore, create_store, open_database
from index.store_writing import bring_up_to_date
from index.vectors import VectorIndex

if TYPE_CHECKING:
    from index.milvus import Cluster

Choose = Callable[[Vectors], tuple[VectorIndex, str]]
"""Indexes vectors, and says why in this way."""

GROUP_LENGTH_NORMALISATION = 0.3
"""BM25's b for whole groups: they differ in how many references they have, which says nothing about their topic."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the lexical side makes of the groups."""

    indexes: WordIndexes
    medoids: list[int]
    tokenizer: str


def build_knowledge_base(
    path: Path,
    groups: Sequence[QAGroup],
    encoder: Encoder,
    *,
    weights: FusionWeights | None = None,
    author: str | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Builds a knowledge base; an existing one is kept beside it as `<name>.previous`.

    Args:
        path: Directory to make. If it exists it must be a knowledge base or empty.
        groups: At least one group; ids are distinct.
        encoder: Encodes the questions.
        weights: Fusion weights; the defaults for the encoder if None.
        author: Who builds it, for the history; the system's user if None.
        progress: Told how many questions are encoded.

    Returns:
        The manifest written.

    Raises:
        InputError: There is no group, `path` holds something else, or the base kept from the build before holds edits,
            which would be deleted.
        KnowledgeBaseError: Another process is writing there, or the folder cannot be written.
    """
    if not groups:
        raise InputError("no group to index; give a file with at least one question and answer")
    path = path.resolve()
    _check_target(path)
    _check_previous(path)
    with writing(path, "dobae index build"), _beside(path) as folder:
        if (path / CACHE_FILE).is_file():
            shutil.copyfile(path / CACHE_FILE, folder / CACHE_FILE)
        revision = _last_revision(path) + 1
        manifest, medoids = _derive(folder, groups, range(1, len(groups) + 1), encoder, weights, choose_index, progress)
        state = create_store(folder / STORE_FILE, groups, medoids, revision, author or user_name())
        manifest = _of_state(manifest, state)
        manifest.write(folder)
        manifests.sync_folder(folder)
        _swap_in(folder, path)
        manifests.sync(path.parent)
    return manifest


def rebuild_knowledge_base(
    path: Path, encoder: Encoder, *, wait: float = 0.0, progress: Progress | None = None
) -> Manifest:
    """Makes the derived files again from the store, for example for another encoder.

    Args:
        path: A knowledge base whose `groups.sqlite` is intact; everything else may be damaged or missing.
        encoder: Encodes the questions.
        wait: Seconds to wait for another writer.
        progress: Told how many questions are encoded.

    Returns:
        The manifest written.

    Raises:
        KnowledgeBaseError: The store is missing or damaged, or another process is writing.
    """
    path = path.resolve()
    with writing(path, "dobae index rebuild", wait=wait):
        return derive_again(path, encoder, progress=progress)


def derive_again(
    path: Path, encoder: Encoder, *, choose: Choose | None = None, progress: Progress | None = None
) -> Manifest:
    """Does the work of `rebuild_knowledge_base` for a caller that holds the base's lock.

    Args:
        path: The base.
        encoder: Encodes the questions.
        choose: Makes the vector index, and says why this one; where the base's vectors lie now if None.
        progress: Told how many questions are encoded.
    """
    choose = choose or _choice(path)
    store = open_to_mend(path)
    try:
        store.check()
        state, stored = store.whole()
    finally:
        store.close()
    folders = {entry.name for entry in path.iterdir() if entry.is_dir() and manifests.is_derived(entry.name)}
    groups, keys = [each.group for each in stored], [each.key for each in stored]
    try:
        manifest, _ = _derive(path, groups, keys, encoder, _weights(path), choose, progress)
        manifest = _of_state(manifest, state)
        manifests.sync_folder(path / manifest.folder)
        manifest.write(path)
        manifests.sync(path)
    except BaseException:
        _remove_derived(path, folders, _folder_in_use(path))
        raise
    _remove_derived(path, set(), manifest.folder)
    return manifest


def open_to_mend(path: Path) -> GroupStore:
    """Opens the store of the base at `path`, brought up to date if an earlier dobae made it; the caller holds the lock.

    Raises:
        KnowledgeBaseError: It is missing or damaged.
    """
    database = open_database(path)
    try:
        with database.reading() as session:
            outdated = session.rows("SELECT value FROM meta WHERE name = 'schema'") == [("1",)]
        if outdated:
            with database.writing() as session:
                bring_up_to_date(session, user_name())
    except (KnowledgeBaseError, ValueError, TypeError) as error:
        database.close()
        raise error if isinstance(error, KnowledgeBaseError) else damaged(database.name, error) from error
    return GroupStore(database)


def in_milvus(path: Path, cluster: "Cluster") -> Choose:
    """Returns what stores the vectors of the base at `path` in Milvus."""

    def choose(vectors: Vectors) -> tuple[VectorIndex, str]:
        from index.milvus import MilvusIndex, Record

        before = None
        with suppress(OSError, ValueError, TypeError):
            before = Record.read(path / _folder_in_use(path))
        return MilvusIndex.of(vectors, cluster, before), f"moved to {cluster.shown} by `dobae index migrate`"

    return choose


def _choice(path: Path) -> Choose:
    places = read_places(path)
    if not places.vectors:
        return choose_index
    from index.milvus import parse_cluster

    return in_milvus(path, parse_cluster(address_in(MILVUS_VARIABLE, path, "its vectors", places.vectors)))


def _of_state(manifest: Manifest, state: State) -> Manifest:
    return replace(manifest, base=state.base, revision=state.revision, changes=state.changes)


def _weights(path: Path) -> FusionWeights | None:
    """Fusion weights of the base at `path`, where its manifest can be read."""
    try:
        return manifests.read_manifest(path).weights
    except KnowledgeBaseError:
        return None


def _folder_in_use(path: Path) -> str:
    try:
        return manifests.read_manifest(path).folder
    except KnowledgeBaseError:
        return ""


def _remove_derived(path: Path, keep: set[str], in_use: str) -> None:
    """Removes folders of derived files, also those that a killed process left."""
    for entry in path.iterdir():
        if entry.is_dir() and manifests.is_derived(entry.name) and entry.name not in keep | {in_use}:
            shutil.rmtree(entry, ignore_errors=True)


def _derive(
    folder: Path,
    groups: Sequence[QAGroup],
    keys: Sequence[int],
    encoder: Encoder,
    weights: FusionWeights | None,
    choose: Choose,
    progress: Progress | None,
) -> tuple[Manifest, list[int]]:
    """Writes the derived files of `groups` into a new folder below `folder`."""
    questions = [question for group in groups for question in group.questions]
    rows = np.array(
        [(number, wording) for number, group in enumerate(groups) for wording in range(len(group.questions))],
        dtype=np.int64,
    )
    cache = EmbeddingCache(folder / CACHE_FILE)
    foreign = foreign_questions()
    with ThreadPoolExecutor(max_workers=1) as pool:
        analysed = pool.submit(_analyse, groups, questions)
        vectors = cache.encode_queries(encoder, [*questions, *foreign], progress)
        words = analysed.result()
    own, strangers = vectors[: len(questions)], vectors[len(questions) :]
    space = space_of(encoder.fingerprint)
    derived = Path(tempfile.mkdtemp(prefix="derived-", dir=folder))
    derived.chmod(0o755)
    vector_index, why = choose(own)
    try:
        vector_index.save(derived)
        np.save(derived / ROWS_FILE, rows)
        np.save(derived / KEYS_FILE, np.array(keys, dtype=np.int64))
        for name, index in zip(WORD_FOLDERS, words.indexes, strict=True):
            index.save(derived / name)
        manifest = Manifest(
            base="",
            revision=0,
            changes=0,
            encoder=encoder.spec,
            fingerprint=encoder.fingerprint,
            dim=encoder.dim,
            tokenizer=words.tokenizer,
            groups=len(groups),
            questions=len(questions),
            folder=derived.name,
            index=vector_index.kind,
            index_because=why,
            weights=weights or default_weights(space),
            space=digest_of(space),
            calibration=calibrate(own, rows[:, 0], strangers),
            files=manifests.record_files(folder, derived.name),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    except BaseException:
        vector_index.discard()
        raise
    return manifest, words.medoids


def _analyse(groups: Sequence[QAGroup], questions: Sequence[str]) -> Words:
    answers = [answer_ngrams(group) for group in groups]
    fragments = LexicalIndex.build(
        [[gram for grams in group for gram in grams] for group in answers], b=GROUP_LENGTH_NORMALISATION
    )
    heads = LexicalIndex.build([group_heads(group) for group in groups], b=GROUP_LENGTH_NORMALISATION)
    medoids = [medoid_of_ngrams(group) for group in answers]
    analyzer = korean_analyzer()
    morphemes = LexicalIndex.build([analyzer.morphemes(question) for question in questions])
    spellings = LexicalIndex.build([spelling_ngrams(question) for question in questions])
    return Words(WordIndexes(morphemes, spellings, fragments, heads), medoids, analyzer.fingerprint)


def _check_target(path: Path) -> None:
    if path.is_file():
        raise InputError(f"{path}: is a file; name a directory for the knowledge base")
    if not path.is_dir() or not any(path.iterdir()):
        return
    places = read_places(path)
    if places.truth or places.vectors:
        raise InputError(
            f"{path}: parts of it lie in {places.truth or places.vectors}, which a build does not replace; "
            "use `dobae index import --mirror`, or build in another directory"
        )
    ours = {STORE_FILE, manifests.FILE_NAME}
    if not any(entry.name in ours or manifests.is_derived(entry.name) for entry in path.iterdir()):
        raise InputError(f"{path}: holds other files and no knowledge base; name or move another directory")


def _check_previous(path: Path) -> None:
    previous = _previous(path)
    _check_target(previous)
    state = _state(previous)
    if state and state.changes and _state(path):
        raise InputError(
            f"{previous}: keeps {state.changes} edits of the base before, which this build would delete; "
            "move it elsewhere or remove it, then build again"
        )


def _last_revision(path: Path) -> int:
    """Revision of the base at `path`, edits included; 0 where there is none, or none that can be read."""
    state = _state(path)
    return state.revision if state else 0


def _state(path: Path) -> State | None:
    """State of the base at `path`; None where there is none, or none that can be read."""
    try:
        database = open_database(path)
    except KnowledgeBaseError:
        return None
    try:
        return GroupStore(database).state()
    except KnowledgeBaseError:
        return None
    finally:
        database.close()


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.name}.previous")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Makes a folder beside `path` that vanishes unless it was moved away; clears what killed builds left."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.building-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.building-", dir=path.parent))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _swap_in(folder: Path, path: Path, move: Callable[[Path, Path], object] = os.rename) -> None:
    previous = _previous(path)
    if path.is_dir() and any(path.iterdir()):
        shutil.rmtree(previous, ignore_errors=True)
        move(path, previous)
    try:
        move(folder, path)
    except OSError:
        if previous.is_dir() and not path.exists():
            move(previous, path)
        raise
