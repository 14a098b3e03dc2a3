"""Text shown to users, by key, in one catalogue for each language."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files

LANGUAGE = "ko"
LANGUAGES = ("ko", "en")

_spoken: ContextVar[str] = ContextVar("language", default=LANGUAGE)


def message(key: str, **values: object) -> str:
    """Returns the text under `key`, filled in, in the language being spoken.

    Args:
        key: Section and name, for example "answer.refused".
        **values: Fill the text's placeholders.

    Raises:
        KeyError: The key, or a placeholder's value, is missing: a mistake in the program.
    """
    section, name = key.split(".")
    return catalogue(_spoken.get())[section][name].format(**values)


def spoken() -> str:
    """Returns the language being spoken, one of `LANGUAGES`."""
    return _spoken.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speaks one of `LANGUAGES` in the block, in this thread only."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


@cache
def catalogue(language: str) -> dict[str, dict[str, str]]:
    """Returns a language's texts: section, then name."""
    text = files("data").joinpath("messages", f"{language}.toml").read_text("utf-8")
    return tomllib.loads(text)
