"""Prompt lookup may only save time: the tokens are those of plain greedy decoding, and of transformers' own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from types import SimpleNamespace
from typing import Any

import pytest

from rag.generators.decoding import Decoding, _Lookup, greedy_batch, greedy_spans, keeps_everything

NOTHING = frozenset[int]()


def spans(model: Any, prompt: list[int], *, draft: int, count: int, stop: frozenset[int] = NOTHING) -> list[list[int]]:
    decoding = Decoding(max_draft=draft, ngram=2, prefill_threads=1, decode_threads=1)
    lock = threading.Lock()
    return list(
        greedy_spans(model, prompt, stop_ids=stop, max_new_tokens=count, decoding=decoding, step_lock=lambda: lock)
    )


def flat(found: list[list[int]]) -> list[int]:
    return [token for span in found for token in span]


def own_greedy(model: Any, prompt: list[int], count: int) -> list[int]:
    import torch

    ids = torch.tensor([prompt])
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, eos_token_id=None
    )
    return list(made[0, len(prompt) :].tolist())


@pytest.mark.parametrize("start", [5, 40, 77, 130, 201])
def test_drafts_change_no_token(tiny_model: Any, start: int) -> None:
    prompt = [start + n * n % 90 for n in range(60)]
    expected = own_greedy(tiny_model, prompt, 90)
    plain = spans(tiny_model, prompt, draft=0, count=90)
    drafted = spans(tiny_model, prompt, draft=16, count=90)
    assert flat(plain) == expected
    assert flat(drafted) == expected
    assert all(len(span) == 1 for span in plain)


def test_wrong_drafts_are_taken_back(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.generators.decoding._Lookup.guess", lambda self, count: [9] * count)
    prompt = list(range(10, 50))
    assert flat(spans(tiny_model, prompt, draft=8, count=40)) == own_greedy(tiny_model, prompt, 40)


@pytest.mark.parametrize("wrong_every", [3, 5, 11, 1000])
def test_drafts_are_kept_as_far_as_they_are_right(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch, wrong_every: int
) -> None:
    prompt = list(range(10, 50))
    expected = own_greedy(tiny_model, prompt, 80)
    foretold = [token if n % wrong_every else 9 for n, token in enumerate(expected, 1)]

    def guess(self: _Lookup, count: int) -> list[int]:
        done = len(self._tokens) - len(prompt)
        return foretold[done : done + count]

    monkeypatch.setattr(_Lookup, "guess", guess)
    found = spans(tiny_model, prompt, draft=16, count=80)
    assert flat(found) == expected
    assert len(found) <= 2 + 80 / min(wrong_every, 4)


def test_lookup_guesses_what_followed_the_longest_earlier_match() -> None:
    tokens = [1, 2, 3, 70, 8, 1, 2, 3, 80, 9, 8, 1, 2, 3]
    assert _Lookup(tokens, 2).guess(2) == [80, 9]
    assert _Lookup([1, 2, 3], 3).guess(4) == []
    assert _Lookup([1, 2, 3, 4], 2).guess(4) == []
    growing = [5, 6, 7]
    lookup = _Lookup(growing, 2)
    assert lookup.guess(3) == []
    growing += [5, 6]
    assert lookup.guess(3) == [7, 5, 6]


@pytest.mark.parametrize("draft", [0, 16])
def test_the_answer_ends_before_a_stop_token(tiny_model: Any, draft: int) -> None:
    prompt = list(range(30, 70))
    expected = own_greedy(tiny_model, prompt, 60)
    stop = expected[25]
    assert (
        flat(spans(tiny_model, prompt, draft=draft, count=60, stop=frozenset({stop})))
        == expected[: expected.index(stop)]
    )


@pytest.mark.parametrize("draft", [0, 16])
@pytest.mark.parametrize("count", [1, 2, 7, 33])
def test_never_more_tokens_than_asked(tiny_model: Any, draft: int, count: int) -> None:
    assert len(flat(spans(tiny_model, list(range(30, 70)), draft=draft, count=count))) == count


def test_nothing_runs_once_the_consumer_left(tiny_model: Any) -> None:
    steps = 0

    @contextmanager
    def counted() -> Iterator[None]:
        nonlocal steps
        steps += 1
        yield

    stream = greedy_spans(
        tiny_model,
        list(range(30, 70)),
        stop_ids=NOTHING,
        max_new_tokens=500,
        decoding=Decoding(max_draft=0, prefill_threads=1, decode_threads=1),
        step_lock=counted,
    )
    for _ in range(3):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert steps == 3


def test_thread_counts_hold_for_the_step_alone(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = torch.get_num_threads()
    seen = []
    forward = type(tiny_model).forward

    @wraps(forward)
    def watched(self: Any, **inputs: Any) -> Any:
        seen.append(torch.get_num_threads())
        return forward(self, **inputs)

    monkeypatch.setattr(type(tiny_model), "forward", watched)
    stream = greedy_spans(
        tiny_model,
        list(range(30, 70)),
        stop_ids=NOTHING,
        max_new_tokens=3,
        decoding=Decoding(max_draft=0, prefill_threads=2, decode_threads=1),
        step_lock=threading.Lock,
    )
    for _ in stream:
        assert torch.get_num_threads() == before
    assert seen == [2, 1, 1]


def batch(model: Any, prompts: list[list[int]], count: int, stop: frozenset[int] = NOTHING) -> list[list[int]]:
    made: list[list[int]] = [[] for _ in prompts]

    def push(number: int, token: int) -> bool:
        made[number].append(token)
        return False

    greedy_batch(model, prompts, stop_ids=stop, max_new_tokens=count, threads=1, push=push)
    return made


def test_a_batch_of_unequal_prompts_gives_what_each_gives_alone(tiny_model: Any) -> None:
    prompts = [list(range(10, 50)), [7, 9, 11], [start % 90 + 20 for start in range(75)]]
    assert batch(tiny_model, prompts, 40) == [own_greedy(tiny_model, prompt, 40) for prompt in prompts]


def test_answers_of_a_batch_end_each_at_its_own_stop(tiny_model: Any) -> None:
    prompts = [list(range(10, 50)), [7, 9, 11]]
    alone = [own_greedy(tiny_model, prompt, 40) for prompt in prompts]
    # A token of one answer that the other does not have within 40 tokens.
    stop = next(token for token in alone[0][3:] if token not in alone[1])
    expected = alone[0][: alone[0].index(stop)]
    assert batch(tiny_model, prompts, 40, frozenset([stop])) == [expected, alone[1]]


def test_only_caches_that_keep_every_position_may_be_joined(tiny_model: Any) -> None:
    from transformers import Gemma3TextConfig

    assert keeps_everything(tiny_model)
    assert not keeps_everything(SimpleNamespace(config=Gemma3TextConfig(num_hidden_layers=6)))


def test_a_cache_without_room_says_so() -> None:
    import torch

    from rag.generators.roomy_cache import RoomyLayer

    layer = RoomyLayer(torch.zeros(2, 1, 3, 4), torch.zeros(2, 1, 3, 4), 1)
    keys, _ = layer.update(torch.ones(2, 1, 1, 4), torch.ones(2, 1, 1, 4))
    assert keys[:, 0, :, 0].tolist() == [[0, 0, 0, 1]] * 2
    with pytest.raises(ValueError, match="room for 4 positions"):
        layer.update(torch.ones(2, 1, 1, 4), torch.ones(2, 1, 1, 4))
