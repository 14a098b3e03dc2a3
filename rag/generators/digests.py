"""Digests of what a local model answers by, so that an answer kept is never taken for another model's.

Knows nothing about models: only the files are read.
"""

from collections.abc import Iterable
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Protocol, runtime_checkable

from data.errors import InputError

_READ_BY_A_MODEL = {".safetensors", ".json", ".jinja", ".model", ".txt"}
_ADAPTER = ("adapter_config.json", "adapter_model.safetensors")


@runtime_checkable
class LocalModel(Protocol):
    """A generator whose model runs here.

    Attributes:
        folder: Where its model lies.
        adapter: Where its adapter lies; None without one.
        device: Where it runs, for example "cpu".
        quotes: Whether it answers from examples by quoting them whole.
    """

    @property
    def folder(self) -> Path:
        """Returns the folder of the model."""
        ...

    @property
    def adapter(self) -> Path | None:
        """Returns the folder of the adapter, or None."""
        ...

    @property
    def device(self) -> str:
        """Returns the device, the one named or the best there is."""
        ...

    @property
    def quotes(self) -> bool:
        """Returns whether it answers from examples by quoting them whole."""
        ...


def model_digest(folder: Path) -> str:
    """Returns a digest of a model's weights, configuration and tokenizer, each file under its name; 16 characters.

    Raises:
        InputError: A file cannot be read.
    """
    return _digest(path for path in folder.glob("*") if path.suffix in _READ_BY_A_MODEL and path.is_file())


def adapter_digest(folder: Path) -> str:
    """Returns a digest of an adapter's weights and configuration: two trainings, or two scales, of one name differ.

    Raises:
        InputError: A file cannot be read.
    """
    return _digest(folder / name for name in _ADAPTER)


def _digest(files: Iterable[Path]) -> str:
    found = sha256()
    for path in sorted(files):
        try:
            with path.open("rb") as file:
                content = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); mend its permissions") from error
        found.update(f"{path.name}\x1f{content}\x1e".encode())
    return found.hexdigest()[:16]
