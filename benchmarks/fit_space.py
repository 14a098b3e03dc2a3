"""Fits the space in which the default encoder's questions are ranked, and shows what leaving out directions does.

    python benchmarks/fit_space.py                                      # the starter base's held-out paraphrases
    python benchmarks/fit_space.py --ask ../shared/dacon/train.csv      # also 질문_2 of a file that was not fitted to
    python benchmarks/fit_space.py --write                              # writes index/resources/

The space is fitted on the wordings of the starter base (or of the file given). The encoder ranks alone: what words add
is `benchmarks/tune_fusion.py`'s matter.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from common import (
    HELD_OUT,
    ROOT,
    Asked,
    all_cosines,
    environment,
    one_wording,
    parser,
    ranks_of,
    read_file,
    records,
    table,
    wording,
    write_json,
)

from data.types import QAGroup
from index.encoders.base import EncoderSettings, make_encoder
from index.query_words import as_written
from index.question_space import RESOURCE, QuestionSpace
from index.vectors import Positions
from rag.evaluation.noise import misspelt_all
from rag.evaluation.statistics import bootstrap_mean, recall_at, reciprocal_ranks

SHIPPED = 4
"""Directions of the shipped space: among the best, and few."""

TRIED = (0, 1, 2, 3, SHIPPED, 6, 8, 16)


def rows_of(groups: Sequence[QAGroup]) -> tuple[list[str], Positions]:
    """Every stored question, and the number of its group."""
    questions = [question for group in groups for question in group.questions]
    return questions, np.repeat(np.arange(len(groups)), [len(group.questions) for group in groups])


def main() -> None:
    """Fits, measures and, if asked to, writes."""
    options = parser(__doc__)
    options.add_argument("--ask", type=Path, help="another file: index 질문_1, ask 질문_2")
    options.add_argument("--write", action="store_true", help=f"write {RESOURCE} with {SHIPPED} directions")
    args = options.parse_args()
    groups = read_file(args.file)
    encoder = make_encoder(EncoderSettings())
    questions, owners = rows_of(groups)
    vectors = encoder.encode_queries(questions)
    if args.write:
        path = ROOT / "index" / "resources" / RESOURCE
        digest = sha256(args.file.read_bytes()).hexdigest()
        space = QuestionSpace.fit(vectors, owners, SHIPPED)
        space.save(path, {"encoder": encoder.fingerprint, "fitted_on": f"{args.file.name} sha256 {digest}"})
        print(f"{path}: {space.digest}, {len(questions)} questions of {len(groups)} groups, {encoder.fingerprint}")
        return
    held_out = records(HELD_OUT, "paraphrase")
    sets: dict[str, tuple[Sequence[QAGroup], Asked]] = {
        "held-out paraphrases": (groups, Asked([r["question"] for r in held_out], [r["group_id"] for r in held_out]))
    }
    if args.ask:
        other = read_file(args.ask)
        first, second = one_wording(other, 1), wording(other, 2)
        misspelt = Asked(misspelt_all(second.questions, args.seed), second.targets)
        sets |= {args.ask.name: (first, second), f"{args.ask.name}, misspelt": (first, misspelt)}
    print(f"{len(questions)} questions of {len(groups)} groups; {environment()}\n")
    lines: list[list[object]] = [["none (plain cosine)"], *([f"{count} directions"] for count in TRIED)]
    for searched, asked in sets.values():
        number = {group.id: position for position, group in enumerate(searched)}
        targets = np.array([number[target] for target in asked.targets])
        stored, stored_owners = rows_of(searched)
        rows = encoder.encode_queries(stored)
        queries = encoder.encode_queries([as_written(question) for question in asked.questions])
        spaces = [None, *(QuestionSpace.fit(vectors, owners, count) for count in TRIED)]
        for line, space in zip(lines, spaces, strict=True):
            starts = np.searchsorted(stored_owners, np.arange(len(searched)))
            found = ranks_of(np.maximum.reduceat(all_cosines(queries, rows, space), starts, axis=1), targets)
            line += [
                bootstrap_mean(recall_at(found, 1), clusters=asked.targets, seed=args.seed),
                float(reciprocal_ranks(found).mean()),
            ]
    header = [f"{name}: {metric}" for name in sets for metric in ("R@1", "MRR")]
    print(table(["left out", *header], lines))
    write_json(args.json, {"benchmark": "fit_space", "header": header, "lines": lines})


if __name__ == "__main__":
    main()
