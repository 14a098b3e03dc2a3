"""Greedy decoding with prompt lookup, token span by token span.

transformers' own assisted decoding does the same search, but it pushes tokens into a callback from inside `generate`:
streaming it to a consumer who may leave takes a second thread, and the thread count cannot differ between prompt and
answer. This loop is pulled instead: nothing runs once the consumer stops asking.

Works on token ids only; knows nothing about text, prompts or models beyond `forward` with a cache.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from index.threads import usable_cores

_LOOKUP_BACK = 24
_MIN_DRAFT = 4


@dataclass(frozen=True, slots=True)
class Decoding:
    """How to decode.

    Attributes:
        max_draft: Longest span guessed from the text so far, in tokens; 0 turns prompt lookup off.
        ngram: How many last tokens must have occurred before for what followed them to be the guess.
        prefill_threads: CPU threads for reading the prompt.
        decode_threads: CPU threads for writing the answer.
    """

    max_draft: int = 16
    ngram: int = 3
    prefill_threads: int = field(default_factory=lambda: _prefill_threads())
    decode_threads: int = field(default_factory=lambda: _decode_threads())


def _decode_threads() -> int:
    """Half the cores: one token is memory-bound, and spinning barriers need a core to spare for the neighbours.

    On two cores a second thread saves 7% of a step on an idle machine and costs 260% beside one busy process.
    """
    return min(8, max(1, usable_cores() // 2))


def _prefill_threads() -> int:
    """All cores where OpenMP waits passively, and half of them otherwise.

    Reading 780 tokens on two cores took, in seconds idle / beside a busy process: one thread 2.9 / 3.5, two threads
    1.5 / 5.1, two threads with OMP_WAIT_POLICY=passive 1.9 / 2.8. The policy counts only when it is set before torch
    is imported.
    """
    return usable_cores() if os.environ.get("OMP_WAIT_POLICY", "").casefold() == "passive" else _decode_threads()


def greedy_spans(
    model: Any,
    prompt: Sequence[int],
    *,
    stop_ids: frozenset[int],
    max_new_tokens: int,
    decoding: Decoding,
    step_lock: Callable[[], AbstractContextManager[Any]],
) -> Iterator[list[int]]:
    """Yields the greedy continuation of `prompt` in spans of one or more tokens, without the token that stops it.

    The same tokens come out whatever the drafts are: a guessed token is kept only where it is the model's own choice.
    (In float16 and bfloat16 the two can differ where two logits tie within rounding.)

    Args:
        model: A causal language model in eval mode.
        prompt: Token ids, at least one.
        stop_ids: Tokens that end the answer.
        max_new_tokens: Upper bound on the tokens yielded.
        decoding: Drafts and threads.
        step_lock: Entered around each forward pass, so that two answers share one model fairly.
    """
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    tokens = list(prompt)
    limit = len(tokens) + max_new_tokens
    lookup = _Lookup(tokens, decoding.ngram)
    with step_lock(), torch_threads(decoding.prefill_threads):
        chosen = _choices(model, cache, tokens, 1)
    # A guess can be taken back only from a cache that keeps every position.
    can_draft = decoding.max_draft > 0 and _all_kept(cache)
    length = _MIN_DRAFT
    while True:
        span: list[int] = []
        for token in chosen:
            if token in stop_ids or len(tokens) == limit:
                if span:
                    yield span
                return
            tokens.append(token)
            span.append(token)
        yield span
        if len(tokens) == limit:
            return
        draft = lookup.guess(min(length, decoding.max_draft, limit - len(tokens) - 1)) if can_draft else []
        with step_lock(), torch_threads(decoding.decode_threads):
            found = _choices(model, cache, [tokens[-1], *draft], len(draft) + 1)
            right = next((n for n, token in enumerate(draft) if found[n] != token), len(draft))
            if right < len(draft):
                cache.crop(right - len(draft))
        chosen = found[: right + 1]
        # Feeding 5 tokens costs 1.6 steps of one, 17 tokens 2.5: long guesses pay while they keep coming true.
        if draft:
            length = length * 2 if right == len(draft) else max(_MIN_DRAFT, right)


def greedy_batch(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    max_new_tokens: int,
    threads: int,
    push: Callable[[int, int], bool],
) -> None:
    """Continues several prompts greedily at once; for bulk work, where nobody waits for the first word.

    Every prompt is read alone, so that none is padded to the longest; the answers are written together, because a step
    of a small model reads all its weights whether it writes one token or sixteen. Sums over padded positions round
    otherwise than without, so where two tokens nearly tie the answer may differ from `greedy_spans`'; the same batch
    gives the same answers.

    Args:
        model: A causal language model in eval mode whose cache keeps every position (see `keeps_everything`).
        prompts: Token ids, at least one each.
        stop_ids: Tokens that end an answer.
        max_new_tokens: Upper bound on the tokens of one answer.
        threads: CPU threads.
        push: Told (number of the prompt, token) for each token; returns whether that answer shall end.
    """
    import torch
    from transformers import DynamicCache

    with torch.inference_mode(), torch_threads(threads):
        caches = [DynamicCache(config=model.config) for _ in prompts]
        chosen = [_choices(model, cache, list(prompt), 1)[0] for cache, prompt in zip(caches, prompts, strict=True)]
        active = list(range(len(prompts)))
        cache, mask = _side_by_side(model, caches, max_new_tokens)
        for step in range(1, max_new_tokens + 1):
            going = [
                place
                for place, (number, token) in enumerate(zip(active, chosen, strict=True))
                if token not in stop_ids and not push(number, token)
            ]
            if not going or step == max_new_tokens:
                return
            if len(going) < len(active):
                kept = torch.tensor(going, device=model.device)
                cache.batch_select_indices(kept)
                mask = mask[kept]
                active = [active[place] for place in going]
            ids = torch.tensor([[chosen[place]] for place in going], device=model.device)  # (b, 1)
            positions = mask.sum(dim=1, keepdim=True)  # (b, 1)
            mask = torch.cat((mask, mask.new_ones((len(going), 1))), dim=1)
            logits = model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                use_cache=True,
                logits_to_keep=1,
                cache=cache,
            ).logits  # (b, 1, v)
            chosen = logits[:, -1].argmax(dim=-1).tolist()


def keeps_everything(model: Any) -> bool:
    """Says whether a model's cache keeps every position, as drafts and batches need: no sliding window, no state."""
    from transformers import DynamicCache

    return _all_kept(DynamicCache(config=model.config))


