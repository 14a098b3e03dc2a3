"""Every T4 preset trains its kind of model, in whole and quantised weights: targets, tokens, stop and plan agree."""

from dataclasses import replace
from pathlib import Path

import pytest

from data.chat import prompt_ids, stop_token
from data.prompts import Example, grounded_messages
from tests.training.lookalikes import LOOKALIKES, LookAlike, build
from training.config import TrainConfig
from training.config_file import PRESETS, read_config
from training.examples import Row
from training.models import load_tokenizer
from training.plan.architectures import architecture
from training.plan.memory import adapter_parameters
from training.planning import plan_input
from training.sft import run
from training.tokens import encode_row

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("hash_encoder"),
    pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU:UserWarning"),
]

SHOWN = (Example("거실 벽지가 들뜨면 어떻게 하나요?", "먼저 닦고 고칩니다. 그다음 하루 말립니다."),)
ROW = Row("grounded", grounded_messages("거실 벽지가 떠요", SHOWN), "먼저 닦고 고칩니다. [1]", ("a",))


@pytest.fixture(scope="module", params=LOOKALIKES, ids=lambda look: look.preset)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[LookAlike, Path]:
    look: LookAlike = request.param
    folder = tmp_path_factory.mktemp("lookalikes") / look.preset
    build(look, folder)
    return look, folder


def _small(look: LookAlike, folder: Path, groups_file: Path, out: Path, quantization: str) -> TrainConfig:
    """The preset itself, on the look-alike, a small file and the CPU."""
    preset = read_config(PRESETS / f"{look.preset}.toml")
    return replace(
        preset,
        model=replace(preset.model, base=str(folder)),
        data=replace(preset.data, files=(str(groups_file),), held_out=0.2, encoder="hash"),
        mix=replace(preset.mix, rows=32, near_duplicate=0.99, held_out_rows=4),
        precision=replace(
            preset.precision,
            device="cpu",
            weights="float32",
            quantization=quantization,
            double_quant=quantization == "nf4",
            threads=1,
        ),
        logging=replace(preset.logging, report_to="none"),
        output=replace(preset.output, dir=str(out)),
    )


def test_an_answer_ends_with_the_models_own_end_and_shows_no_thought(model: tuple[LookAlike, Path]) -> None:
    look, folder = model
    tokenizer = load_tokenizer(folder)
    encoded = encode_row(ROW, tokenizer)
    assert list(encoded.input_ids[: encoded.prompt_length]) == prompt_ids(tokenizer, ROW.prompt)
    labels = list(encoded.input_ids[encoded.prompt_length :])
    assert tokenizer.convert_ids_to_tokens(labels[-1]) == look.eos
    assert stop_token(tokenizer) == labels[-1]
    assert tokenizer.decode(labels[:-1]).strip() == ROW.completion
    assert max(encoded.input_ids) < architecture(str(folder)).vocab


@pytest.mark.parametrize("quantization", ["none", "nf4", "int8"])
def test_two_steps_move_every_adapter_and_the_plan_counts_them(
    model: tuple[LookAlike, Path], quantization: str, groups_file: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    look, folder = model
    config = _small(look, folder, groups_file, tmp_path / "run", quantization)
    result = run(config, folder, max_steps=2)
    report = result.report
    assert report["steps"] == 2
    assert report["unmoved_adapters"] == []
    assert report["train_rows"]["dropped"] == report["train_rows"]["truncated"] == 0
    tensors = load_file(result.adapter / "adapter_model.safetensors")
    outputs = {name: tensor for name, tensor in tensors.items() if "lora_B" in name}
    arch = architecture(str(folder))
    targets = arch.targets(config.adapter.targets)
    assert len(outputs) == arch.layers * len(targets)
    assert all(bool(tensor.any()) for tensor in outputs.values())
    assert report["trained_parameters"] == adapter_parameters(arch, plan_input(config))
