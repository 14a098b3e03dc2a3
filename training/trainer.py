"""The trainer: TRL's `SFTTrainer` with an order that survives a resume, and guards that stop a run that cannot work.

Imports torch and TRL; import it late.
"""

import math
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback
from trl.trainer.sft_trainer import SFTTrainer

from training.checkpoints import COMPLETE, Cost, last_checkpoint, write_cost
from training.errors import TrainingError
from training.models import peak_memory, trainable_to_float32
from training.tokens import IGNORED

_BACKBONE_INPUTS = {"input_ids", "attention_mask", "position_ids"}

Progress = Callable[[int, int], None]
Say = Callable[[str], None]


class EpochOrder(torch.utils.data.Sampler[int]):  # type: ignore[misc]
    """Row numbers of an epoch, drawn from seed and epoch alone, so that a resumed run draws the same ones.

    Rows of like length share a batch when asked for. The longest row comes first, so that running out of memory does.
    """

    def __init__(self, lengths: Sequence[int], batch: int, *, grouped: bool, seed: int) -> None:
        self._lengths = lengths
        self._batch = batch
        self._grouped = grouped
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, from 0."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order: list[int] = torch.randperm(len(self._lengths), generator=generator).tolist()
        if self._grouped and self._batch > 1:
            order = self._by_length(order, generator)
        if self._epoch == 0 and order:
            longest = max(range(len(order)), key=lambda place: self._lengths[order[place]])
            start = longest - longest % self._batch
            order = order[start : start + self._batch] + order[:start] + order[start + self._batch :]
        return iter(order)

    def _by_length(self, order: list[int], generator: torch.Generator) -> list[int]:
        """Sorts stretches of 50 batches by length, and shuffles the batches."""
        stretch = 50 * self._batch
        batches: list[list[int]] = []
        for start in range(0, len(order), stretch):
            block = sorted(order[start : start + stretch], key=lambda row: -self._lengths[row])
            batches += [block[place : place + self._batch] for place in range(0, len(block), self._batch)]
        # A short batch anywhere but at the end would shift the borders of all after it.
        short = [batch for batch in batches if len(batch) < self._batch]
        full = [batch for batch in batches if len(batch) == self._batch]
        places = torch.randperm(len(full), generator=generator).tolist()
        return [row for batch in (*(full[place] for place in places), *short) for row in batch]