def _side_by_side(model: Any, caches: Sequence[Any], room: int) -> tuple[Any, Any]:
    """Joins caches of one prompt each into one of shape `(b, heads, n, size)`, shorter prompts padded on the left.

    The caches are emptied layer by layer, so that no two copies of all of them stand in memory.

    Args:
        model: Whose caches they are.
        caches: One a prompt.
        room: Positions that will be written at most.

    Returns:
        The cache, and the mask of what is no padding; shape `(b, n)`.
    """
    import torch
    from torch.nn.functional import pad
    from transformers import DynamicCache

    from rag.generators.roomy_cache import RoomyLayer

    lengths = [cache.get_seq_length() for cache in caches]
    longest = max(lengths)
    joined = DynamicCache(config=model.config)
    for number, layers in enumerate(zip(*(cache.layers for cache in caches), strict=True)):
        keys, values = (
            torch.cat([pad(state, (0, 0, longest - state.shape[-2], 0)) for state in states])
            for states in ([layer.keys for layer in layers], [layer.values for layer in layers])
        )
        joined.layers[number] = RoomyLayer(keys, values, room)
        for layer in layers:
            layer.keys = layer.values = None
    mask = torch.tensor([[0] * (longest - length) + [1] * length for length in lengths], device=model.device)
    return joined, mask


class _Lookup:
    """Finds earlier occurrences of the last n tokens of a growing list."""

    def __init__(self, tokens: list[int], ngram: int) -> None:
        self._tokens = tokens
        self._ngram = ngram
        self._ends: dict[tuple[int, ...], list[int]] = {}
        self._seen = ngram

    def guess(self, count: int) -> list[int]:
        """Returns up to `count` tokens that followed the longest earlier match of the end, the earliest such."""
        tokens, ngram = self._tokens, self._ngram
        if count <= 0 or len(tokens) <= ngram:
            return []
        # Every n-gram but the last one, so that the end never finds itself.
        for end in range(self._seen, len(tokens)):
            self._ends.setdefault(tuple(tokens[end - ngram : end]), []).append(end)
        self._seen = len(tokens)
        best, longest = -1, 0
        for end in self._ends.get(tuple(tokens[-ngram:]), ()):
            same = ngram
            while same < _LOOKUP_BACK and same < end and tokens[end - same - 1] == tokens[-same - 1]:
                same += 1
            if same > longest:
                best, longest = end, same
        return tokens[best : best + count] if best >= 0 else []


def _choices(model: Any, cache: Any, tokens: list[int], keep: int) -> list[int]:
    """Feeds tokens through the model and returns its choice after each of the last `keep`."""
    import torch

    with torch.inference_mode():
        ids = torch.tensor([tokens], device=model.device)  # (1, n)
        logits = model(input_ids=ids, use_cache=True, logits_to_keep=keep, cache=cache).logits  # (1, keep, v)
        chosen: list[int] = logits[0, -keep:].argmax(dim=-1).tolist()
    return chosen


def _all_kept(cache: Any) -> bool:
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in cache.layers)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Sets torch's CPU thread count for a block, and puts it back."""
    import torch

    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
