"""Settings: a file with mistakes is refused once, with all of them; every preset can be read."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError
from data.settings import find_config, preset_names
from rag.evaluation.config import PRESETS, PROTOCOLS, ArmSettings, parse_config, read_config

GUIDE = Path(__file__).parents[3] / "docs" / "evaluating.md"


@pytest.mark.parametrize("name", preset_names(PRESETS))
def test_every_preset_is_sound(name: str) -> None:
    config = read_config(find_config(name, PRESETS))
    assert config.arms
    assert config.main != config.against


def test_the_default_asks_150_questions_of_five_arms() -> None:
    config = read_config(find_config("default", PRESETS))
    asked = sum(
        config.limit(name) for name in ("paraphrase", "unseen", "compound", "unanswerable", "out_of_domain", "noisy")
    )
    assert (asked, len(config.arms)) == (150, 5)


def test_all_mistakes_are_named_at_once(world: dict[str, Any]) -> None:
    world["protocol"] = {}
    world["source"]["heldout"] = 0.1
    world["statistics"]["draws"] = "two"
    world["protocols"]["noisy"] = -4
    world["report"] = {"main": "nobody"}
    world["arms"][1] |= {"k": 0, "retreival": "dense"}
    with pytest.raises(InputError) as caught:
        parse_config(world, "test")
    told = str(caught.value)
    assert "[protocol] is unknown (did you mean protocols?)" in told
    assert "source.heldout is unknown (did you mean held_out?)" in told
    assert "statistics.draws is 'two'" in told
    assert "protocols.noisy is -4; it must be at least 0" in told
    assert "report.main is 'nobody'" in told
    assert "arms.extractive.retreival is unknown (did you mean retrieval?)" in told


@pytest.mark.parametrize(
    ("arm", "told"),
    [
        ({"name": "extractive", "generator": "extractive"}, "stands there twice"),
        ({"name": "a.b", "generator": "extractive"}, "may hold letters"),
        ({"name": "x", "generator": "extractive", "retrieval": "none"}, "needs a retrieval"),
        ({"name": "x", "generator": "extractive", "batch": 4}, "batch above 1 needs a local model"),
        ({"name": "x", "generator": "openai:any", "batch": 4}, "batch above 1 needs a local model"),
        ({"name": "x", "generator": "extractive", "wording": "free"}, "arms.x.wording is of local models"),
        ({"name": "x", "generator": "openai:any", "wording": "quoted"}, "arms.x.wording is of local models"),
        ({"name": "x", "generator": "extractive", "protocols": ["unsen"]}, "did you mean unseen?"),
    ],
)
def test_arms_that_make_no_sense_are_refused(world: dict[str, Any], arm: dict[str, Any], told: str) -> None:
    world["arms"].append(arm)
    with pytest.raises(InputError, match=told.replace("?", r"\?")):
        parse_config(world, "test")


def test_the_digest_follows_settings_and_not_the_name(world: dict[str, Any]) -> None:
    digest = parse_config(world, "one").digest()
    assert parse_config(world, "two").digest() == digest
    world["protocols"]["seed"] = 1
    assert parse_config(world, "one").digest() != digest


def test_the_depth_of_rankings_is_no_setting(world: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"metrics\.depth is unknown"):
        parse_config(world | {"metrics": {"depth": 5}}, "test")


def test_the_guides_example_is_sound_and_the_guide_names_every_key_of_an_arm() -> None:
    text = GUIDE.read_text("utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    assert parse_config(tomllib.loads(example), "mine").main == "with-examples"
    keys = {field.name for field in fields(ArmSettings)} - {"name"}
    assert {name for name in (*keys, *PROTOCOLS) if f"`{name}`" not in text} == set()
