"""Measures whether a tuned model answers from the right example, and says so when there is none.

    python benchmarks/choosing.py                                   # the shipped adapter, the starter base
    python benchmarks/choosing.py --adapter runs/mine/adapter       # an adapter that `dobae train` made
    python benchmarks/choosing.py qa.csv --adapter ... --all        # a file that the adapter never saw

Only groups that the adapter's `training.json` names as held out are asked (all of them with --all, for another file).
Each wording is asked of a knowledge base that does not hold it; the examples are the group itself and the retriever's
own near misses, in the retriever's order but for the place of the right group, which is set. "as ranked" leaves it
where the retriever has it; what it ranks first is told apart. "none" shows near misses only. As in the pipeline, the
model may refuse where the nearest stored question is further off than most rewordings are; with --refusable, always.

Then the whole pipeline, which may refuse before the model is asked: "alone", one question; "joined", two in one
message; "unanswered", one of a base without the groups asked.

An answer is right when every sentence cites the right example, and that example alone supports it; "joined", when both
parts are answered and every sentence is supported by what it cites.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from math import inf, isinf
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from common import environment, note, parser, read_file, table, write_json

from data.errors import DobaeError, InputError
from data.training_report import seen_groups
from data.types import Hit, QAGroup, nearest_cosine
from index.building import build_knowledge_base
from index.encoders.base import Encoder, EncoderSettings, make_encoder
from index.knowledge_base import KnowledgeBase, open_knowledge_base
from index.retriever import Retriever
from rag.answer import Answer, Sentence
from rag.evaluation.statistics import Interval, bootstrap_mean
from rag.generators.adapters import shipped_adapter
from rag.generators.base import GenerationRequest, Generator
from rag.generators.spec import make_generator
from rag.pipeline import PipelineSettings, QAPipeline, is_refusal
from rag.support import judge
from training.near_misses import Asked, MemoEncoder, ask_all

SHOWN = 3
PLACES = {"first": 0, "second": 1, "third": 2}
KINDS = (*PLACES, "as ranked", "none")
RANKED = ("as ranked", "alone")
"""Kinds in which the right group stands where the retriever ranks it."""


class Outcome(NamedTuple):
    """What a model said to one question."""

    group: str
    kind: str
    right: bool
    refused: bool
    text: str
    place: int = 0
    """The retriever's rank of the right group, from 1; 0 where it did not find it."""


def arranged(asked: Asked, kind: str) -> tuple[Hit, ...]:
    """Three examples: the right group at its place among the nearest near misses, or near misses alone.

    Those alone have the distances that they would have if the base did not hold the right group.
    """
    misses = list(asked.near_misses)
    if kind == "none":
        best = min(hit.behind for hit in misses[:SHOWN])
        nearest = max(hit.score for hit in misses)
        return tuple(replace(hit, behind=hit.behind - best, nearest=nearest) for hit in misses[:SHOWN])
    if kind == "as ranked":
        keep = {hit.group.id for hit in misses[: SHOWN - 1]} | {asked.group.id}
        return tuple(hit for hit in asked.hits if hit.group.id in keep)
    shown = misses[: SHOWN - 1]
    shown.insert(PLACES[kind], asked.own)
    return tuple(shown)


def answers_from(sentences: Sequence[Sentence], marker: int) -> bool:
    """Says whether every sentence cites that example alone and is supported by it."""
    return bool(sentences) and all(each.markers == (marker,) and each.supported for each in sentences)


def answer(generator: Generator, asked: Asked, kind: str, unsure_below: float) -> Outcome:
    """Asks one question with its examples arranged; below that cosine the model may refuse."""
    hits = arranged(asked, kind)
    request = GenerationRequest.of(asked.question, hits, refusable=nearest_cosine(hits) < unsure_below)
    text = "".join(generator.stream(request)).strip()
    refused = is_refusal(text)
    marker = next((number for number, hit in enumerate(hits, 1) if hit.group.id == asked.group.id), 0)
    right = refused if kind == "none" else not refused and answers_from(judge(text, request), marker)
    place = 0 if isinf(asked.own.behind) else asked.own.rank
    return Outcome(asked.group.id, kind, right, refused, text, place)


