"""The manifest: what a knowledge base's derived files were made from, and their digests.

Derived files are native formats whose readers trust their input, so every file is checked against the manifest
before it is opened.
"""

import json
import os
import re
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from data.errors import KnowledgeBaseError, one_line
from data.writers import write_atomically
from index.calibration import Calibration
from index.fusion import FusionWeights
from index.places import FILE_NAME as PLACES_FILE

FILE_NAME = "manifest.json"
FORMAT = 4


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size and sha256 of one derived file."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a knowledge base consists of.

    Attributes:
        base: Identity of the store that the derived files were made from.
        revision: Revision of the store that the derived files were made from.
        changes: Number of the last change in the store's history then; later ones lie over the files.
        encoder: Spec that `make_encoder` accepts.
        fingerprint: The encoder's fingerprint.
        dim: Length of a vector.
        tokenizer: Fingerprint of the Korean analyser.
        groups: Number of groups.
        questions: Number of question rows.
        folder: Name of the folder of derived files.
        index: Kind of the vector index.
        index_because: Why this kind was chosen.
        weights: Fusion weights.
        space: Digest of the question space that the weights are for; empty for the encoder's own cosines.
        calibration: When an answer is refused, and when it is called uncertain.
        files: Derived files by path relative to the knowledge base.
        created: Time of building, ISO 8601 with zone.
    """

    base: str
    revision: int
    changes: int
    encoder: str
    fingerprint: str
    dim: int
    tokenizer: str
    groups: int
    questions: int
    folder: str
    index: str
    index_because: str
    weights: FusionWeights
    space: str
    calibration: Calibration
    files: dict[str, FileRecord] = field(default_factory=dict)
    created: str = ""
    format: int = FORMAT

    def searching(self) -> list[Any]:
        """Returns what decides how the base is searched, as JSON values: analyser, space, weights and thresholds."""
        return [self.tokenizer, self.space, asdict(self.weights), asdict(self.calibration)]

    def write(self, base: Path) -> None:
        """Writes the manifest into a knowledge base, whole or not at all, with a digest of itself."""
        record = asdict(self)
        record["sha256"] = _digest_of(record)
        write_atomically(base / FILE_NAME, json.dumps(record, ensure_ascii=False, indent=2) + "\n")


class DerivedFilesError(KnowledgeBaseError):
    """The manifest or a derived file is missing, damaged, or was made by other versions: `rebuild` mends it."""

    code = "derived_files"


def is_derived(name: str) -> bool:
    """Tells whether a name is one that a folder of derived files may have."""
    return re.fullmatch(r"derived-[A-Za-z0-9_]+", name) is not None


def check_there(base: Path) -> None:
    """Refuses a folder that holds no knowledge base, whole or damaged.

    Raises:
        KnowledgeBaseError: Says how to make one, or where the earlier one lies.
    """
    if any((base / name).is_file() for name in (FILE_NAME, "groups.sqlite", PLACES_FILE)):
        return
    previous = base.with_name(f"{base.name}.previous")
    hint = f", or take the earlier one at {previous}" if (previous / FILE_NAME).is_file() else ""
    raise KnowledgeBaseError(
        f"{base}: no knowledge base here; make one with `dobae index build FILE --kb {base}`{hint}"
    )


def read_manifest(base: Path) -> Manifest:
    """Reads a knowledge base's manifest.

    Raises:
        KnowledgeBaseError: There is no knowledge base, or the manifest is damaged or of another format.
    """
    path = base / FILE_NAME
    if not path.is_file():
        check_there(base)
        raise DerivedFilesError(f"{path}: is missing; run `dobae index rebuild --kb {base}`")
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if record.get("format") != FORMAT:
            raise DerivedFilesError(
                f"{path}: has format {record.get('format')}, this dobae reads {FORMAT}; "
                f"run `dobae index rebuild --kb {base}`"
            )
        digest = record.pop("sha256", None)
        if digest != _digest_of(record):
            raise DerivedFilesError(
                f"{path}: digest mismatch, the file was changed or damaged; run `dobae index rebuild --kb {base}`"
            )
        return Manifest(
            **record
            | {
                "weights": FusionWeights(**record["weights"]),
                "calibration": Calibration(**record["calibration"]),
                "files": {name: FileRecord(**entry) for name, entry in record["files"].items()},
            }
        )
    except PermissionError as error:
        raise KnowledgeBaseError(f"{path}: may not be read; ask its owner for permission") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DerivedFilesError(
            f"{path}: damaged ({one_line(error, 120)}); run `dobae index rebuild --kb {base}`"
        ) from error


def recorded_encoder(base: Path) -> str | None:
    """Returns the encoder spec that a manifest names, also one of another format; None where it cannot be trusted."""
    try:
        record = json.loads((base / FILE_NAME).read_text("utf-8"))
        digest, spec = record.pop("sha256"), record["encoder"]
        return spec if isinstance(spec, str) and digest == _digest_of(record) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _digest_of(record: dict[str, Any]) -> str:
    return sha256(json.dumps(record, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def record_files(base: Path, folder: str) -> dict[str, FileRecord]:
    """Digests every file under a folder of derived files."""
    files = sorted(path for path in (base / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(base)): _record(path) for path in files}


def check_files(base: Path, manifest: Manifest) -> None:
    """Compares size and sha256 of every derived file with the manifest, and lets no other file be read.

    Raises:
        KnowledgeBaseError: A file is missing, unknown, was changed, or lies outside the base; names the file and the
            mend.
    """
    mend = f"run `dobae index rebuild --kb {base}`"
    if not is_derived(manifest.folder):
        raise DerivedFilesError(f"{base / FILE_NAME}: names a folder outside the base ({manifest.folder}); {mend}")
    present = {str(path.relative_to(base)) for path in (base / manifest.folder).rglob("*") if path.is_file()}
    if unknown := present - manifest.files.keys():
        raise DerivedFilesError(f"{base / min(unknown)}: is not named in the manifest; {mend}")
    for name, expected in manifest.files.items():
        path = base / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DerivedFilesError(f"{base / FILE_NAME}: names a file outside the base ({name}); {mend}")
        if any((base / Path(*Path(name).parts[: depth + 1])).is_symlink() for depth in range(len(Path(name).parts))):
            raise DerivedFilesError(f"{path}: is a link; {mend}")
        if not path.is_file():
            raise DerivedFilesError(f"{path}: is missing; {mend}")
        if path.stat().st_size != expected.bytes:
            raise DerivedFilesError(f"{path}: has {path.stat().st_size} bytes, not {expected.bytes}; {mend}")
        try:
            found = _record(path)
        except OSError as error:
            raise KnowledgeBaseError(f"{path}: may not be read ({error.strerror}); mend its permissions") from error
        if found != expected:
            raise DerivedFilesError(f"{path}: digest mismatch, the file was changed or damaged; {mend}")


def sync_folder(folder: Path) -> None:
    """Flushes a folder's files and entries to the disk."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def sync(path: Path) -> None:
    """Flushes a file, or what a folder lists after a move into it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _record(path: Path) -> FileRecord:
    with path.open("rb") as file:
        digest = sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return FileRecord(path.stat().st_size, digest.hexdigest())
