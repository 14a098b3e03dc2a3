"""Goal: a run that does not fit is told the first change that makes it fit, and why; programs can read it."""

import json
import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest

from training.config_file import PRESETS, parse_config
from training.plan.architectures import TABLE
from training.plan.inputs import PlanInput
from training.plan.memory import predict
from training.plan.propose import plan
from training.plan.report import as_json, as_settings, as_table, written
from training.planning import plan_input

BIG = PlanInput("upstage/SOLAR-10.7B-v1.0", target_modules=("all-linear",), micro_batch=4, gradient_checkpointing=False)


def test_a_run_that_fits_gets_no_proposal() -> None:
    found = plan(PlanInput("42dot/42dot_LLM-SFT-1.3B"))
    assert found.fits
    assert found.proposal is None


def test_checkpointing_comes_before_the_micro_batch() -> None:
    run = PlanInput("42dot/42dot_LLM-SFT-1.3B", micro_batch=8, gradient_checkpointing=False)
    found = plan(run)
    assert not found.fits
    assert found.proposal is not None
    assert found.proposal.change == {"gradient_checkpointing": True}
    assert as_json(found)["proposal"]["reason"].startswith("each layer is computed again")


def test_the_micro_batch_is_halved_no_further_than_needed() -> None:
    run = PlanInput("42dot/42dot_LLM-SFT-1.3B", micro_batch=64, optimiser="paged_adamw_8bit")
    found = plan(run)
    assert found.proposal is not None
    batch = found.proposal.change["micro_batch"]
    assert predict(replace(run, micro_batch=batch)).total_gib <= run.budget_gib
    assert predict(replace(run, micro_batch=2 * batch)).total_gib > run.budget_gib


def test_weights_that_exceed_the_budget_are_quantised() -> None:
    found = plan(PlanInput("upstage/SOLAR-10.7B-v1.0"))
    assert found.proposal is not None
    assert found.proposal.change == {"quantisation": "nf4"}


def test_changes_are_joined_where_none_is_enough_and_the_unneeded_taken_back() -> None:
    found = plan(BIG)
    assert found.proposal is not None
    assert set(found.proposal.change) >= {"gradient_checkpointing", "quantisation"}
    assert "max_length" not in found.proposal.change
    reasons = as_json(found)["proposal"]["reason"].split("; ")
    assert [reason.partition(":")[0] for reason in reasons] == [
        next(iter(as_settings({name: value}))) for name, value in found.proposal.change.items()
    ]
    for name in found.proposal.change:
        rest = {key: value for key, value in found.proposal.change.items() if key != name}
        assert predict(replace(BIG, **rest)).total_gib > BIG.budget_gib, f"{name} was not needed"


def test_the_proposed_run_fits_with_the_total_it_promises() -> None:
    found = plan(BIG)
    assert found.proposal is not None
    again = plan(replace(BIG, **found.proposal.change))
    assert again.fits
    assert again.total_gib == pytest.approx(found.proposal.total_gib)


@pytest.mark.parametrize(
    ("preset", "budget"), [("t4-42dot-1.3b", 4.0), ("t4-solar-10.7b", 8.0), ("t4-qwen3-8b", 7.0), ("cpu-smollm2", 1.4)]
)
def test_what_is_proposed_can_be_written_into_the_run_and_fits(preset: str, budget: float) -> None:
    table = tomllib.loads((PRESETS / f"{preset}.toml").read_text("utf-8"))
    found = plan(plan_input(parse_config(table, preset), budget))
    assert found.proposal is not None
    settings = as_settings(found.proposal.change)
    assert written(found.proposal.change) == ", ".join(f"{key} = {json.dumps(settings[key])}" for key in settings)
    for name, value in settings.items():
        section, _, key = name.partition(".")
        table.setdefault(section, {})[key] = value
    again = plan(plan_input(parse_config(table, preset), budget))
    assert again.fits
    assert again.total_gib == pytest.approx(found.proposal.total_gib)


def test_where_nothing_helps_it_says_so() -> None:
    run = replace(BIG, budget_gib=2.0)
    found = plan(run)
    assert found.proposal is None
    assert "take a smaller model" in as_table(found, run)


@pytest.mark.parametrize("arch", TABLE, ids=lambda a: a.model)
def test_json_holds_the_contracts_keys_and_adds_up(arch) -> None:
    target = {"gpt2": ("c_attn",), "gpt_neox": ("query_key_value",)}.get(arch.family, ("q_proj",))
    run = PlanInput(arch.model, target_modules=target)
    found = json.loads(json.dumps(as_json(plan(run))))
    assert set(found) == {"total_gib", "budget_gib", "fits", "parts", "proposal"}
    assert sum(found["parts"].values()) == pytest.approx(found["total_gib"], abs=0.001)
    table = as_table(plan(run), run)
    assert all(name in table for name in found["parts"])


def test_planning_imports_no_torch() -> None:
    code = (
        "import sys; from training.plan.inputs import PlanInput; from training.plan.propose import plan; "
        "import training.plan.report; plan(PlanInput('Qwen/Qwen3-8B')); "
        "sys.exit(sum(name in sys.modules for name in ('torch', 'transformers', 'peft')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
