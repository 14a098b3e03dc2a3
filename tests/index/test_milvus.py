"""Bases whose vectors lie in Milvus (Lite); what an index must do in itself stands in test_vector_indexes.py."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.errors import InputError, KnowledgeBaseError
from data.types import QAGroup
from index.building import build_knowledge_base, rebuild_knowledge_base
from index.choosing import MILVUS_FILE
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.knowledge_base import open_knowledge_base
from index.live import LiveKnowledgeBase, open_live
from index.manifest import DerivedFilesError
from index.migrating import move_vectors
from index.milvus import MilvusIndex, connect, parse_cluster
from index.places import MILVUS_VARIABLE, TOKEN_VARIABLE, read_places
from index.retriever import Retriever

pytest.importorskip("milvus_lite", reason="needs pip install '.[milvus]'")
pytestmark = pytest.mark.integration

Groups = tuple[QAGroup, ...]

PINGS = "grpc.keepalive_permit_without_calls"


@pytest.fixture
def kb(tmp_path: Path, groups: Groups, milvus_address: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(MILVUS_VARIABLE, milvus_address)
    build_knowledge_base(tmp_path / "kb", groups, HashEncoder())
    return tmp_path / "kb"


def collections(address: str) -> set[str]:
    return set(connect(parse_cluster(address)).list_collections())


def test_vectors_move_there_and_back_and_are_edited_like_any_others(
    kb: Path, groups: Groups, milvus_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = HashEncoder()
    live = LiveKnowledgeBase(open_knowledge_base(kb, encoder))
    before = live.current().segment.vectors.vectors()
    others = collections(milvus_address)
    assert move_vectors(kb, milvus_address, encoder)[0].index == "Milvus"
    live.current()
    live.settle()
    index = live.current().segment.vectors
    assert isinstance(index, MilvusIndex)
    np.testing.assert_array_equal(index.vectors(), before)
    retriever = Retriever(live)
    Editor(kb, encoder).update([replace(groups[1], questions=("타일 줄눈이 까매졌어요",))])
    Editor(kb, encoder).remove(["g3"])
    assert retriever.search("타일 줄눈이 까매졌어요")[0].group.id == "g2"
    assert {hit.group.id for hit in retriever.search("몰딩 틈은 어떻게 메우나요?", 9)} == {"g1", "g2"}
    for _ in range(3):
        Editor(kb, encoder).compact()
    live.current()
    live.settle()
    assert retriever.search("타일 줄눈이 까매졌어요")[0].group.id == "g2"
    # The one in use and the one before it, which a reader may still search.
    assert len(collections(milvus_address) - others) == 2
    with pytest.raises(InputError, match="already"):
        move_vectors(kb, milvus_address, encoder)
    with monkeypatch.context() as patch:
        patch.delenv(MILVUS_VARIABLE)
        with pytest.raises(KnowledgeBaseError, match=milvus_address):
            open_knowledge_base(kb, encoder)
    with pytest.raises(InputError, match="which a build does not replace"):
        build_knowledge_base(kb, groups, encoder)
    manifest, left = move_vectors(kb, "files", encoder)
    assert (manifest.index, read_places(kb).vectors) == ("exact", "")
    assert milvus_address in left
    assert Retriever(open_knowledge_base(kb, encoder)).search("타일 줄눈이 까매졌어요")[0].group.id == "g2"


def test_a_collection_that_is_lost_is_filled_again(kb: Path, milvus_address: str) -> None:
    move_vectors(kb, milvus_address, HashEncoder())
    record = next(kb.rglob(MILVUS_FILE))
    connect(parse_cluster(milvus_address)).drop_collection(json.loads(record.read_text())["collection"])
    with pytest.raises(DerivedFilesError, match="is not there"):
        open_knowledge_base(kb, HashEncoder())
    said: list[str] = []
    live = open_live(kb, HashEncoder(), say=said.append, background=False)
    assert "making the index files again" in said[0]
    assert Retriever(live).search("곰팡이는 무엇으로 닦나요?")[0].group.id == "g2"
    assert live.current().manifest.index == "Milvus"


def test_a_vector_that_was_changed_there_is_noticed_by_verify(kb: Path, milvus_address: str) -> None:
    move_vectors(kb, milvus_address, HashEncoder())
    index = open_knowledge_base(kb, HashEncoder()).segment.vectors
    index.check()
    assert isinstance(index, MilvusIndex)
    turned = np.roll(index.vectors()[2], 1)
    connect(parse_cluster(milvus_address)).upsert(index.record.collection, [{"row": 2, "vector": turned}])
    with pytest.raises(ValueError, match="do not match their digest"):
        index.check()


def test_a_base_names_no_cluster_by_itself_and_no_token_is_told(
    kb: Path, milvus_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_vectors(kb, milvus_address, HashEncoder())
    monkeypatch.delenv(MILVUS_VARIABLE)
    with pytest.raises(KnowledgeBaseError, match=f"set {MILVUS_VARIABLE}"):
        open_knowledge_base(kb, HashEncoder())
    monkeypatch.setenv(MILVUS_VARIABLE, "http://root:geheim@127.0.0.1:1")
    monkeypatch.setenv(TOKEN_VARIABLE, "token-geheim")
    with pytest.raises(KnowledgeBaseError, match="cannot be reached") as caught:
        rebuild_knowledge_base(kb, HashEncoder())
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert parse_cluster("http://root:geheim@a:1") == ("http://a:1", "token-geheim", "http://a:1")
    with pytest.raises(InputError, match="cannot be read"):
        parse_cluster("ftp://a:1/x.db")
    monkeypatch.setenv(MILVUS_VARIABLE, milvus_address)
    open_knowledge_base(kb, HashEncoder())
    assert b"geheim" not in b"".join(path.read_bytes() for path in kb.rglob("*") if path.is_file())


def test_a_missing_extra_is_one_line(kb: Path, milvus_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(KnowledgeBaseError, match=r"pip install '\.\[milvus\]'"):
        move_vectors(kb, milvus_address, HashEncoder())


def test_the_command_moves_and_verifies(tmp_path: Path) -> None:
    lite = str(tmp_path / "lite.db")

    def dobae(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ui.cli.main", *map(str, arguments)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", MILVUS_VARIABLE: lite}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)

    source, kb = tmp_path / "qa.csv", tmp_path / "kb"
    source.write_text("질문,답변\n벽지가 왜 들뜨나요?,습기 때문입니다.\n몰딩 틈은요?,퍼티로 메웁니다.\n", "utf-8")
    assert dobae("index", "build", source, "--kb", kb).returncode == 0
    moved = dobae("index", "migrate", "--vectors", lite, "--kb", kb)
    assert "2 vectors moved" in moved.stdout, moved.stderr
    assert "Traceback" not in moved.stderr
    found = json.loads(dobae("search", "벽지가 떠요", "--kb", kb, "--json").stdout)
    assert found["parts"][0]["hits"][0]["question"] == "벽지가 왜 들뜨나요?"
    verified = dobae("index", "verify", "--kb", kb)
    assert "every vector in Milvus" in verified.stdout, verified.stderr


@pytest.mark.parametrize(("address", "options"), [("lite.db", {PINGS: 0}), ("http://milvus:19530", {})])
def test_an_idle_client_of_milvus_lite_does_not_ping(
    address: str, options: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its server throws out whoever pings often without a call (`too_many_pings`); a cluster allows it.
    asked: list[dict[str, object]] = []
    monkeypatch.setattr("pymilvus.MilvusClient", lambda **options: asked.append(options))
    connect(parse_cluster(address))
    assert asked[0]["grpc_options"] == options
