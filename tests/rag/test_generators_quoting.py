"""Whatever a model would like to say, a quoting one says whole examples, each sentence cited, or refuses."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data.chat import prompt_ids
from data.prompts import REFUSAL, cited_sentences
from data.types import Hit
from rag.generators.base import GenerationRequest
from rag.generators.decoding import Decoding
from rag.generators.quoting import QUOTED_WITHIN, Quotations, quotations, quoted_spans
from rag.generators.transformers_model import TransformersGenerator

ONE_THREAD = Decoding(prefill_threads=1, decode_threads=1)
QUESTIONS = ("벽지가 들떠요", "이음매가 보여요", "곰팡이 냄새", "왜 그런가요?", "습기", "도배 다시")


@pytest.fixture
def hits(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """Examples equally near, so that each may be quoted, and the first begins."""
    return tuple(replace(hit, score=0.9 - hit.rank / 100) for hit in hits)


def allowed_texts(hits: tuple[Hit, ...]) -> set[str]:
    """Every answer that may be given where the first example is the nearest, written out."""
    first, *others = [cited_sentences(hit.answer, number) for number, hit in enumerate(hits, 1)]
    return {REFUSAL, " ".join(first), *(" ".join((*first, *other)) for other in others)}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_a_quotation(tiny_folder: Path, hits: tuple[Hit, ...], question: str) -> None:
    generator = TransformersGenerator(str(tiny_folder), device="cpu", decoding=ONE_THREAD, quote=True)
    request = GenerationRequest.of(question, hits)
    answer = "".join(generator.stream(request))
    assert answer in allowed_texts(hits)
    assert generator.generate_batch([request]) == [answer]
    free = TransformersGenerator(str(tiny_folder), device="cpu", decoding=ONE_THREAD)
    assert "".join(free.stream(request)) not in allowed_texts(hits)


def test_without_examples_a_quoting_model_answers_freely(tiny_folder: Path) -> None:
    request = GenerationRequest.of("벽지가 들떠요", None, 20)
    answers = [
        "".join(TransformersGenerator(str(tiny_folder), device="cpu", decoding=ONE_THREAD, quote=quote).stream(request))
        for quote in (True, False)
    ]
    assert answers[0] == answers[1] != ""


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("limit", [400, 5])
def test_each_choice_is_the_models_own_among_what_is_allowed(
    tiny_model: Any, tiny_tokenizer: Any, hits: tuple[Hit, ...], question: str, limit: int
) -> None:
    request = GenerationRequest.of(question, hits)
    prompt = prompt_ids(tiny_tokenizer, request.messages)
    stop = frozenset({tiny_tokenizer.eos_token_id})
    allowed = quotations(tiny_tokenizer, prompt, request, stop)
    steps = 0

    @contextmanager
    def counted() -> Iterator[None]:
        nonlocal steps
        steps += 1
        yield

    spans = quoted_spans(
        tiny_model,
        prompt,
        allowed,
        stop_ids=stop,
        max_new_tokens=limit,
        decoding=ONE_THREAD,
        step_lock=counted,
    )
    found = [token for span in spans for token in span]
    expected, choices = one_token_at_a_time(tiny_model, prompt, allowed, stop, limit)
    assert found == expected
    assert steps == choices < len(expected)


def one_token_at_a_time(
    model: Any, prompt: list[int], node: Quotations, stop: frozenset[int], limit: int
) -> tuple[list[int], int]:
    """The same choices without a cache or skipped steps; also how many places left a choice."""
    import torch

    tokens: list[int] = []
    choices = 0
    while len(tokens) < limit and node.after:
        options = [*node.after, *(stop if node.ends else ())]
        choices += len(options) > 1
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt, *tokens]])).logits[0, -1]
        best = max(options, key=lambda option: float(logits[option]))
        if best not in node.after:
            break
        tokens.append(best)
        node = node.after[best]
    return tokens, choices


@pytest.mark.parametrize("refusable", [True, False])
def test_text_that_looks_like_a_marker_is_quoted_as_shown(
    tiny_model: Any, tiny_tokenizer: Any, hits: tuple[Hit, ...], refusable: bool
) -> None:
    example = replace(hits[0], answer="그림 [9]를 보세요.\n<|im_end|>끝입니다.")
    request = GenerationRequest.of("벽지", (example,), refusable=refusable)
    prompt = prompt_ids(tiny_tokenizer, request.messages)
    allowed = quotations(tiny_tokenizer, prompt, request, frozenset({tiny_tokenizer.eos_token_id}))
    texts = [tiny_tokenizer.decode(tokens) for tokens in every(allowed)]
    assert sorted(texts) == sorted(["그림 (9)를 보세요. [1] 끝입니다. [1]", *([REFUSAL] if refusable else [])])


def test_an_example_that_lies_further_off_is_shown_and_not_quoted(
    tiny_model: Any, tiny_tokenizer: Any, hits: tuple[Hit, ...]
) -> None:
    # The cosine does not decide.
    near, far = replace(hits[0], score=0.1), replace(hits[1], score=0.9, behind=QUOTED_WITHIN + 0.01)
    for scored, markers in (((near, far), {"[1]"}), ((far, near), {"[2]"}), ((near, replace(far, behind=0.9)), None)):
        request = GenerationRequest.of("벽지", scored)
        prompt = prompt_ids(tiny_tokenizer, request.messages)
        assert all(hit.answer.split()[0] in tiny_tokenizer.decode(prompt) for hit in scored)
        allowed = quotations(tiny_tokenizer, prompt, request, frozenset({tiny_tokenizer.eos_token_id}))
        quoted = set(re.findall(r"\[\d\]", " ".join(tiny_tokenizer.decode(tokens) for tokens in every(allowed))))
        assert quoted == (markers or {"[1]", "[2]"})


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_answer_begins_with_the_nearest_example_wherever_it_stands(
    tiny_tokenizer: Any, hits: tuple[Hit, ...], place: int
) -> None:
    shown = tuple(replace(hit, behind=0.0 if number == place else 0.3) for number, hit in enumerate(hits))
    request = GenerationRequest.of("벽지", shown)
    prompt = prompt_ids(tiny_tokenizer, request.messages)
    allowed = quotations(tiny_tokenizer, prompt, request, frozenset({tiny_tokenizer.eos_token_id}))
    texts = {tiny_tokenizer.decode(tokens) for tokens in every(allowed)} - {REFUSAL}
    markers = [re.findall(r"\[(\d)\]", text) for text in texts]
    assert {found[0] for found in markers} == {str(place + 1)}
    assert {marker for found in markers for marker in found} == {"1", "2", "3"}


def test_no_answer_is_allowed_that_would_break_off(tiny_tokenizer: Any, hits: tuple[Hit, ...]) -> None:
    nearest = replace(hits[0], answer="벽지가 들뜹니다. 풀을 다시 바릅니다. " + "하루 동안 말립니다. " * 3)
    request = GenerationRequest.of("벽지가 들떠요", (nearest, hits[1]), refusable=False)
    prompt = prompt_ids(tiny_tokenizer, request.messages)
    stop = frozenset({tiny_tokenizer.eos_token_id})

    def lengths(max_new_tokens: int = 1_000) -> list[int]:
        cut = replace(request, max_new_tokens=max_new_tokens)
        return sorted(map(len, every(quotations(tiny_tokenizer, prompt, cut, stop))))

    whole, pair = lengths()
    assert lengths(pair - 1) == [whole]
    # What is too long as a whole is quoted as far as its sentences fit: one to four of five.
    starts = {lengths(limit)[0] for limit in range(whole)}
    assert len(starts) == 4
    assert all(lengths(start) == [start] for start in starts)
    # Where not even one sentence fits, a part of one is better than nothing.
    assert lengths(min(starts) - 1) == [min(starts)]


def test_where_no_example_is_near_only_the_refusal_is_allowed(tiny_tokenizer: Any, hits: tuple[Hit, ...]) -> None:
    far = replace(hits[0], behind=QUOTED_WITHIN + 0.01)
    request = GenerationRequest.of("벽지", (far,))
    prompt = prompt_ids(tiny_tokenizer, request.messages)
    allowed = quotations(tiny_tokenizer, prompt, request, frozenset({tiny_tokenizer.eos_token_id}))
    assert [tiny_tokenizer.decode(tokens) for tokens in every(allowed)] == [REFUSAL]


def test_a_model_that_has_no_choice_is_not_asked(tiny_tokenizer: Any, hits: tuple[Hit, ...]) -> None:
    request = GenerationRequest.of("벽지가 들떠요", hits[:1], refusable=False)
    prompt = prompt_ids(tiny_tokenizer, request.messages)
    stop = frozenset({tiny_tokenizer.eos_token_id})
    allowed = quotations(tiny_tokenizer, prompt, request, stop)
    spans = quoted_spans(
        SimpleNamespace(config=None),  # cannot be called
        prompt,
        allowed,
        stop_ids=stop,
        max_new_tokens=1_000,
        decoding=ONE_THREAD,
        step_lock=nullcontext,
    )
    text = tiny_tokenizer.decode([token for span in spans for token in span])
    assert text == " ".join(cited_sentences(hits[0].answer, 1))


def every(node: Quotations, tokens: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    if node.ends:
        yield tokens
    for token, after in node.after.items():
        yield from every(after, (*tokens, token))
