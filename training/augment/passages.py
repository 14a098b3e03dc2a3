"""A passage: what questions are made from and answers must rest on, with the place it was taken from."""

from dataclasses import dataclass
from hashlib import blake2s


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document, and where it comes from.

    Attributes:
        text: What answers must rest on.
        source: File name or address.
        place: Where in the source, for example "page 3".
        title: Title of the document, or empty.
        licence: Its licence as stated there, or empty.
    """

    text: str
    source: str
    place: str = ""
    title: str = ""
    licence: str = ""

    @property
    def key(self) -> str:
        """Returns a digest that names the passage in a journal."""
        return blake2s(f"{self.source}\x1f{self.text}".encode(), digest_size=6).hexdigest()
