"""Whole runs on a random Llama: they learn, resume to the digit, and stop when they cannot work."""

import itertools
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.errors import AdapterMismatchError, InputError
from training.checkpoints import last_checkpoint, read_cost
from training.config import TrainConfig
from training.errors import TrainingError, TrainingInterruptedError
from training.sft import TrainResult, run

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("hash_encoder"),
]

ROOT = Path(__file__).resolve().parents[2]


def _losses(report: dict[str, Any]) -> dict[int, float]:
    return {entry["step"]: entry["loss"] for entry in report["losses"] if "loss" in entry}


def _go(config: TrainConfig, **options: Any) -> TrainResult:
    return run(config, Path(config.model.base), **options)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory, groups_file: Path, base: Path) -> TrainResult:
    """A run of sixty steps, shared by the tests that look at what a run leaves."""
    from index.encoders import base as encoders
    from index.encoders.base import HashEncoder
    from tests.training.conftest import table
    from training.config_file import parse_config

    sections = table(groups_file, base, tmp_path_factory.mktemp("learnt") / "run")
    sections["mix"]["rows"] = 120
    sections["output"]["save_every"] = 30
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "make_encoder", lambda _settings: HashEncoder())
        return _go(parse_config(sections, "small"))


def test_loss_falls_over_sixty_steps(learnt: TrainResult) -> None:
    losses = list(_losses(learnt.report).values())
    assert len(losses) == 60
    # A random model starts at ln(700) = 6.6; chance alone does not take a third off it.
    assert sum(losses[-10:]) / 10 < 0.67 * losses[0]


def test_every_lora_b_moved(learnt: TrainResult) -> None:
    from safetensors.torch import load_file

    tensors = load_file(learnt.adapter / "adapter_model.safetensors")
    outputs = [tensor for name, tensor in tensors.items() if "lora_B" in name]
    assert len(outputs) == 14
    assert all(bool(tensor.any()) for tensor in outputs)
    assert learnt.report["unmoved_adapters"] == []


def test_report_holds_what_a_reader_asks_for(learnt: TrainResult) -> None:
    report = json.loads((learnt.adapter / "training.json").read_text("utf-8"))
    assert report == learnt.report
    assert report["best_held_out_loss"] == min(e["eval_loss"] for e in report["losses"] if "eval_loss" in e)
    assert report["train_rows"]["rows"] == 120
    assert report["tokens"] == report["train_rows"]["tokens"]
    assert report["tokens_per_second"] > 0
    assert report["peak_memory_gib"] > 0
    assert {"torch", "transformers", "trl", "peft"} <= set(report["versions"])
    assert len(report["splits"]["train"]) + len(report["splits"]["held_out"]) == 40
    assert all(len(digest) == 64 for digest in report["files"].values())
    card = (learnt.adapter / "README.md").read_text("utf-8")
    assert card.startswith("---\nbase_model:")
    assert "120 rows" in card


def test_inference_takes_the_adapter_and_refuses_another_base(learnt: TrainResult, base: Path, tmp_path: Path) -> None:
    from rag.generators.adapters import check_names, read_card

    card = read_card(learnt.adapter)
    check_names(card, str(base))
    with pytest.raises(AdapterMismatchError):
        check_names(card, "smollm2")


