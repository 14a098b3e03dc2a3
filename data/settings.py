"""Settings from TOML: sections into dataclasses, every mistake found at once.

A file with several mistakes is refused once, with all of them. Knows nothing about what the settings mean.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from data.errors import InputError

_ROOT = Path(__file__).resolve().parent.parent


def project_path(name: str) -> Path:
    """Resolves a path of a configuration: as given, or from the root of this project."""
    path = Path(name).expanduser()
    return path if path.is_absolute() or path.exists() or not (_ROOT / path).exists() else _ROOT / path


def preset_names(folder: Path) -> list[str]:
    """Returns the names of the presets in a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def preset_summary(folder: Path, name: str) -> str:
    """Returns the first sentence of a preset's opening comment, behind the line that says how it is launched."""
    lines = (folder / f"{name}.toml").read_text("utf-8").splitlines()
    about = " ".join(line.removeprefix("# ") for line in takewhile(lambda line: line.startswith("#"), lines[1:]))
    return about.partition(". ")[0].removesuffix(".")


def find_config(name: str, presets: Path) -> Path:
    """Resolves a path, or the name of a preset.

    Args:
        name: What the user wrote.
        presets: Folder of the presets.

    Raises:
        InputError: There is neither.
    """
    path = Path(name)
    if not name.strip():
        raise InputError(
            f"the configuration has no name; give a TOML file, or one of {', '.join(preset_names(presets))}"
        )
    if path.is_file():
        return path
    stem = name.removesuffix(".toml")
    preset = presets / f"{stem}.toml"
    if "/" not in name and preset.is_file():
        return preset
    if path.is_dir():
        raise InputError(f"{name}: is a directory; name a TOML file in it")
    names = preset_names(presets)
    near = get_close_matches(stem, names, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise InputError(f"{name}: no such file, and no such preset{meant}; the presets are {', '.join(names)}")


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Raises:
        InputError: The file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a text file in UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is not TOML: {error}") from error


def section(kind: type[Any], given: Mapping[str, Any], name: str, problems: list[str]) -> Any:
    """Builds one section.

    Args:
        kind: A dataclass; its field types are bool, int, float, str, `Literal` of texts, or tuple of texts.
        given: What the file holds.
        name: Name of the section, for the messages.
        problems: Every problem is added here.

    Returns:
        An instance of `kind`, or None where there was a problem.
    """
    known: dict[str, Field[Any]] = {item.name: item for item in fields(kind)}
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    before = len(problems)
    problems += [f"{name}.{key} is unknown" + hint(key, known) for key in given if key not in known]
    for key, item in known.items():
        if key not in given:
            if item.default is MISSING and item.default_factory is MISSING:
                problems.append(f"{name}.{key} is missing")
            continue
        value, problem = _typed(given[key], hints[key])
        if problem:
            problems.append(f"{name}.{key} {problem}")
        values[key] = value
    return kind(**values) if len(problems) == before else None


def hint(key: str, known: Mapping[str, object]) -> str:
    """Says which name may have been meant, to follow "... is unknown"."""
    near = get_close_matches(key, known, n=1)
    return f" (did you mean {near[0]}?)" if near else f"; known are {', '.join(known)}"


def plain(value: Any) -> Any:
    """Returns nested settings (`dataclasses.asdict`) as JSON would give them back: tuples become lists."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def _typed(value: object, wanted: Any) -> tuple[Any, str]:
    """Returns the value as its field holds it, and what is wrong with it."""
    if get_origin(wanted) is Literal:
        choices = get_args(wanted)
        return value, "" if value in choices else f"is {value!r}; it must be one of {', '.join(choices)}"
    if wanted is bool:
        return value, "" if isinstance(value, bool) else f"is {value!r}; it must be true or false"
    if wanted is int:
        good = isinstance(value, int) and not isinstance(value, bool)
        return value, "" if good else f"is {value!r}; it must be a whole number"
    if wanted is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value), ""
        return value, f"is {value!r}; it must be a number"
    if wanted is str:
        return value, "" if isinstance(value, str) else f"is {value!r}; it must be a text"
    items = [value] if isinstance(value, str) else value
    if isinstance(items, list) and items and all(isinstance(item, str) and item for item in items):
        return tuple(items), ""
    return value, f"is {value!r}; it must be a list of texts"
