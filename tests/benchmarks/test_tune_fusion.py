"""The tuner's arithmetic is the retriever's, and it prefers what ranks better."""

from pathlib import Path

import numpy as np
import pytest
import tune_fusion
from common import one_wording, wording

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import HashEncoder
from index.fusion import FusionWeights
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever


@pytest.mark.parametrize(
    "weights", [FusionWeights(), FusionWeights(0.01, 0.02, 0.01, 0.02), FusionWeights(0.3, 0.2, 0.1, 0.2)]
)
def test_ranks_are_those_of_the_real_retriever(
    tmp_path: Path, starter_groups: tuple[QAGroup, ...], weights: FusionWeights
) -> None:
    groups, encoder = starter_groups[:40], HashEncoder()
    asked = wording(groups, 2)
    # Two wordings are indexed for some groups, so that the best row of a group matters.
    indexed = (*groups[:20], *one_wording(groups[20:], 1))
    build_knowledge_base(tmp_path / "kb", indexed, encoder, weights=weights)
    retriever = Retriever(open_knowledge_base(tmp_path / "kb", encoder))
    ranks = tune_fusion.signals(indexed, asked, encoder).ranks(weights)
    for question, target, rank in zip(asked.questions, asked.targets, ranks, strict=True):
        found = [hit.group.id for hit in retriever.search(question, len(groups))]
        # The retriever leaves out groups that no signal proposes.
        assert found.index(target) + 1 == rank, question


def test_grid_prefers_the_signal_that_finds_and_small_weights_on_ties() -> None:
    fragments = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    nothing = np.zeros((2, 2), dtype=np.float32)
    signals = tune_fusion.Signals(
        cosines=np.array([[0.90, 0.85], [0.85, 0.90]], dtype=np.float32),
        morphemes=nothing,
        spellings=nothing,
        fragments=fragments,
        heads=nothing,
        starts=np.array([0, 1]),
        targets=np.array([1, 0]),
    )
    (best, mrr), *_ = tune_fusion.search_grid([signals], grid=(0.0, 0.02, 0.06, 0.08))
    assert (best, mrr) == (FusionWeights(0, 0, 0.06, 0), 1.0)


def test_ties_go_to_the_earlier_group() -> None:
    flat = np.zeros((2, 2), dtype=np.float32)
    signals = tune_fusion.Signals(flat, flat, flat, flat, flat, np.array([0, 1]), np.array([0, 1]))
    assert signals.ranks(FusionWeights()).tolist() == [1, 2]


def test_misspelt_copies_keep_their_targets(starter_groups: tuple[QAGroup, ...]) -> None:
    asked = tune_fusion.other_wordings(starter_groups[:5])
    copies = tune_fusion.misspelt_copies(asked, seed=0, copies=3)
    assert len(copies.questions) == len(copies.targets) == 3 * len(asked.questions)
    assert copies.targets[: len(asked.targets)] == asked.targets
