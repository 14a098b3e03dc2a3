"""A run's settings from a TOML file, every one checked before anything is loaded.

A file with several mistakes is refused once, with all of them.
"""

from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any, get_type_hints

from data.errors import InputError
from data.settings import hint, read_toml, section
from training.config import TrainConfig

PRESETS = Path(__file__).resolve().parent / "presets"


def read_config(path: Path) -> TrainConfig:
    """Reads a run's settings.

    Raises:
        InputError: The file cannot be read, or settings are missing, unknown or wrong; all of them in one line.
    """
    table = read_toml(path)
    try:
        return parse_config(table, path.stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse_config(table: Mapping[str, Any], name: str) -> TrainConfig:
    """Turns parsed TOML into settings.

    Raises:
        InputError: Settings are missing, unknown or wrong; all of them in one line.
    """
    problems: list[str] = []
    sections = {key: kind for key, kind in get_type_hints(TrainConfig).items() if key != "name"}
    values: dict[str, Any] = {}
    problems += [f"[{key}] is unknown" + hint(key, sections) for key in table if key not in sections]
    for key, kind in sections.items():
        given = table.get(key, {})
        if not isinstance(given, dict):
            problems.append(f"{key} must be a section [{key}]")
            given = {}
        values[key] = section(kind, given, key, problems) or _usable(kind, given, key)
    config = TrainConfig(name=name, **values)
    problems += _range_problems(config)
    if problems:
        raise InputError("; ".join(dict.fromkeys(problems)))
    return config


_REQUIRED: dict[str, dict[str, Any]] = {
    "model": {"base": "none"},
    "adapter": {"targets": ["none"]},
    "data": {"files": ["none"]},
}


def _usable(kind: type[Any], given: Mapping[str, Any], name: str) -> Any:
    """Builds a section of what is right in it alone, so that the ranges of that are looked at too."""
    required = _REQUIRED.get(name, {})
    right: dict[str, Any] = {}
    for key, value in given.items():
        problems: list[str] = []
        section(kind, {**required, key: value}, name, problems)
        if not problems:
            right[key] = value
    return section(kind, {**required, **right}, name, [])


_AT_LEAST = {
    "adapter": {"r": 1, "alpha": 1},
    "data": {"reading_rows": 0, "max_length": 16},
    "mix": {"rows": 1, "examples": 1, "examples_least": 0, "reach": 0, "example_chars": 1, "held_out_rows": 1},
    "optimisation": {"batch_size": 1, "accumulation": 1, "stop_after_idle_steps": 1, "seed": 0, "weight_decay": 0},
    "precision": {"threads": 0},
    "logging": {"every": 1},
    "output": {"save_every": 1, "keep": 2},
}
_BELOW_ONE = {"adapter": ("dropout",), "optimisation": ("warmup",)}
_SHARES = {
    "mix": ("closed_book", "grounded", "compound", "unanswerable", "shortest"),
}
_POSITIVE = {"optimisation": ("epochs", "learning_rate", "max_grad_norm")}


def _range_problems(config: TrainConfig) -> list[str]:
    problems = [
        f"{section}.{key} is {value}; it must be at least {least}{', and finite' if isinstance(value, float) else ''}"
        for section, limits in _AT_LEAST.items()
        for key, least in limits.items()
        if not least <= (value := getattr(getattr(config, section), key)) < inf
    ]
    problems += [
        f"{section}.{key} is {getattr(getattr(config, section), key)}; it must lie between 0 and 1"
        for section, keys in _SHARES.items()
        for key in keys
        if not 0 <= getattr(getattr(config, section), key) <= 1
    ]
    problems += [
        f"{section}.{key} is {getattr(getattr(config, section), key)}; it must be at least 0 and below 1"
        for section, keys in _BELOW_ONE.items()
        for key in keys
        if not 0 <= getattr(getattr(config, section), key) < 1
    ]
    problems += [
        f"{section}.{key} is {getattr(getattr(config, section), key)}; it must be above 0, and finite"
        for section, keys in _POSITIVE.items()
        for key in keys
        if not 0 < getattr(getattr(config, section), key) < inf
    ]
    if not 0 < config.data.held_out < 1:
        problems.append(f"data.held_out is {config.data.held_out}; it must lie between 0 and 1, for example 0.15")
    if not 0 < config.mix.near_duplicate <= 1:
        problems.append(f"mix.near_duplicate is {config.mix.near_duplicate}; it is a cosine between 0 and 1")
    mix = config.mix
    total = mix.closed_book + mix.grounded + mix.compound + mix.unanswerable
    if abs(total - 1) > 1e-6:
        problems.append(f"mix.closed_book, grounded, compound and unanswerable add up to {total:g}; they must make 1")
    if mix.examples_least > mix.examples:
        problems.append(f"mix.examples_least is {mix.examples_least}; it must not be above mix.examples")
    if mix.compound and mix.examples < 2:
        problems.append("mix.compound needs mix.examples of at least 2: both questions' examples are shown")
    if config.data.reading_rows and not config.data.reading:
        problems.append("data.reading_rows is set without data.reading, the file to take them from")
    if config.data.reading and not config.data.reading_rows:
        problems.append("data.reading is set and data.reading_rows is 0; say how many rows to draw from it")
    precision = config.precision
    if precision.device == "cpu" and "float16" in (precision.weights, precision.compute):
        problems.append('precision float16 needs a GPU; use "auto" or "float32" on the CPU')
    if precision.double_quant and precision.quantization != "nf4":
        problems.append('precision.double_quant needs precision.quantization = "nf4"')
    if config.adapter.targets != ("all-linear",) and "all-linear" in config.adapter.targets:
        problems.append('adapter.targets mixes "all-linear" with names; give one or the other')
    if "lm_head" in config.adapter.targets:
        problems.append("adapter.targets names lm_head, whose adapter would never be trained; leave it out")
    return problems
