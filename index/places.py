"""Where the parts of a base lie that are not in its directory: PostgreSQL for the groups, Milvus for the vectors.

`places.json` remembers that they lie elsewhere and which base they belong to. Addresses, passwords and tokens come from
the environment: a base from a stranger must not choose whom this machine talks to, and a secret belongs in no file.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from data.errors import KnowledgeBaseError, one_line
from data.writers import write_atomically

FILE_NAME = "places.json"

TRUTH_VARIABLE = "DOBAE_TRUTH_URL"
MILVUS_VARIABLE = "DOBAE_MILVUS_URL"
TOKEN_VARIABLE = "DOBAE_MILVUS_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Places:
    """What lies outside of a base's directory.

    Attributes:
        base: Identity of the base, as its store has it; empty if the groups lie in the directory.
        truth: Address of the groups without secrets, for people; empty if they lie in the directory.
        vectors: Address of the vectors likewise.
    """

    base: str = ""
    truth: str = ""
    vectors: str = ""

    def write(self, path: Path) -> None:
        """Writes them into the base at `path`, whole or not at all; removes the file if nothing lies outside."""
        if self == Places():
            (path / FILE_NAME).unlink(missing_ok=True)
        else:
            write_atomically(path / FILE_NAME, json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n")


def read_places(path: Path) -> Places:
    """Reads what lies outside of the base at `path`.

    Raises:
        KnowledgeBaseError: The file is damaged.
    """
    try:
        text = (path / FILE_NAME).read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Places()
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    try:
        places = Places(**json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not all(isinstance(value, str) for value in asdict(places).values()) or bool(places.base) != bool(places.truth):
        raise _damaged(path, "its entries do not fit")
    return places


def address_in(variable: str, path: Path, what: str, recorded: str) -> str:
    """Returns the address that the environment gives.

    Args:
        variable: Name of the variable.
        path: The base, for the message.
        what: What lies there, for the message.
        recorded: Where it lay when it was moved, for the message.

    Raises:
        KnowledgeBaseError: The variable is not set.
    """
    address = os.environ.get(variable, "").strip()
    if not address:
        raise KnowledgeBaseError(
            f"{path}: {what} lie in {one_line(recorded)!r}; set {variable} to that address to open the base"
        )
    return address


def _damaged(path: Path, reason: object) -> KnowledgeBaseError:
    return KnowledgeBaseError(
        f"{path / FILE_NAME}: damaged ({one_line(reason, 80)}); restore it from a copy, "
        "or make the directory again with `dobae index attach`"
    )
