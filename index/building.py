"""Builds a knowledge base, and rebuilds its derived files.

Everything is made in a folder beside the target and moved into place at the end, so that a build that fails or is
killed leaves what was there before. The words are analysed on one thread while the encoder works on the others.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from data.errors import InputError, KnowledgeBaseError
from data.types import QAGroup
from index import manifest as manifests
from index.calibration import calibrate, foreign_questions
from index.encoders.base import Encoder, Progress
from index.encoders.cache import EmbeddingCache
from index.examples import medoid_of_ngrams
from index.fusion import FusionWeights
from index.knowledge_base import (
    FRAGMENTS_FOLDER,
    HEADS_FOLDER,
    MORPHEMES_FOLDER,
    ROWS_FILE,
    SPELLINGS_FOLDER,
    VECTORS_FILE,
)
from index.korean import jamo_ngrams, korean_analyzer, spelling_ngrams, word_heads
from index.lexical import LexicalIndex
from index.manifest import Manifest
from index.store import FILE_NAME as STORE_FILE
from index.store import GroupStore, create_store
from index.vectors import VectorIndex

CACHE_FILE = "embeddings.sqlite"
GROUP_LENGTH_NORMALISATION = 0.3
"""BM25's b for whole groups: they differ in how many references they have, which says nothing about their topic."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the lexical side makes of the groups."""

    morphemes: LexicalIndex
    spellings: LexicalIndex
    fragments: LexicalIndex
    heads: LexicalIndex
    medoids: list[int]
    tokenizer: str


def build_knowledge_base(
    path: Path,
    groups: Sequence[QAGroup],
    encoder: Encoder,
    *,
    weights: FusionWeights | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Builds a knowledge base; an existing one is kept beside it as `<name>.previous`.

    Args:
        path: Directory to make. If it exists it must be a knowledge base or empty.
        groups: At least one group; ids are distinct.
        encoder: Encodes the questions.
        weights: Fusion weights; the defaults if None.
        progress: Told how many questions are encoded.

    Returns:
        The manifest written.

    Raises:
        InputError: There is no group, or `path` holds something else.
        KnowledgeBaseError: Another process is writing there, or the folder cannot be written.
    """
    if not groups:
        raise InputError("no group to index; give a file with at least one question and answer")
    path = path.resolve()
    _check_target(path)
    _check_target(_previous(path))
    with _writing(path), _beside(path) as folder:
        if (path / CACHE_FILE).is_file():
            shutil.copyfile(path / CACHE_FILE, folder / CACHE_FILE)
        revision = _last_revision(path) + 1
        manifest, medoids = _derive(folder, groups, encoder, revision, weights, progress)
        create_store(folder / STORE_FILE, groups, medoids, revision)
        manifest.write(folder)
        manifests.sync_folder(folder)
        _swap_in(folder, path)
    return manifest


def rebuild_knowledge_base(path: Path, encoder: Encoder, *, progress: Progress | None = None) -> Manifest:
    """Makes the derived files again from the store, for example for another encoder.

    Args:
        path: A knowledge base whose `groups.sqlite` is intact; everything else may be damaged or missing.
        encoder: Encodes the questions.
        progress: Told how many questions are encoded.

    Returns:
        The manifest written.

    Raises:
        KnowledgeBaseError: The store is missing or damaged, or another process is writing.
    """
    path = path.resolve()
    with _writing(path):
        store = GroupStore(path / STORE_FILE)
        try:
            store.check()
            groups = [stored.group for stored in store.all_groups()]
        finally:
            store.close()
        before = {entry.name for entry in path.iterdir() if entry.is_dir() and manifests.is_derived(entry.name)}
        manifest, _ = _derive(path, groups, encoder, store.revision, None, progress)
        manifests.sync_folder(path / manifest.folder)
        manifest.write(path)
        for name in before - {manifest.folder}:
            shutil.rmtree(path / name, ignore_errors=True)
    return manifest


def _derive(
    folder: Path,
    groups: Sequence[QAGroup],
    encoder: Encoder,
    revision: int,
    weights: FusionWeights | None,
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
    derived = Path(tempfile.mkdtemp(prefix="derived-", dir=folder))
    derived.chmod(0o755)
    VectorIndex.build(own).save(derived / VECTORS_FILE)
    np.save(derived / ROWS_FILE, rows)
    words.morphemes.save(derived / MORPHEMES_FOLDER)
    words.spellings.save(derived / SPELLINGS_FOLDER)
    words.fragments.save(derived / FRAGMENTS_FOLDER)
    words.heads.save(derived / HEADS_FOLDER)
    manifest = Manifest(
        revision=revision,
        encoder=encoder.spec,
        fingerprint=encoder.fingerprint,
        dim=encoder.dim,
        tokenizer=words.tokenizer,
        groups=len(groups),
        questions=len(questions),
        folder=derived.name,
        weights=weights or FusionWeights(),
        calibration=calibrate(own, rows[:, 0], strangers),
        files=manifests.record_files(folder, derived.name),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return manifest, words.medoids


def _analyse(groups: Sequence[QAGroup], questions: Sequence[str]) -> Words:
    answers = [[jamo_ngrams(answer) for answer in group.answers] for group in groups]
    fragments = LexicalIndex.build(
        [[gram for grams in group for gram in grams] for group in answers], b=GROUP_LENGTH_NORMALISATION
    )
    heads = LexicalIndex.build(
        [[head for text in (*group.questions, *group.answers) for head in word_heads(text)] for group in groups],
        b=GROUP_LENGTH_NORMALISATION,
    )
    medoids = [medoid_of_ngrams(group) for group in answers]
    analyzer = korean_analyzer()
    morphemes = LexicalIndex.build([analyzer.morphemes(question) for question in questions])
    spellings = LexicalIndex.build([spelling_ngrams(question) for question in questions])
    return Words(morphemes, spellings, fragments, heads, medoids, analyzer.fingerprint)


def _check_target(path: Path) -> None:
    if path.is_file():
        raise InputError(f"{path}: is a file; name a directory for the knowledge base")
    if not path.is_dir() or not any(path.iterdir()):
        return
    ours = {STORE_FILE, manifests.FILE_NAME}
    if not any(entry.name in ours or manifests.is_derived(entry.name) for entry in path.iterdir()):
        raise InputError(f"{path}: holds other files and no knowledge base; name or move another directory")


def _last_revision(path: Path) -> int:
    """Revision of the base at `path`; 0 where there is none, or none that can be read."""
    try:
        return manifests.read_manifest(path).revision
    except KnowledgeBaseError:
        return 0


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.name}.previous")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Keeps other writers out; the lock lies beside the base, which is replaced whole."""
    lock = FileLock(path.parent / f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise KnowledgeBaseError(f"{path}: another process is writing here; wait for it to end") from None
    except OSError as error:
        raise KnowledgeBaseError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    try:
        yield
    except OSError as error:
        raise KnowledgeBaseError(f"{path}: cannot be written ({error.strerror}); nothing was changed") from error
    finally:
        lock.release()


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Makes a folder beside `path` that vanishes unless it was moved away."""
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
