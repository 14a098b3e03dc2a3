"""What every vector index must do, over each implementation."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest

from data.types import QAGroup
from index import choosing
from index.approximate import InvertedIndex
from index.building import build_knowledge_base
from index.choosing import choose_index, load_index
from index.editing import Editor
from index.encoders.base import HashEncoder, Vectors
from index.knowledge_base import open_knowledge_base
from index.milvus import MilvusIndex, parse_cluster
from index.places import MILVUS_VARIABLE
from index.retriever import Retriever
from index.vectors import VECTORS_FILE, FlatIndex, VectorIndex


def in_milvus(vectors: Vectors) -> VectorIndex:
    return MilvusIndex.of(vectors, parse_cluster(os.environ[MILVUS_VARIABLE]))


MAKERS: dict[str, Callable[[Vectors], VectorIndex]] = {
    "exact": VectorIndex.build,
    "lists": InvertedIndex.of,
    "milvus": in_milvus,
}
EVERY = [name if name != "milvus" else pytest.param(name, marks=pytest.mark.integration) for name in MAKERS]


@pytest.fixture(autouse=True)
def _milvus(request: pytest.FixtureRequest) -> None:
    if "milvus" in request.node.name:
        pytest.importorskip("milvus_lite", reason="needs pip install '.[milvus]'")
        address = request.getfixturevalue("milvus_address")
        request.getfixturevalue("monkeypatch").setenv(MILVUS_VARIABLE, address)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, 32))
    rows = centres[random.integers(40, size=3_000)] + 0.6 * random.normal(size=(3_000, 32))
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", EVERY)
class TestEveryIndex:
    def test_finds_the_nearest_rows_with_their_cosines(self, vectors: Vectors, name: str) -> None:
        index = MAKERS[name](vectors)
        assert (index.size, index.dim) == vectors.shape
        shared = 0
        for query in vectors[::100]:
            near = index.search(query, 10)
            truth = np.argsort(-(vectors @ query), kind="stable")[:10]
            shared += len(set(near.positions.tolist()) & set(truth.tolist()))
            np.testing.assert_allclose(near.cosines, vectors[near.positions] @ query, atol=1e-5)
            assert (np.diff(near.cosines) <= 1e-6).all()
        assert shared >= 0.95 * 300

    def test_finds_no_dead_row(self, vectors: Vectors, name: str) -> None:
        index = MAKERS[name](vectors)
        alive = np.ones(len(vectors), dtype=bool)
        alive[np.argsort(-(vectors @ vectors[5]))[:20]] = False
        near = index.search(vectors[5], 10, alive)
        assert len(near.positions) == 10
        assert alive[near.positions].all()
        alive[:] = False
        alive[7] = True
        assert index.search(vectors[7], 10, alive).positions.tolist() == [7]
        assert len(index.search(vectors[7], 0).positions) == 0

    def test_comes_back_from_disk_as_it_was(self, vectors: Vectors, name: str, tmp_path: Path) -> None:
        index = MAKERS[name](vectors)
        index.save(tmp_path)
        again = load_index(tmp_path)
        assert type(again) is type(index)
        for query in vectors[::300]:
            assert again.search(query, 10).positions.tolist() == index.search(query, 10).positions.tolist()
        np.testing.assert_array_equal(again.vectors(), vectors)
        np.testing.assert_array_equal(again.rows(np.array([3, 9])), vectors[[3, 9]])

    def test_files_that_do_not_fit_are_refused(self, vectors: Vectors, name: str, tmp_path: Path) -> None:
        MAKERS[name](vectors).save(tmp_path)
        for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
            good = path.read_bytes()
            path.write_bytes(good[:-8])
            with pytest.raises((ValueError, TypeError)):
                load_index(tmp_path)
            path.write_bytes(good)
        load_index(tmp_path)


def test_an_exact_file_is_what_faiss_itself_writes(vectors: Vectors, tmp_path: Path) -> None:
    index = VectorIndex.build(vectors)
    index.save(tmp_path)
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    faiss.write_index(flat, str(tmp_path / "by-faiss"))
    assert (tmp_path / VECTORS_FILE).read_bytes() == (tmp_path / "by-faiss").read_bytes()


def test_codes_and_numbers_are_checked_against_each_other(vectors: Vectors, tmp_path: Path) -> None:
    InvertedIndex.of(vectors).save(tmp_path)
    ids = np.load(tmp_path / "lists" / "ids.npy")
    ids[0] = ids[1]
    np.save(tmp_path / "lists" / "ids.npy", ids)
    with pytest.raises(ValueError, match="do not fit"):
        load_index(tmp_path)


def test_size_decides_which_index_is_built(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    index, why = choose_index(vectors)
    assert isinstance(index, FlatIndex)
    assert "3,000 rows" in why
    monkeypatch.setattr(choosing, "APPROXIMATE_FROM", 3_000)
    index, why = choose_index(vectors)
    assert isinstance(index, InvertedIndex)
    assert "3,000" in why


def test_a_base_with_an_approximate_index_is_edited_like_any_other(
    tmp_path: Path, starter_groups: tuple[QAGroup, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "APPROXIMATE_FROM", 500)
    encoder = HashEncoder(128)
    assert build_knowledge_base(tmp_path / "kb", starter_groups, encoder).index == InvertedIndex.kind
    retriever = Retriever(open_knowledge_base(tmp_path / "kb", encoder))
    first = starter_groups[0]
    assert retriever.search(first.questions[0])[0].group == first
    editor = Editor(tmp_path / "kb", encoder)
    editor.update([replace(first, questions=("전혀 다른 말로 묻습니다",))])
    editor.remove([starter_groups[1].id])
    assert retriever.search("전혀 다른 말로 묻습니다")[0].group.id == first.id
    assert starter_groups[1].id not in {hit.group.id for hit in retriever.search(starter_groups[1].questions[0], 20)}
