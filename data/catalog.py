"""Text shown to users, by key, in one catalogue for each language."""

import tomllib
from functools import cache
from importlib.resources import files

LANGUAGE = "ko"


def message(key: str, **values: object) -> str:
    """Returns the text under `key`, filled in.

    Args:
        key: Section and name, for example "answer.refused".
        **values: Fill the text's placeholders.

    Raises:
        KeyError: The key, or a placeholder's value, is missing: a mistake in the program.
    """
    section, name = key.split(".")
    return _catalogue(LANGUAGE)[section][name].format(**values)


@cache
def _catalogue(language: str) -> dict[str, dict[str, str]]:
    text = files("data").joinpath("messages", f"{language}.toml").read_text("utf-8")
    return tomllib.loads(text)