def alone_and_joined(
    generator: Generator, groups: Sequence[QAGroup], chosen: Sequence[QAGroup], encoder: Encoder
) -> Iterator[Outcome]:
    """Sends first wordings through the whole pipeline, one and two in a message, of a base that does not hold them.

    Args:
        generator: What answers.
        groups: All that is searched.
        chosen: Groups asked, each of several wordings.
        encoder: For the base.
    """
    ids = {group.id for group in chosen}
    searched = [replace(group, questions=group.questions[1:]) if group.id in ids else group for group in groups]
    with pipeline_over(searched, generator, encoder) as ask:
        for group in chosen:
            (part,) = ask(group.questions[0], split=False).parts
            place = next((hit.rank for hit in part.hits if hit.group.id == group.id), 0)
            right = not part.abstained and answers_from(part.sentences, place)
            yield Outcome(group.id, "alone", right, part.abstained, part.answer, place)
        for first, second in zip(chosen[::2], chosen[1::2], strict=False):
            given = ask(f"{_ended(first.questions[0])} 그리고 {second.questions[0]}", split=True)
            cited = [part.sentences and all(each.supported for each in part.sentences) for part in given.parts]
            right = len(given.parts) == 2 and all(cited)
            refused = any(part.abstained for part in given.parts)
            yield Outcome(first.id, "joined", bool(right), refused, given.to_json()["answer"])


def unanswered(
    generator: Generator, groups: Sequence[QAGroup], chosen: Sequence[QAGroup], encoder: Encoder
) -> Iterator[Outcome]:
    """Sends the same wordings through the pipeline over a base without the groups asked; as `alone_and_joined`."""
    ids = {group.id for group in chosen}
    searched = [group for group in groups if group.id not in ids]
    if not searched:
        note("no group is left over to search: nothing is asked that has no answer")
        return
    with pipeline_over(searched, generator, encoder) as ask:
        for group in chosen:
            (part,) = ask(group.questions[0], split=False).parts
            yield Outcome(group.id, "unanswered", part.abstained, part.abstained, part.answer)


@contextmanager
def pipeline_over(
    searched: Sequence[QAGroup], generator: Generator, encoder: Encoder
) -> Iterator[Callable[..., Answer]]:
    """Builds a base for the block; gives a function that asks it a question, split into its parts or whole."""
    with base_over(searched, encoder) as base:
        retriever = Retriever(base)

        def ask(question: str, *, split: bool) -> Answer:
            return QAPipeline(retriever, generator, PipelineSettings(top_k=SHOWN, split=split)).ask(question)

        yield ask


@contextmanager
def base_over(searched: Sequence[QAGroup], encoder: Encoder) -> Iterator[KnowledgeBase]:
    """Builds a base for the block."""
    with tempfile.TemporaryDirectory(prefix="dobae-choosing-") as temp:
        build_knowledge_base(Path(temp) / "kb", searched, encoder)
        base = open_knowledge_base(Path(temp) / "kb", encoder)
        with closing(base.store):
            yield base


def unsure_cosine(groups: Sequence[QAGroup], encoder: Encoder) -> float:
    """The cosine below which the pipeline over a base of these groups calls itself unsure."""
    with base_over(groups, encoder) as base:
        return base.manifest.calibration.unsure_below


def _ended(question: str) -> str:
    return question if question.rstrip()[-1] in "?.!" else f"{question}?"


def held_out_ids(adapter: Path, groups: Sequence[QAGroup]) -> list[str]:
    """The groups an adapter never saw, by its own report.

    Raises:
        InputError: The adapter has no report, or held out none of these groups.
    """
    seen = seen_groups(adapter)
    if seen is None:
        raise InputError(f"{adapter} does not say which groups it never saw; give --all to ask all")
    ids = [group.id for group in groups if group.id in seen.held_out]
    if not ids:
        raise InputError(f"{adapter} held out none of this file's groups; give --all to ask all of them")
    return ids


