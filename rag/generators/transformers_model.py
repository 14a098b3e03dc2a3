"""Any causal language model through transformers, with or without a LoRA adapter.

The model is loaded on first use and shared by all answers. Answers are greedy, so one question has one answer.
"""

import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data.chat import END_OF_TURN, prompt_ids
from data.errors import AdapterMismatchError, DobaeError, GenerationError, InputError, ModelNotFoundError, one_line
from data.tokenizer_files import load_tokenizer
from rag.generators.adapters import check_model, check_names, read_card
from rag.generators.base import GenerationRequest
from rag.generators.decoding import Decoding, greedy_batch, greedy_spans, keeps_everything
from rag.generators.quoting import quotations, quoted_spans
from rag.generators.revisions import find_base
from rag.generators.textstream import RepetitionGuard, TextDecoder
from rag.model_conversion import quiet_progress
from rag.model_store import DEFAULT_MODEL

QUANTIZATIONS = ("nf4",)

_LEAST_ROOM = 64
"""Tokens that a prompt must leave for its answer; fewer are no answer."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    model: Any
    tokenizer: Any
    stop_ids: frozenset[int]
    context: int | None


class TransformersGenerator:
    """A local causal language model.

    Args:
        model: "smollm2", a folder, or a Hugging Face id.
        adapter: Folder of a PEFT adapter trained on this model.
        device: "cpu", "cuda", "cuda:1"...; by default the GPU if there is one.
        quantization: "nf4" loads the weights in 4 bits (CUDA only); None loads them whole.
        decoding: Drafts and threads.
        quote: Let it answer from examples by quoting them whole, or refuse (`rag.generators.quoting`).

    Raises:
        ModelNotFoundError: The model cannot be had.
        AdapterMismatchError: The adapter was trained for another model or prompt.
        InputError: The adapter or a setting is unusable.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        adapter: Path | None = None,
        device: str | None = None,
        quantization: str | None = None,
        decoding: Decoding | None = None,
        quote: bool = False,
    ) -> None:
        if quantization is not None and quantization not in QUANTIZATIONS:
            raise InputError(f'unknown quantization "{quantization}"; known: {", ".join(QUANTIZATIONS)}')
        self._model_name = model
        self._card = read_card(adapter.expanduser()) if adapter is not None else None
        if self._card is not None:
            check_names(self._card, model)
        self._folder = find_base(model, self._card.folder if self._card is not None else None)
        self._device = device
        self._quantization = quantization
        if device is not None:
            self._needs_cuda(device)
        self._decoding = decoding or Decoding()
        self._quote = quote
        self._loaded: _Loaded | None = None
        self._loading = threading.Lock()
        self._step = threading.Lock()

    @property
    def name(self) -> str:
        """Returns the model's name, and the adapter's folder after a "+"."""
        model = Path(self._model_name).name if Path(self._model_name).is_dir() else self._model_name
        return f"{model}+{self._card.folder.resolve().name}" if self._card is not None else model

    @property
    def folder(self) -> Path:
        """Returns the folder of the model."""
        return self._folder

    @property
    def adapter(self) -> Path | None:
        """Returns the folder of the adapter, or None."""
        return self._card.folder if self._card is not None else None

    @property
    def device(self) -> str:
        """Returns the device named, or the GPU if there is one, else the CPU."""
        if self._device is not None:
            return self._device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def quotes(self) -> bool:
        """Returns whether it answers from examples by quoting them whole."""
        return self._quote

    def load(self) -> None:
        """Loads the model now rather than at the first question.

        Raises:
            ModelNotFoundError: The folder holds nothing transformers can load.
            AdapterMismatchError: The adapter's tensors do not fit the model.
            InputError: No such device.
        """
        self._ensure()

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        """Yields the answer in whole characters as the model decides on them.

        Nothing is computed beyond the chunk asked for last, so closing the iterator stops the model.

        Raises:
            GenerationError: The prompt does not fit, or the model failed.
        """
        loaded = self._ensure()
        prompt, request = self._fitted(loaded, request)
        decoder, guard = TextDecoder(loaded.tokenizer), RepetitionGuard()
        spans: Iterator[list[int]] | None = None
        while not guard.looping:
            try:
                spans = spans or self._spans(loaded, prompt, request)
                span = next(spans, None)
            except RuntimeError as error:  # Out of memory is one.
                raise GenerationError(f"{self.name} failed: {one_line(error)}") from error
            if span is None:
                break
            if chunk := guard.push(decoder.push(span)):
                yield chunk
        if rest := guard.finish():
            yield rest

    def generate_batch(self, requests: Sequence[GenerationRequest]) -> list[str]:
        """Answers several requests at once, each cut where it begins to repeat itself, as a stream is.

        Args:
            requests: At least one, all with the same `max_new_tokens`.

        Raises:
            GenerationError: A prompt does not fit, or the model failed.
        """
        loaded = self._ensure()
        # Quoting takes few steps an answer, at places that differ: nothing to gain from a batch.
        quoting = self._quote and any(request.examples for request in requests)
        if quoting or not keeps_everything(loaded.model):
            return ["".join(self.stream(request)) for request in requests]
        prompts, fitted = zip(*(self._fitted(loaded, request) for request in requests), strict=True)
        limits = [request.max_new_tokens for request in fitted]
        written = [0] * len(requests)
        decoders = [TextDecoder(loaded.tokenizer) for _ in requests]
        guards = [RepetitionGuard() for _ in requests]
        texts = [""] * len(requests)

        def push(number: int, token: int) -> bool:
            texts[number] += guards[number].push(decoders[number].push([token]))
            written[number] += 1
            return guards[number].looping or written[number] == limits[number]

        try:
            with self._step:
                greedy_batch(
                    loaded.model,
                    prompts,
                    stop_ids=loaded.stop_ids,
                    max_new_tokens=max(limits),
                    threads=self._decoding.prefill_threads,
                    push=push,
                )
        except RuntimeError as error:
            raise GenerationError(f"{self.name} failed: {one_line(error)}") from error
        return [text + guard.finish() for text, guard in zip(texts, guards, strict=True)]

    def count_tokens(self, text: str) -> int:
        """Returns how many of the model's tokens a text takes."""
        return len(self._ensure().tokenizer(text, add_special_tokens=False)["input_ids"])

    def _spans(self, loaded: _Loaded, prompt: list[int], request: GenerationRequest) -> Iterator[list[int]]:
        options: dict[str, Any] = {
            "stop_ids": loaded.stop_ids,
            "max_new_tokens": request.max_new_tokens,
            "decoding": self._decoding,
            "step_lock": lambda: self._step,
        }
        if self._quote and request.examples:
            allowed = quotations(loaded.tokenizer, prompt, request, loaded.stop_ids)
            return quoted_spans(loaded.model, prompt, allowed, **options)
        return greedy_spans(loaded.model, prompt, **options)

    def _fitted(self, loaded: _Loaded, request: GenerationRequest) -> tuple[list[int], GenerationRequest]:
        """Returns the prompt, and the request with no more tokens than the model has room for behind it."""
        prompt = prompt_ids(loaded.tokenizer, request.messages)
        if loaded.context is None:
            return prompt, request
        room = loaded.context - len(prompt)
        if room < min(_LEAST_ROOM, request.max_new_tokens):
            how = "show fewer or shorter examples" if request.examples else "ask a shorter question"
            raise GenerationError(
                f"the prompt has {len(prompt)} tokens, which leaves an answer less than {_LEAST_ROOM} of the "
                f"{loaded.context} of {self.name}; {how}"
            )
        return prompt, replace(request, max_new_tokens=min(room, request.max_new_tokens))

    def _ensure(self) -> _Loaded:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> _Loaded:
        import torch

        device = self.device
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise InputError(f"no CUDA GPU here for device {device}")
        self._needs_cuda(device)
        try:
            with quiet_progress():
                tokenizer = load_tokenizer(self._folder)
                model = self._load_model(device)
        except DobaeError:
            raise
        except torch.OutOfMemoryError as error:
            raise GenerationError(f"{self.name} does not fit into the memory of {device}") from error
        except (OSError, ValueError, ImportError, RuntimeError, KeyError) as error:
            raise ModelNotFoundError(f"cannot load {self._model_name}: {one_line(error)}") from error
        model.eval()
        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        return _Loaded(model, tokenizer, _stop_ids(model, tokenizer), context)

    def _needs_cuda(self, device: str) -> None:
        if self._quantization is not None and not device.startswith("cuda"):
            raise InputError(f"quantization {self._quantization} needs a CUDA GPU, not {device}")

    def _load_model(self, device: str) -> Any:
        from transformers import AutoModelForCausalLM, BitsAndBytesConfig

        dtype = _dtype(device)
        options: dict[str, Any] = {}
        if self._quantization == "nf4":
            options["quantization_config"] = BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=dtype,
            )
        model = AutoModelForCausalLM.from_pretrained(
            self._folder,
            dtype=dtype,
            device_map={"": device},
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            **options,
        )
        return model if self._card is None else self._with_adapter(model, device)

    def _with_adapter(self, model: Any, device: str) -> Any:
        import torch
        from peft import PeftModel

        if self._card is None:
            return model
        check_model(self._card, model, self._model_name)
        try:
            with warnings.catch_warnings():
                # PEFT 0.21 asks transformers 5.23 for a name that became deprecated; nothing a user can act on.
                warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
                adapted = PeftModel.from_pretrained(
                    model, self._card.folder, torch_device=device, use_safetensors=True, local_files_only=True
                )
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            raise AdapterMismatchError(
                f"the adapter in {self._card.folder} does not fit {self._model_name}: {one_line(error)}"
            ) from error
        # In float32 a merge changes nothing that shows and saves two small products a layer; lower precision rounds.
        exact = model.dtype == torch.float32 and self._quantization is None
        return adapted.merge_and_unload() if exact else adapted


def _dtype(device: str) -> Any:
    """Float32 on a CPU; on CUDA bfloat16 where the hardware has it (compute capability 8.0), else float16."""
    import torch

    if not device.startswith("cuda"):
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16


def _stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Collects every token that ends an answer: the model's, the tokenizer's, and ChatML's end of turn."""
    ids: set[int] = set()
    for value in (model.generation_config.eos_token_id, model.config.eos_token_id, tokenizer.eos_token_id):
        ids.update(value if isinstance(value, list) else [] if value is None else [value])
    end_of_turn = tokenizer.get_vocab().get(END_OF_TURN)
    return frozenset(ids if end_of_turn is None else {*ids, end_of_turn})
