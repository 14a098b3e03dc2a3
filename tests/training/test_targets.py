from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError
from training.models import check_shape
from training.sft import run
from training.targets import adapted_layers, check_targets

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("hash_encoder")]


def test_layers_that_are_not_there_and_the_head_are_refused_beside_those_that_are(base: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    check_targets(model, ["q_proj", "down_proj"])
    check_targets(model, ["all-linear"])
    with pytest.raises(InputError, match=r"adapter\.targets: no layer is called v_porj \(did you mean v_proj\?\)"):
        check_targets(model, ["q_proj", "v_porj"])
    with pytest.raises(
        InputError, match=r"no layer is called attention; known are down_proj, gate_proj, .*; lm_head is the head"
    ):
        check_targets(model, ["attention", "lm_head"])


def test_unknown_layer_is_one_line(make_config: Any, base: Path) -> None:
    with pytest.raises(InputError, match=r"adapter\.targets: no layer is called nonsense"):
        run(make_config(adapter={"targets": ["nonsense"]}), base)


def test_an_adapter_of_fewer_layers_is_not_taken_for_one_of_all(make_config: Any, base: Path, tmp_path: Path) -> None:
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    config = make_config()
    shape = {"r": config.adapter.r, "lora_alpha": config.adapter.alpha, "lora_dropout": config.adapter.dropout}
    for targets in (["q_proj"], sorted(adapted_layers(model, ("all-linear",)))):
        LoraConfig(target_modules=targets, **shape).save_pretrained(tmp_path / str(len(targets)))
    check_shape(tmp_path / "14", config, model)
    check_shape(tmp_path / "1", make_config(adapter={"targets": ["q_proj"]}), model)
    with pytest.raises(InputError, match=r"adapter\.targets is all-linear, the adapter has q_proj"):
        check_shape(tmp_path / "1", config, model)
