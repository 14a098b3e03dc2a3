from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError
from training.sft import run
from training.targets import check_targets

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
