"""Merges an adapter into its base, in 16 bits, and checks that the merged model still says the same.

The merged weights are rounded once more than base and adapter apart, so a small difference of logits is expected; it
is measured on the files that were written, not on what was in memory, and reported.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from data.chat import prompt_ids, stop_token
from data.errors import InputError, one_line
from data.prompts import Example, closed_book_messages, grounded_messages
from data.types import Message
from training.errors import TrainingError
from training.models import check_card, load_adapter, load_tokenizer, read_card, without_known_warnings
from training.writing import disk_errors, make_folder, write_json

Format = Literal["bfloat16", "float16"]

LARGEST_DIFFERENCE = 1.0
"""Logits further apart than this mean a broken merge; rounding to 16 bits was seen to move them by some hundredths."""

_NEW_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far the merged model is from base and adapter.

    Attributes:
        prompts: Prompts compared.
        max_logit_difference: Largest difference of any logit at the last token of a prompt.
        greedy_tokens: Tokens both wrote greedily.
        equal_tokens: Tokens of these that are the same, up to the first difference of each prompt.
    """

    prompts: int
    max_logit_difference: float
    greedy_tokens: int
    equal_tokens: int


def export(
    adapter: Path,
    base: Path,
    base_name: str,
    out: Path,
    *,
    dtype: Format = "bfloat16",
    say: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Merges an adapter into its base and writes a model folder.

    Args:
        adapter: Folder of the adapter, as a run leaves it.
        base: Folder of its base model.
        base_name: The base's name, compared with the adapter's card.
        out: New folder.
        dtype: Format of the merged weights.
        say: Told what is going on.

    Returns:
        The comparison of the written model with base and adapter.

    Raises:
        InputError: `out` exists, or the adapter cannot be used.
        AdapterMismatchError: The adapter is for another base.
        TrainingError: The merged model says something else, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already; name a new folder")
    with without_known_warnings():
        return _export(adapter, base, base_name, out, dtype, say)


def _export(
    adapter: Path, base: Path, base_name: str, out: Path, dtype: Format, say: Callable[[str], None]
) -> Comparison:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    kind = getattr(torch, dtype)
    card = read_card(adapter)  # before minutes of loading
    tokenizer = load_tokenizer(base)
    prompts = [prompt_ids(tokenizer, messages) for messages in _probes()]
    stop = stop_token(tokenizer)

    def load(folder: Path) -> Any:
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=kind, use_safetensors=True, local_files_only=True, trust_remote_code=False
        ).eval()

    say(f"loading {base_name} and the adapter in {dtype}")
    model = load(base)
    check_card(adapter, base_name, model, base)
    adapted = load_adapter(model, adapter).eval()
    before = [_outputs(adapted, ids, stop) for ids in prompts]
    say("merging")
    merged = adapted.merge_and_unload(safe_merge=True)
    make_folder(out.parent)
    with disk_errors(out):
        temp = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            merged.save_pretrained(temp, safe_serialization=True)
            tokenizer.save_pretrained(temp)
            del merged, adapted, model
            say("comparing what was written")
            written = load(temp)
            comparison = _compare(before, [_outputs(written, ids, stop) for ids in prompts])
            if not comparison.max_logit_difference <= LARGEST_DIFFERENCE:
                raise TrainingError(
                    f"the merged model's logits differ by {comparison.max_logit_difference:.3g} from base and adapter; "
                    "nothing was exported"
                )
            write_json(
                temp / "dobae_export.json", {"merged_from": card, "dtype": dtype, "comparison": asdict(comparison)}
            )
            adapters_card = adapter / "README.md"
            text = adapters_card.read_text(encoding="utf-8") if adapters_card.is_file() else ""
            (temp / "README.md").write_text(merged_card(text, base_name, dtype, comparison), encoding="utf-8")
            temp.chmod(0o755)
            if out.exists():
                out.rmdir()
            temp.rename(out)
        finally:
            shutil.rmtree(temp, ignore_errors=True)
    return comparison


def merged_card(adapters_card: str, base_name: str, dtype: Format, comparison: Comparison) -> str:
    """Returns the model card of a merged model: what was merged, how it compared, and then the adapter's own words."""
    front, _, rest = adapters_card.partition("\n---\n")
    body = (rest if front.startswith("---\n") else adapters_card).strip()
    told = f"\nThe adapter's card says:\n\n{body}\n" if body else ""
    return f"""---
base_model: {base_name}
library_name: transformers
language: ko
pipeline_tag: text-generation
tags: [question-answering, retrieval-augmented-generation]
---

`{base_name}` and a LoRA adapter, merged in {dtype} by `dobae train export`. On {comparison.prompts} prompts the written
model's logits differ from those of base and adapter by at most {comparison.max_logit_difference:.3g}, and
{comparison.equal_tokens} of {comparison.greedy_tokens} tokens written greedily are the same.
{told}"""


def hub_token() -> str:
    """Returns the token that uploads need.

    Raises:
        InputError: There is none.
    """
    import huggingface_hub

    token = os.environ.get("HF_TOKEN") or huggingface_hub.get_token()
    if not token:
        raise InputError("no Hugging Face token here; run `hf auth login`, or set HF_TOKEN")
    return token


def push(folder: Path, repository: str, *, private: bool = True) -> str:
    """Uploads a folder to the Hugging Face hub, and returns its address.

    Raises:
        InputError: There is no token.
        TrainingError: The upload failed.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=hub_token())
    try:
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="dobae train")
    except (OSError, ValueError) as error:
        raise TrainingError(f"{repository} could not be uploaded: {one_line(error)}") from error
    return str(address)


def _probes() -> Sequence[Sequence[Message]]:
    shown = (
        Example("벽지가 왜 들뜨나요?", "바탕이 젖었거나 먼지가 많으면 풀이 붙지 않아 들뜹니다. 말린 뒤 다시 붙이세요."),
        Example("곰팡이는 무엇으로 닦나요?", "곰팡이 제거제를 묻힌 젖은 천으로 닦고 말립니다."),
    )
    return (
        grounded_messages("도배지가 자꾸 떠요, 이유가 뭐죠?", shown),
        grounded_messages("타일 줄눈은 언제 다시 넣나요?", shown),
        closed_book_messages("벽지 이음매가 벌어지는 이유는 무엇인가요?"),
    )


def _outputs(model: Any, ids: list[int], stop: int) -> tuple[Any, list[int]]:
    """Returns the last logits of a prompt, shape `(vocabulary,)`, and what follows greedily."""
    import torch

    with torch.no_grad():
        state = model(input_ids=torch.tensor([ids]), use_cache=True)
        first = state.logits[0, -1].float()
        written = [int(first.argmax())]
        while len(written) < _NEW_TOKENS and written[-1] != stop:
            token = torch.tensor([[written[-1]]])
            state = model(input_ids=token, cache=state.cache, use_cache=True)
            written.append(int(state.logits[0, -1].argmax()))
    return first, written


def _compare(before: Sequence[tuple[Any, list[int]]], after: Sequence[tuple[Any, list[int]]]) -> Comparison:
    largest, equal, total = 0.0, 0, 0
    for (old_logits, old_tokens), (new_logits, new_tokens) in zip(before, after, strict=True):
        largest = max(largest, float((old_logits - new_logits).abs().max()))
        total += len(old_tokens)
        for old, new in zip(old_tokens, new_tokens, strict=False):
            if old != new:
                break
            equal += 1
    return Comparison(len(before), largest, total, equal)