def test_killed_run_resumes_with_the_same_losses(
    make_config: Any, groups_file: Path, base: Path, tmp_path: Path
) -> None:
    # Two epochs of twelve steps, killed in the second, with dropout: order, optimiser, schedule and random state count.
    changes = {"optimisation": {"epochs": 2.0}, "adapter": {"dropout": 0.1}}
    whole = _go(make_config(**changes, output={"dir": str(tmp_path / "whole")}))
    program = f"""
import os, signal
from pathlib import Path
from index.encoders import base as encoders
encoders.make_encoder = lambda _settings: encoders.HashEncoder()
from tests.training.conftest import table
from training.config_file import parse_config
from training.sft import run
sections = table(Path({str(groups_file)!r}), Path({str(base)!r}), Path({str(tmp_path / "killed")!r}))
sections["optimisation"]["epochs"] = 2.0
sections["adapter"]["dropout"] = 0.1
def say(line):
    if line.startswith("step 18/"):
        os.kill(os.getpid(), signal.SIGKILL)
run(parse_config(sections, "small"), Path({str(base)!r}), say=say)
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, timeout=400)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    resumed = _go(make_config(**changes, output={"dir": str(tmp_path / "killed")}), resume=True)
    before, after = _losses(whole.report), _losses(resumed.report)
    assert set(before) == set(after) == set(range(1, 25))
    assert max(abs(before[step] - after[step]) for step in before) < 1e-6
    assert resumed.report["tokens"] == whole.report["tokens"] > 0
    last = last_checkpoint(tmp_path / "killed" / "checkpoints")
    assert last is not None
    assert resumed.report["peak_memory_gib"] >= round(read_cost(last).peak_bytes / 2**30, 3) > 0
    assert whole.report["best_held_out_loss"] == pytest.approx(resumed.report["best_held_out_loss"], abs=1e-6)


def test_sigterm_saves_and_says_how_to_go_on(make_config: Any) -> None:
    config = make_config()

    def say(line: str) -> None:
        if line.startswith("step 3/"):
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainingInterruptedError, match="go on with --resume"):
        _go(config, say=say)
    assert signal.getsignal(signal.SIGTERM) is before
    assert [path.name for path in (config.out / "checkpoints").iterdir()] == ["checkpoint-4"]
    with pytest.raises(InputError, match="holds a run already"):
        _go(config)
    with pytest.raises(InputError, match=r"another configuration \(optimisation.learning_rate changed\)"):
        _go(make_config(optimisation={"learning_rate": 1e-3}), resume=True)
    with pytest.raises(InputError, match=r"trained with another --max-steps \(None, now 9\)"):
        _go(config, resume=True, max_steps=9)
    with pytest.raises(InputError, match="trained with arithmetic of another format"):
        _go_after(config, compute="float64")
    with pytest.raises(InputError, match="give --resume too"):
        _go(config, finish=True)
    said: list[str] = []
    early = _go(config, resume=True, finish=True, say=said.append)
    assert "finished at checkpoint-4, 8 steps before the end" in said
    assert early.report["steps"] == 4
    assert (early.adapter / "adapter_model.safetensors").is_file()
    # The run's folder may move; what the checkpoints call the best one by its old place is found.
    moved = make_config(output={"dir": str(config.out.with_name("moved"))})
    config.out.rename(moved.out)
    again = _go(moved, resume=True, finish=True)
    assert (again.report["steps"], again.report["best_held_out_loss"]) == (4, early.report["best_held_out_loss"])
    assert _go(moved, resume=True).report["steps"] == 12


def _go_after(config: Any, **before: str) -> None:
    """Goes on with a run whose folder says that it was begun otherwise, and puts back what it said."""
    path = config.out / "run.json"
    said = path.read_text("utf-8")
    path.write_text(json.dumps(json.loads(said) | before), "utf-8")
    try:
        _go(config, resume=True)
    finally:
        path.write_text(said, "utf-8")


def test_full_disk_leaves_the_last_good_checkpoint(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from trl import SFTTrainer

    config = make_config()
    save = SFTTrainer._save_checkpoint

    def full(self: Any, model: Any, trial: Any) -> None:
        save(self, model, trial)
        if self.state.global_step > 5:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(SFTTrainer, "_save_checkpoint", full)
    with pytest.raises(TrainingError, match=r"No space left.*the last good checkpoint is checkpoint-5"):
        _go(config)
    assert [path.name for path in (config.out / "checkpoints").iterdir()] == ["checkpoint-5"]


def test_full_disk_at_the_end_keeps_the_checkpoint_from_which_a_resume_only_writes(
    make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft import PeftModel
    from safetensors import SafetensorError

    config = make_config()
    save = PeftModel.save_pretrained

    def full(self: Any, folder: Any, *arguments: Any, **options: Any) -> None:
        if "checkpoint" in str(folder):
            save(self, folder, *arguments, **options)
        else:
            raise SafetensorError("I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr(PeftModel, "save_pretrained", full)
        with pytest.raises(TrainingError, match=r"adapter could not be written .*No space left.*free some space"):
            _go(config, max_steps=4)
    assert {path.name for path in config.out.iterdir()} == {"run.json", "checkpoints"}
    said: list[str] = []
    resumed = _go(config, max_steps=4, resume=True, say=said.append)
    assert "checkpoint-4 is the last step already; nothing is left to train" in said
    assert resumed.report["steps"] == 4
    assert list(_losses(resumed.report)) == [1, 2, 3, 4]
    assert (resumed.adapter / "adapter_model.safetensors").is_file()
    assert resumed.report["unmoved_adapters"] == []


def test_folder_that_cannot_be_made_is_one_line(make_config: Any) -> None:
    with pytest.raises(InputError, match=r"cannot make /proc/nowhere .* choose another --out"):
        _go(make_config(output={"dir": "/proc/nowhere"}), max_steps=1)


def test_loss_that_is_no_number_stops_the_run(make_config: Any) -> None:
    with pytest.raises(TrainingError, match=r"loss is (nan|inf).* lower optimisation.learning_rate"):
        _go(make_config(optimisation={"learning_rate": 1e30, "schedule": "constant_with_warmup"}))


def test_run_without_updates_is_stopped(make_config: Any) -> None:
    with pytest.raises(TrainingError, match="no update was applied in 3 steps"):
        _go(make_config(optimisation={"learning_rate": 1e-42, "stop_after_idle_steps": 3}))


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_adapter_that_never_moved_is_an_error(base: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from training.sft import _moved

    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(target_modules=["q_proj"]))
    with pytest.raises(TrainingError, match="all 2 lora_B are still zero"):
        _moved(model)


def test_going_on_from_an_adapter_of_another_base_is_refused(
    learnt: TrainResult, make_config: Any, tmp_path: Path
) -> None:
    go_on = make_config(adapter={"start_from": str(learnt.adapter)})
    assert _losses(_go(go_on, max_steps=1).report)[1] < 0.75 * _losses(learnt.report)[1]
    card = json.loads((learnt.adapter / "dobae_adapter.json").read_text("utf-8"))
    other = tmp_path / "other"
    other.mkdir()
    for path in learnt.adapter.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    (other / "dobae_adapter.json").write_text(json.dumps(card | {"base_model": "x/y"}), "utf-8")
    with pytest.raises(AdapterMismatchError, match="was trained for x/y"):
        _go(make_config(adapter={"start_from": str(other)}, output={"dir": str(tmp_path / "b")}))
    with pytest.raises(InputError, match=r"another shape: adapter\.r is 4, the adapter has 8$"):
        _go(make_config(adapter={"start_from": str(learnt.adapter), "r": 4}, output={"dir": str(tmp_path / "c")}))
    with pytest.raises(InputError, match=r"no adapter in .*nowhere; train that one first"):
        _go(make_config(adapter={"start_from": str(tmp_path / "nowhere")}, output={"dir": str(tmp_path / "d")}))


def test_quantised_base_trains_with_adapters_in_float32(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from training.trainer import Watch

    seen: list[set[torch.dtype]] = []
    begin = Watch.on_step_end

    def spy(self: Watch, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:
        seen.append({parameter.dtype for parameter in model.parameters() if parameter.requires_grad})
        begin(self, args, state, control, model=model, **rest)

    monkeypatch.setattr(Watch, "on_step_end", spy)
    config = make_config(
        precision={"quantization": "nf4", "double_quant": True}, mix={"rows": 8}, output={"save_every": 2}
    )
    report = _go(config).report
    assert seen == [{torch.float32}] * 4
    assert report["unmoved_adapters"] == []

    def stop(line: str) -> None:
        if line.startswith("step 1/"):
            os.kill(os.getpid(), signal.SIGTERM)

    stopped = replace(config, output=replace(config.output, dir=str(config.out.with_name("stopped"))))
    with pytest.raises(TrainingInterruptedError):
        _go(stopped, say=stop)
    seen.clear()
    assert _go(stopped, resume=True).report["steps"] == 4
    assert seen == [{torch.float32}] * len(seen) != []


def test_packing_and_checkpointing_run(make_config: Any) -> None:
    config = make_config(optimisation={"packing": "bfd", "gradient_checkpointing": True, "batch_size": 2})
    report = _go(config, max_steps=2).report
    assert report["steps"] == 2
    assert report["best_held_out_loss"] is not None


def test_length_that_cuts_every_label_stops_before_the_model_is_loaded(make_config: Any) -> None:
    with pytest.raises(InputError, match="no label of any of the 24 rows"):
        _go(make_config(data={"max_length": 32}))


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_curves_to_a_library_that_is_not_there_are_refused_first(
    make_config: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=f"{name}.*not installed: pip install {name}"):
        _go(make_config(logging={"report_to": name}))


def test_resume_without_a_checkpoint_is_refused(make_config: Any) -> None:
    with pytest.raises(InputError, match="no whole checkpoint"):
        _go(make_config(), resume=True)


@pytest.mark.parametrize("packing", ["none", "bfd"])
def test_cpu_loss_is_trls(make_config: Any, packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from trl.trainer.sft_trainer import SFTTrainer

    from training.trainer import AdapterTrainer

    pairs: list[tuple[float, float]] = []
    ours = AdapterTrainer.compute_loss

    def both(self: Any, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        loss = ours(self, model, inputs, return_outputs, num_items_in_batch)
        with torch.no_grad():
            theirs = SFTTrainer.compute_loss(self, model, dict(inputs), return_outputs, num_items_in_batch)
        pairs.append((float(loss.detach()), float(theirs)))
        return loss

    monkeypatch.setattr(AdapterTrainer, "compute_loss", both)
    _go(make_config(optimisation={"batch_size": 2, "packing": packing}), max_steps=2)
    assert len(pairs) >= 5
    assert all(a == pytest.approx(b, rel=1e-5) for a, b in pairs)


def test_packed_rows_do_not_see_one_another(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from training.trainer import AdapterTrainer

    pairs: list[tuple[int, float, float]] = []
    ours = AdapterTrainer.compute_loss

    def both(self: Any, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        loss = ours(self, model, inputs, return_outputs, num_items_in_batch)
        if num_items_in_batch is not None:  # None when the held-out rows are asked
            places = inputs["position_ids"][0]
            starts = [*(places == 0).nonzero().flatten().tolist(), len(places)]
            rows = [
                {key: inputs[key][:, begin:end] for key in ("input_ids", "labels")}
                for begin, end in itertools.pairwise(starts)
            ]
            with torch.no_grad():
                apart = sum(float(ours(self, model, row, num_items_in_batch=1)) for row in rows)
            pairs.append((len(rows), float(loss.detach()), apart / float(num_items_in_batch)))
        return loss

    monkeypatch.setattr(AdapterTrainer, "compute_loss", both)
    _go(make_config(optimisation={"packing": "bfd"}), max_steps=2)
    assert max(rows for rows, _, _ in pairs) > 1
    assert all(packed == pytest.approx(apart, rel=1e-4) for _, packed, apart in pairs)


def test_adapter_written_is_the_best_checkpoints_and_not_the_last(
    make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    from training.trainer import AdapterTrainer

    config = make_config()
    evaluate = AdapterTrainer.evaluate

    def worsening(self: Any, *arguments: Any, **options: Any) -> dict[str, float]:
        return evaluate(self, *arguments, **options) | {"eval_loss": float(self.state.global_step)}

    monkeypatch.setattr(AdapterTrainer, "evaluate", worsening)
    result = _go(config)
    assert result.report["best_step"] == 5
    written, best, last = (
        load_file(folder / "adapter_model.safetensors")
        for folder in (result.adapter, *(config.out / "checkpoints" / f"checkpoint-{step}" for step in (5, 12)))
    )
    assert all(tensor.equal(best[name].to(tensor.dtype)) for name, tensor in written.items())
    assert any(not tensor.equal(last[name].to(tensor.dtype)) for name, tensor in written.items())
