"""Settings are read whole or refused whole."""

import re
import tomllib
from pathlib import Path

import pytest

from data.errors import InputError
from data.settings import find_config, preset_names
from training.config_file import PRESETS, parse_config, read_config

GOOD = {"model": {"base": "smollm2"}, "adapter": {"targets": ["q_proj"]}, "data": {"files": ["qa.csv"]}}


def test_every_promised_preset_is_there() -> None:
    promised = {
        "cpu-smollm2",
        "t4-42dot-1.3b",
        "t4-kogpt2",
        "t4-polyglot-ko-5.8b",
        "t4-qwen3-8b",
        "t4-exaone4-1.2b",
        "t4-solar-10.7b",
        "kaggle-2xt4",
        "tiny",
    }
    assert promised <= set(preset_names(PRESETS))


@pytest.mark.parametrize("name", preset_names(PRESETS))
def test_preset_parses_and_says_how_it_is_launched_and_what_each_key_is(name: str) -> None:
    path = PRESETS / f"{name}.toml"
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert lines[0].endswith(f"train {name}")
    bare = [line for line in lines if re.match(r"\w+ = ", line) and "#" not in line]
    assert bare == []
    assert read_config(path).name == name


def test_preset_is_found_by_name_and_a_file_by_path(tmp_path: Path) -> None:
    assert find_config("tiny", PRESETS) == PRESETS / "tiny.toml"
    mine = tmp_path / "mine.toml"
    mine.write_text((PRESETS / "tiny.toml").read_text("utf-8"), "utf-8")
    assert find_config(str(mine), PRESETS) == mine
    with pytest.raises(InputError, match="is a directory; name a TOML file in it"):
        find_config(str(tmp_path), PRESETS)
    with pytest.raises(InputError, match=r"did you mean cpu-smollm2\?\); the presets are cpu-smollm2"):
        find_config("cpu-smolm2", PRESETS)


def test_a_folder_named_like_a_preset_does_not_hide_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_config("tiny", PRESETS) == PRESETS / "tiny.toml"


def test_all_mistakes_are_named_in_one_line() -> None:
    table = {
        "model": {"base": 3},
        "adapter": {"targets": [], "rank": 8},
        "optimisation": {"optimizer": "sgd", "learning_rate": "fast"},
        "mixx": {},
    }
    with pytest.raises(InputError) as caught:
        parse_config(table, "x")
    line = str(caught.value)
    assert "\n" not in line
    for part in (
        "[mixx] is unknown (did you mean mix?)",
        "model.base is 3; it must be a text",
        "adapter.targets is []",
        "adapter.rank is unknown",
        "data.files is missing",
        "optimisation.optimizer is 'sgd'; it must be one of adamw",
        "optimisation.learning_rate is 'fast'; it must be a number",
    ):
        assert part in line


def test_values_out_of_range_are_named_together() -> None:
    table = {
        **GOOD,
        "mix": {"closed_book": 0.9, "examples": 1},
        "optimisation": {"batch_size": 0, "warmup": 2},
        "precision": {"device": "cpu", "compute": "float16", "double_quant": True},
    }
    with pytest.raises(InputError) as caught:
        parse_config(table, "x")
    for part in (
        "add up to 1.8",
        "mix.compound needs mix.examples of at least 2",
        "optimisation.batch_size is 0",
        "optimisation.warmup is 2.0",
        "float16 needs a GPU",
        'double_quant needs precision.quantization = "nf4"',
    ):
        assert part in str(caught.value)


def test_ranges_are_looked_at_beside_what_is_unknown_or_of_another_type() -> None:
    table = {
        **GOOD,
        "adapter": {**GOOD["adapter"], "r": 0, "dropout": 1.0},
        "mixx": {},
        "optimisation": {
            "rate": 1,
            "batch_size": 0,
            "learning_rate": float("inf"),
            "weight_decay": -1.0,
            "warmup": 1.0,
        },
        "output": {"keep": 1},
    }
    with pytest.raises(InputError) as caught:
        parse_config(table, "x")
    for wanted in (
        "[mixx] is unknown",
        "optimisation.rate is unknown",
        "adapter.r is 0",
        "adapter.dropout is 1.0; it must be at least 0 and below 1",
        "optimisation.batch_size is 0",
        "optimisation.learning_rate is inf; it must be above 0, and finite",
        "optimisation.weight_decay is -1.0",
        "optimisation.warmup is 1.0",
        "output.keep is 1; it must be at least 2",
    ):
        assert wanted in str(caught.value)


def test_truth_value_is_no_number() -> None:
    with pytest.raises(InputError, match=r"optimisation\.batch_size is True; it must be a whole number"):
        parse_config({**GOOD, "optimisation": {"batch_size": True}}, "x")


@pytest.mark.parametrize("targets", [["lm_head"], ["all-linear", "q_proj"]])
def test_targets_that_cannot_be_trained_are_refused(targets: list[str]) -> None:
    with pytest.raises(InputError, match=r"adapter\.targets"):
        parse_config({**GOOD, "adapter": {"targets": targets}}, "x")


def test_digest_ignores_what_losses_do_not_depend_on() -> None:
    plain = parse_config(GOOD, "a")
    assert parse_config({**GOOD, "logging": {"every": 3}, "output": {"dir": "x"}}, "b").digest() == plain.digest()
    assert parse_config({**GOOD, "optimisation": {"seed": 1}}, "a").digest() != plain.digest()


def test_broken_toml_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("[model\n", "utf-8")
    with pytest.raises(InputError, match="is not TOML") as caught:
        read_config(path)
    assert isinstance(caught.value.__cause__, tomllib.TOMLDecodeError)