class AdapterTrainer(SFTTrainer):  # type: ignore[misc]
    """Trains an adapter on rows of ids and labels.

    Attributes:
        cost: What the run has cost so far, before a resume too.
    """

    def __init__(self, *args: Any, group_by_length: bool, **kwargs: Any) -> None:
        self._group_by_length = group_by_length
        self.cost = Cost()
        super().__init__(*args, **kwargs)
        trainable_to_float32(self.model)

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """Does nothing: the card is written once, at the end, by `training.report`."""

    def training_step(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Computes loss and gradients of one batch, and stops at a loss that is no number."""
        mask = inputs.get("attention_mask")
        tokens = int(mask.sum()) if mask is not None else int(inputs["input_ids"].numel())
        self.cost = self.cost._replace(tokens=self.cost.tokens + tokens)
        loss = super().training_step(model, inputs, *args, **kwargs)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss is {float(loss)} at step {self.state.global_step + 1}: lower "
                f"optimisation.learning_rate (now {self.args.learning_rate:g}), or compute in bfloat16 or float32"
            )
        return loss

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Computes the loss; on a CPU from the labelled positions alone, as TRL does on a GPU only.

        TRL 1.16 meets the vocabulary at every position where there is no Triton: for a row of 1,600 tokens of which
        300 have a label, that is a third of all the work.
        """
        if return_outputs or self.args.device.type != "cpu" or self.args.world_size > 1:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        causal = self.accelerator.unwrap_model(model).get_base_model()
        given = {key: value for key, value in inputs.items() if key in _BACKBONE_INPUTS}
        with self.accelerator.autocast():
            hidden = causal.base_model(**given, use_cache=False).last_hidden_state[:, :-1]  # (batch, length - 1, width)
            labels = inputs["labels"][:, 1:]
            labelled = labels != IGNORED
            logits = causal.get_output_embeddings()(hidden[labelled])  # (labels, vocabulary)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[labelled], reduction="sum")
        return loss / (labelled.sum() if num_items_in_batch is None else num_items_in_batch)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Logs, and stops at a held-out loss that is no number."""
        if not math.isfinite(logs.get("eval_loss", 0.0)):
            raise TrainingError(
                f"the held-out loss is {logs['eval_loss']} at step {self.state.global_step}: lower "
                "optimisation.learning_rate, or compute in bfloat16 or float32"
            )
        super().log(logs, *args, **kwargs)

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochOrder:
        dataset = train_dataset if train_dataset is not None else self.train_dataset
        batch = self.args.train_batch_size * self.args.world_size
        lengths = [len(ids) for ids in dataset["input_ids"]]
        return EpochOrder(lengths, batch, grouped=self._group_by_length, seed=self.args.seed)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)
            if self.is_world_process_zero():
                peak = peak_memory(cuda=self.args.device.type == "cuda")
                self.cost = self.cost._replace(peak_bytes=max(self.cost.peak_bytes, peak))
                write_cost(folder, self.cost)
                (folder / COMPLETE).touch()
        except Exception as error:
            if not _disk_failed(error):
                raise
            shutil.rmtree(folder, ignore_errors=True)
            last = last_checkpoint(Path(self.args.output_dir))
            kept = f"the last good checkpoint is {last.name}" if last else "no checkpoint was saved before"
            reason = " ".join(str(error).split())[:150]
            raise TrainingError(
                f"checkpoint {self.state.global_step} could not be written to {self.args.output_dir} ({reason}); "
                f"{kept}: free some space and run again with --resume"
            ) from error


@dataclass(eq=False)
class Watch(TrainerCallback):  # type: ignore[misc]
    """Shows progress, saves on SIGTERM, and stops a run whose adapter does not move.

    Attributes:
        progress: Told (steps done, steps).
        say: Told a line at each log.
        idle_limit: Steps without any change of the adapter after which the run is stopped.
        interrupted: Whether SIGTERM came.
    """

    progress: Progress
    say: Say
    idle_limit: int
    interrupted: bool = False
    trainer: AdapterTrainer | None = None
    _idle: int = 0
    _last: float | None = None
    _begun: tuple[float, float] = (0.0, 0.0)
    _before: Any = None
    _flag: bool = False

    def on_train_begin(self, _args: Any, state: Any, _control: Any, model: Any = None, **_: Any) -> None:
        """Casts what a resume may have loaded in another format, and listens for SIGTERM."""
        trainable_to_float32(model)
        self._last = movement(model)
        self.progress(state.global_step, state.max_steps)
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._stop)

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Stops listening."""
        self.release()

    def release(self) -> None:
        """Gives the signal back to whoever had it."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Starts the clock."""
        self._begun = perf_counter(), process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Counts time, checks that the adapter moved, and saves at the end and when asked to stop."""
        if self.trainer is not None:
            seconds, cpu = perf_counter() - self._begun[0], process_time() - self._begun[1]
            cost = self.trainer.cost
            self.trainer.cost = cost._replace(seconds=cost.seconds + seconds, cpu_seconds=cost.cpu_seconds + cpu)
        now = movement(model)
        self._idle = self._idle + 1 if now == self._last else 0
        self._last = now
        if self._idle >= self.idle_limit:
            raise TrainingError(
                f"no update was applied in {self._idle} steps, up to step {state.global_step}: the gradients are zero "
                "or overflow; compute in float32 or bfloat16, or check adapter.targets"
            )
        self.progress(state.global_step, state.max_steps)
        if state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = True
        elif self._asked_to_stop(args):
            self.interrupted = True
            control.should_save = control.should_training_stop = True

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Says the losses."""
        if state.is_world_process_zero and logs:
            if "eval_loss" in logs:
                self.say(f"step {state.global_step}/{state.max_steps}: held-out loss {logs['eval_loss']:.4f}")
            elif "loss" in logs:
                cost = self.trainer.cost if self.trainer else Cost()
                speed = cost.tokens / cost.seconds if cost.seconds else 0.0
                self.say(
                    f"step {state.global_step}/{state.max_steps}: loss {logs['loss']:.4f}, "
                    f"learning rate {logs.get('learning_rate', 0):.2g}, {speed:.0f} tokens/s"
                )

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._flag = True

    def _asked_to_stop(self, args: Any) -> bool:
        """Says whether any process was asked to stop; all must stop at the same step."""
        if args.world_size == 1:
            return self._flag
        flag = torch.tensor([int(self._flag)], device=args.device)
        torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
        return bool(flag.item())


def movement(model: Any) -> float:
    """Returns the summed magnitude of the trained tensors: it changes when any update is applied."""
    sums = [
        parameter.detach().abs().sum(dtype=torch.float64) for parameter in model.parameters() if parameter.requires_grad
    ]
    return float(sum(sums))  # one transfer from the device, not one a tensor


def _disk_failed(error: Exception) -> bool:
    """Says whether an error is the disk's: safetensors and torch.save have words of their own for a full one."""
    from safetensors import SafetensorError

    written = isinstance(error, RuntimeError) and "PytorchStreamWriter" in str(error)
    return written or isinstance(error, OSError | SafetensorError)


def zero_adapters(model: Any) -> tuple[list[str], int]:
    """Returns the names of the `lora_B` that are zero, and how many there are in all."""
    outputs = [(name, parameter) for name, parameter in model.named_parameters() if "lora_B" in name]
    return [name for name, parameter in outputs if not bool(parameter.detach().any())], len(outputs)
