"""An exact search over the stored questions, for the time in which the derived files are made again.

Vectors come from the cache of embeddings; words are not analysed, so the encoder ranks alone.
"""

from pathlib import Path

import numpy as np

from index.building import open_to_mend
from index.calibration import calibrate, foreign_questions
from index.encoders.base import Encoder
from index.encoders.cache import CACHE_FILE, EmbeddingCache
from index.fusion import default_weights
from index.knowledge_base import KnowledgeBase
from index.korean import korean_analyzer
from index.lexical import LexicalIndex, WordIndexes
from index.manifest import Manifest
from index.overlay import Overlay
from index.question_space import digest_of, space_of
from index.segment import Segment
from index.vectors import VectorIndex


def open_stopgap(path: Path, encoder: Encoder) -> KnowledgeBase:
    """Opens the base at `path` from its store alone.

    Raises:
        KnowledgeBaseError: The store is missing or damaged.
    """
    store = open_to_mend(path)
    state, stored = store.whole()
    questions = [question for each in stored for question in each.group.questions]
    foreign = foreign_questions()
    vectors = EmbeddingCache(path / CACHE_FILE).read_queries(encoder, [*questions, *foreign])
    own, strangers = vectors[: len(questions)], vectors[len(questions) :]
    rows = np.array(
        [(number, wording) for number, each in enumerate(stored) for wording in range(len(each.group.questions))],
        dtype=np.int64,
    )
    space = space_of(encoder.fingerprint)
    manifest = Manifest(
        base=state.base,
        revision=state.revision,
        changes=state.changes,
        encoder=encoder.spec,
        fingerprint=encoder.fingerprint,
        dim=encoder.dim,
        tokenizer=korean_analyzer().fingerprint,
        groups=len(stored),
        questions=len(questions),
        folder="",
        index="exact",
        index_because="the derived files are being made again",
        weights=default_weights(space),
        space=digest_of(space),
        calibration=calibrate(own, rows[:, 0], strangers),
    )
    of_rows, of_groups = LexicalIndex.build([[]] * len(questions)), LexicalIndex.build([[]] * len(stored))
    words = WordIndexes(of_rows, of_rows, of_groups, of_groups)
    keys = np.array([each.key for each in stored], dtype=np.int64)
    segment = Segment(manifest, VectorIndex.build(own), words, rows, keys)
    return KnowledgeBase(path, encoder, segment, store, Overlay(manifest.dim, words))
