"""Chooses the weights of an answer's confidence, and shows how well each sign of a good answer orders guesses.

    python benchmarks/tune_confidence.py                                      # chooses on the starter base
    python benchmarks/tune_confidence.py --also ../shared/dacon/train.csv     # also a file that was not fitted to

Every question is asked of its file without its own group, so that each answer is a guess: the first example's, quoted,
scored against the answers of the group that was left out. The weights that give the largest mean score over all
coverages win. The other file's first wordings are indexed and the second ones asked, and it chooses nothing.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import environment, one_wording, parser, read_file, table, write_json

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import Encoder, EncoderSettings, make_encoder
from index.encoders.cache import EmbeddingCache
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever
from rag.confidence import WEIGHTS, Signs, signs
from rag.evaluation.metric_encoders import make_metric_encoder
from rag.evaluation.scoring import Scorer
from rag.evaluation.statistics import Floats, bootstrap_quality_at, quality_at

GRID = {
    "similarity": (0.5, 1.0),
    "agreement": (0.0, 0.25, 0.5, 0.75, 1.0),
    "overlap": (0.0, 0.2, 0.4, 0.6, 0.8),
    "lead": (0.0, 0.01, 0.02, 0.03, 0.05, 0.08),
}
"""Weights tried; only their proportions order anything."""

COVERAGES = tuple(np.arange(0.05, 1.001, 0.05))
SHOWN = (0.1, 0.3, 0.5, 0.7, 1.0)


def guesses(
    groups: Sequence[QAGroup], asked: Sequence[QAGroup], encoder: Encoder, scorer: Scorer
) -> tuple[Floats, Floats, list[str]]:
    """Asks the questions of each group of a base of all the others.

    Args:
        groups: The base.
        asked: The groups' questions to ask, in the order of `groups`.
        encoder: Of the questions.
        scorer: Of the answers.

    Returns:
        The signs, of shape `(questions, 4)`; the score of each answer; the group of each question.
    """
    found, scores, owners = [], [], []
    with TemporaryDirectory() as folder:
        build_knowledge_base(Path(folder) / "kb", groups, encoder)
        base = open_knowledge_base(Path(folder) / "kb", encoder)
        for number, group in enumerate(asked):
            retriever = Retriever(base.without([number]))
            for question in group.questions:
                hits = retriever.search(question)
                found.append(signs(question, hits))
                scores.append(scorer.cosine(hits[0].answer, group.answers))
                owners.append(group.id)
    return np.array(found), np.array(scores), owners


def main() -> None:
    """Chooses, and shows what the chosen and the shipped weights and each sign alone are worth."""
    options = parser(__doc__)
    options.add_argument("--also", type=Path, help="another file: index 질문_1, ask 질문_2, choose nothing")
    args = options.parse_args()
    encoder = make_encoder(EncoderSettings())
    with TemporaryDirectory() as folder:
        scorer = Scorer(make_metric_encoder("auto"), EmbeddingCache(Path(folder) / "metric.sqlite"))
        groups = read_file(args.file)
        files = {args.file.name: guesses(groups, groups, encoder, scorer)}
        if args.also:
            other = read_file(args.also)
            files[args.also.name] = guesses(one_wording(other, 1), one_wording(other, 2), encoder, scorer)
    values, scores, _ = next(iter(files.values()))
    best = max(
        (Signs(*weights) for weights in product(*GRID.values())),
        key=lambda weights: float(quality_at(values @ np.array(weights), scores, COVERAGES).mean()),
    )
    tried = {
        f"chosen ({', '.join(f'{name} {weight:g}' for name, weight in best._asdict().items())})": best,
        f"shipped ({', '.join(f'{weight:g}' for weight in WEIGHTS)})": WEIGHTS,
        **{f"{name} alone": Signs(**{**dict.fromkeys(Signs._fields, 0.0), name: 1.0}) for name in Signs._fields},
    }
    print(f"{scorer.metric.name}; {environment()}\n")
    report: dict[str, object] = {"benchmark": "tune_confidence", "chosen": best}
    for file, (values, scores, owners) in files.items():
        lines = []
        for name, weights in tried.items():
            sure = values @ np.array(weights)
            mean = float(quality_at(sure, scores, COVERAGES).mean())
            lines.append([name, mean, *bootstrap_quality_at(sure, scores, SHOWN, clusters=owners, seed=args.seed)])
        header = ["weights", "mean over coverages", *(f"surest {share:.0%}" for share in SHOWN)]
        print(f"{file}: {len(scores)} questions\n\n{table(header, lines)}\n")
        report[file] = {"header": header, "lines": lines}
    write_json(args.json, report)


if __name__ == "__main__":
    main()