def measure(
    generator: Generator,
    asked: Sequence[Asked],
    kinds: Sequence[str],
    unsure_below: float,
    progress: Callable[[Outcome], None],
) -> list[Outcome]:
    """Asks every question in every arrangement."""
    found = []
    for number, item in enumerate(asked):
        for kind in kinds:
            found.append(answer(generator, item, kind, unsure_below))
            progress(found[-1])
        note(f"{number + 1}/{len(asked)} questions")
    return found


def summary(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Shares by arrangement, with intervals over groups."""
    rows = []
    for kind, of_kind in _by_kind(outcomes).items():
        clusters = [outcome.group for outcome in of_kind]
        rows.append(
            {
                "examples": kind,
                "questions": len(of_kind),
                "right": _share([outcome.right for outcome in of_kind], clusters),
                "refused": _share([outcome.refused for outcome in of_kind], clusters),
            }
        )
    return rows


def _by_kind(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes by kind; where the retriever's order stands, then by whether it ranks the right group first."""
    found: dict[str, list[Outcome]] = {}
    for kind in dict.fromkeys(outcome.kind for outcome in outcomes):
        found[kind] = [outcome for outcome in outcomes if outcome.kind == kind]
        if kind in RANKED:
            found[f"{kind}, ranked first"] = [outcome for outcome in found[kind] if outcome.place == 1]
            found[f"{kind}, ranked later"] = [outcome for outcome in found[kind] if outcome.place != 1]
    return {kind: of_kind for kind, of_kind in found.items() if of_kind}


def _share(values: Sequence[bool], clusters: Sequence[str]) -> Interval:
    return bootstrap_mean(np.array(values, dtype=np.float64), clusters=clusters)


def main() -> None:
    """Runs the benchmark."""
    options = parser(__doc__)
    options.add_argument("--generator", default="smollm2")
    options.add_argument("--adapter", type=Path, default=None, help="the shipped one by default")
    options.add_argument("--free", action="store_true", help="let the model use words of its own")
    options.add_argument("--all", action="store_true", help="ask all groups: the adapter never saw this file")
    options.add_argument("--refusable", action="store_true", help="let the model refuse whatever is shown")
    options.add_argument("--questions", type=int, default=60, help="questions asked in each arrangement")
    options.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS)
    options.add_argument("--no-pipeline", action="store_true", help='leave out "alone", "joined" and "unanswered"')
    options.add_argument("--show", action="store_true", help="print what was answered wrongly")
    args: argparse.Namespace = options.parse_args()
    groups = read_file(args.file)
    adapter = args.adapter or shipped_adapter(args.generator)
    ids = [group.id for group in groups] if args.all else held_out_ids(adapter, groups)
    rng = random.Random(args.seed)
    encoder = MemoEncoder(make_encoder(EncoderSettings()))
    asked = ask_all(groups, encoder, depth=SHOWN + 8, near_duplicate=0.95, only=set(ids))
    asked = rng.sample(asked, min(args.questions, len(asked)))
    generator = make_generator(args.generator, adapter=adapter, quote=False if args.free else None)

    def show(outcome: Outcome) -> None:
        if args.show and not outcome.right:
            note(f"  {outcome.kind} {outcome.group}: {outcome.text[:160]}")

    begin = perf_counter()
    unsure_below = inf if args.refusable else unsure_cosine(groups, encoder)
    outcomes = measure(generator, asked, args.kinds, unsure_below, show)
    if not args.no_pipeline:
        chosen = [group for group in groups if group.id in set(ids) and len(group.questions) > 1]
        chosen = random.Random(args.seed).sample(chosen, min(args.questions, len(chosen)))
        for kinds in (alone_and_joined, unanswered):
            for outcome in kinds(generator, groups, chosen, encoder):
                outcomes.append(outcome)
                show(outcome)
    rows = summary(outcomes)
    print(table(list(rows[0]), [list(row.values()) for row in rows]))
    note(f"{generator.name}, {len(ids)} groups, {perf_counter() - begin:.0f} s, {environment()}")
    write_json(
        args.json,
        {"generator": generator.name, "rows": rows, "outcomes": [outcome._asdict() for outcome in outcomes]},
    )


if __name__ == "__main__":
    try:
        main()
    except DobaeError as error:
        sys.exit(f"error: {error}")
