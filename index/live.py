"""A knowledge base that follows what others write to it, and mends its derived files by itself.

Every search asks whether the truth has a new revision (a system call and a pragma, microseconds) and reads it before it
answers. What takes longer, reading a large import or files that were made again, or making damaged ones again, is done
beside, while the last good base or an exact search serves.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from data.errors import DobaeError, EncoderMismatchError, KnowledgeBaseError, one_line
from index.building import rebuild_knowledge_base
from index.encoders.base import Encoder, EncoderSettings, make_encoder
from index.knowledge_base import KnowledgeBase, open_knowledge_base
from index.manifest import FILE_NAME as MANIFEST_FILE
from index.manifest import DerivedFilesError, recorded_encoder
from index.places import FILE_NAME as PLACES_FILE
from index.stopgap import open_stopgap
from index.store import FILE_NAME as STORE_FILE

Say = Callable[[str], None]

_log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
"""Pause after a reload or a mend that failed."""


AT_ONCE = 50
"""Changes that a search waits for, about 10 ms each; more are read beside."""


class LiveKnowledgeBase:
    """Gives out the base at its last revision; safe to use from several threads."""

    def __init__(
        self, base: KnowledgeBase, *, files: object = None, say: Say | None = None, heal: bool = False
    ) -> None:
        """Follows the changes of an open base.

        Args:
            base: Opened by `open_knowledge_base`.
            files: What the files were before they were opened, so that others put in their place meanwhile are noticed;
                those that lie there now if None.
            say: Told what a person should know; the log by default.
            heal: Make damaged derived files again.
        """
        self._base = base
        self._say = say or _log.warning
        self._heal = heal
        self._lock = threading.Lock()
        self._files = files or _identity(base.path)
        self._version: object = None
        self._worker: threading.Thread | None = None
        self._not_before = 0.0
        self._told = ""

    @property
    def path(self) -> Path:
        """Returns the directory of the base."""
        return self._base.path

    @property
    def encoder(self) -> Encoder:
        """Returns the encoder of the base."""
        return self._base.encoder

    def current(self) -> KnowledgeBase:
        """Returns the base at its last revision, whole.

        It is an earlier one where the last cannot be read, or while many changes are being read.
        """
        with self._lock:
            base = self._base
            files = _identity(base.path)
            if files not in (None, self._files):
                # Beside; until it is done, changes go on being laid over the files read before.
                self._start(lambda: self._open(files))
            try:
                # Asked before reading: a commit in between is then seen the next time.
                version = base.store.database.version()
                if version != self._version:
                    if base.store.state().changes - base.changes > AT_ONCE:
                        self._start(self._refresh)
                    else:
                        self._base = base.refreshed()
                        self._version = version
            except KnowledgeBaseError as error:
                self._tell(f"{error}; serving revision {base.revision} meanwhile")
            return self._base

    def mend(self, *, wait: bool = False) -> None:
        """Makes the derived files again beside; `wait` until that is done."""
        with self._lock:
            self._start(self._mend)
            worker = self._worker
        if wait and worker:
            worker.join()

    def settle(self, timeout: float | None = None) -> None:
        """Waits until work beside, if any is being done, has ended."""
        worker = self._worker
        if worker:
            worker.join(timeout)

    def _start(self, work: Callable[[], None]) -> None:
        if (self._worker and self._worker.is_alive()) or time.monotonic() < self._not_before:
            return
        self._worker = threading.Thread(target=self._guarded, args=(work,), name="dobae-index", daemon=True)
        self._worker.start()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (DobaeError, OSError, MemoryError) as error:
            self._not_before = time.monotonic() + RETRY_SECONDS
            self._tell(f"{one_line(error, 300)}; serving revision {self._base.revision} meanwhile")

    def _refresh(self) -> None:
        # Nobody else refreshes this base meanwhile: it lies as many changes behind until this is done.
        base = self._base
        version = base.store.database.version()
        refreshed = base.refreshed()
        with self._lock:
            self._base, self._version = refreshed, version

    def _open(self, files: object) -> None:
        try:
            base = open_settled(self.path, self._base.encoder)
        except EncoderMismatchError as error:
            # Another encoder's files are for the next start; the changes of the groups go on being followed.
            self._tell(f"{error}; start again to use the new index, serving with the old one meanwhile")
            with self._lock:
                self._files = files
            return
        except DerivedFilesError as error:
            if not self._heal:
                raise
            self._tell(f"{error}: making the index files again from the stored groups")
            self._mend()
            return
        self._take(base, files)

    def _mend(self) -> None:
        rebuild_knowledge_base(self.path, self._base.encoder, wait=60.0)
        files = _identity(self.path)
        self._take(open_settled(self.path, self._base.encoder), files)
        self._tell(f"{self.path}: the index files were made again")

    def _take(self, base: KnowledgeBase, files: object) -> None:
        with self._lock:
            # The old store stays open: readers that hold the old base may still ask it.
            self._base, self._files, self._version, self._told = base, files, None, ""

    def _tell(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._say(text)


def open_live(
    path: Path,
    encoder: Encoder | EncoderSettings | None = None,
    *,
    say: Say | None = None,
    background: bool = True,
) -> LiveKnowledgeBase:
    """Opens a base that follows changes and mends itself.

    Where derived files are missing or damaged it says so and makes them again from the truth. Meanwhile it serves from
    an exact search over the stored questions, ranked by the encoder alone.

    Args:
        path: The directory.
        encoder: As for `open_knowledge_base`.
        say: Told what a person should know; the log by default.
        background: Return at once while damaged files are made again; otherwise once they are, or cannot be.

    Raises:
        KnowledgeBaseError: There is no base, or its store is damaged.
        EncoderMismatchError: The base was made with another encoder.
        ModelNotFoundError: The encoder's model cannot be loaded.
    """
    tell = say or _log.warning
    try:
        files = _identity(path)
        return LiveKnowledgeBase(open_settled(path, encoder), files=files, say=say, heal=True)
    except DerivedFilesError as error:
        model = encoder_of(path, encoder)
        tell(f"{error}: making the index files again from the stored groups with encoder {model.spec}")
    if not background:
        try:
            rebuild_knowledge_base(path, model, wait=60.0)
            files = _identity(path)
            return LiveKnowledgeBase(open_settled(path, model), files=files, say=say, heal=True)
        except KnowledgeBaseError as error:
            # For example on a read-only disk; where the store itself is damaged, the stopgap says so.
            live = LiveKnowledgeBase(open_stopgap(path, model), say=say, heal=True)
            tell(f"{error}; searching the stored questions exactly meanwhile")
            return live
    live = LiveKnowledgeBase(open_stopgap(path, model), say=say, heal=True)
    live.mend()
    return live


def open_settled(path: Path, encoder: Encoder | EncoderSettings | None) -> KnowledgeBase:
    """Opens a base, again if its files were changed while they were read.

    Raises:
        KnowledgeBaseError: As `open_knowledge_base`.
    """
    for _ in range(5):
        before = _identity(path)
        try:
            return open_knowledge_base(path, encoder)
        except DerivedFilesError:
            if _identity(path) == before:
                raise
    return open_knowledge_base(path, encoder)


def encoder_of(path: Path, encoder: Encoder | EncoderSettings | None = None) -> Encoder:
    """Makes the encoder given, or the one that the base at `path` names; the default one if its manifest is damaged."""
    if encoder is None:
        spec = recorded_encoder(path)
        encoder = EncoderSettings(spec=spec) if spec else EncoderSettings()
    return make_encoder(encoder) if isinstance(encoder, EncoderSettings) else encoder


def _identity(path: Path) -> object:
    """What differs once the base was built or its files made again; None while a build is being moved into place."""
    try:
        elsewhere = path / PLACES_FILE
        store = (elsewhere if elsewhere.is_file() else path / STORE_FILE).stat()
        manifest = (path / MANIFEST_FILE).stat()
    except OSError:
        return None
    return store.st_dev, store.st_ino, manifest.st_ino, manifest.st_mtime_ns
