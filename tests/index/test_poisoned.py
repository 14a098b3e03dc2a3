"""A base from a stranger: forged, signed with digests that fit, and still nothing of it runs or takes all memory."""

import json
import pickle
import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.errors import KnowledgeBaseError
from data.types import QAGroup
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.knowledge_base import KnowledgeBase, open_knowledge_base
from index.live import open_live
from index.manifest import _digest_of, record_files
from index.retriever import Retriever

Poison = Callable[[Path, Path], None]
"""Takes the folder of derived files and the canary."""


class Bomb:
    """Unpickling it removes the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = str(canary)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.remove, (self.canary,)


def _objects(name: str) -> Poison:
    def poison(folder: Path, canary: Path) -> None:
        np.save(folder / name, np.array([Bomb(canary)], dtype=object), allow_pickle=True)

    return poison


def _raw_pickle(name: str) -> Poison:
    return lambda folder, canary: (folder / name).write_bytes(pickle.dumps(Bomb(canary))) and None


def _huge_array(name: str) -> Poison:
    def poison(folder: Path, canary: Path) -> None:
        with (folder / name).open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "<i8", "fortran_order": False, "shape": (1 << 40, 1 << 20)}
            )

    return poison


def _faiss(*values: object) -> Poison:
    def poison(folder: Path, canary: Path) -> None:
        (folder / "questions.faiss").write_bytes(struct.pack("<4siqqq?iQ", *values) + b"\0" * 64)

    return poison


def _array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Poison:
    return lambda folder, canary: np.save(folder / name, change(np.load(folder / name)))


def _json(name: str, text: str) -> Poison:
    return lambda folder, canary: (folder / name).write_text(text) and None


def _set(index: int, value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.flat[index] = value
        return array

    return change


POISONS: dict[str, Poison] = {
    "objects as rows": _objects("rows.npy"),
    "objects as keys": _objects("keys.npy"),
    "objects as BM25 scores": _objects("morphemes/data.csc.index.npy"),
    "a pickle as rows": _raw_pickle("rows.npy"),
    "a pickle as FAISS file": _raw_pickle("questions.faiss"),
    "a pickle as vocabulary": _raw_pickle("heads/vocab.index.json"),
    "rows of a size no memory has": _huge_array("rows.npy"),
    "BM25 documents of a size no memory has": _huge_array("fragments/indices.csc.index.npy"),
    "FAISS with 2^40 rows": _faiss(b"IxFI", 64, 1 << 40, 0, 0, True, 0, 1 << 46),
    "FAISS whose product overflows": _faiss(b"IxFI", 1 << 30, 1 << 34, 0, 0, True, 0, 0),
    "FAISS with a negative size": _faiss(b"IxFI", 64, -1, 0, 0, True, 0, (1 << 64) - 64),
    "FAISS of another kind": _faiss(b"IxPT", 64, 1, 0, 0, True, 0, 64),
    "FAISS inverted lists on disk": _faiss(b"ilod", 64, 1, 0, 0, True, 0, 64),
    "an empty FAISS file": lambda folder, canary: (folder / "questions.faiss").write_bytes(b"") and None,
    "rows of groups that are not there": _array("rows.npy", _set(0, 10_000)),
    "rows of wordings that are not there": _array("rows.npy", _set(1, -1)),
    "keys in disorder": _array("keys.npy", lambda keys: keys[::-1].copy()),
    "BM25 documents that are not there": _array("morphemes/indices.csc.index.npy", _set(0, 1 << 30)),
    "BM25 columns that run backwards": _array("fragments/indptr.csc.index.npy", _set(1, 1 << 40)),
    "JSON nested without end": _json("heads/vocab.index.json", "[" * 200_000),
    "parameters with other names": _json("heads/params.index.json", '{"__class__": "os.system"}'),
}


def _sign(base: Path) -> None:
    """Writes a manifest whose digests fit the forged files, as an attacker would."""
    record = json.loads((base / "manifest.json").read_text("utf-8"))
    files = record_files(base, record["folder"])
    record["files"] = {name: {"bytes": each.bytes, "sha256": each.sha256} for name, each in files.items()}
    del record["sha256"]
    (base / "manifest.json").write_text(json.dumps(record | {"sha256": _digest_of(record)}), "utf-8")


@pytest.mark.parametrize("name", POISONS)
def test_a_poisoned_file_is_refused_and_the_base_made_again(
    base_of, groups: tuple[QAGroup, ...], tmp_path: Path, name: str
) -> None:
    base: KnowledgeBase = base_of(groups)
    canary = tmp_path / "canary"
    canary.write_text("alive")
    POISONS[name](base.path / base.manifest.folder, canary)
    _sign(base.path)
    with pytest.raises(KnowledgeBaseError) as caught:
        open_knowledge_base(base.path, base.encoder)
    assert "\n" not in str(caught.value)
    said: list[str] = []
    live = open_live(base.path, base.encoder, say=said.append, background=False)
    assert said
    assert Retriever(live).search("곰팡이는 무엇으로 닦나요?")[0].group == groups[1]
    assert canary.read_text() == "alive"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON groups BEGIN DELETE FROM changes; END",
        "CREATE VIEW v AS SELECT load_extension('/tmp/evil.so')",
        "CREATE TABLE other (x)",
        "CREATE VIRTUAL TABLE v USING fts5(x)",
        "CREATE INDEX i ON groups (hex(zeroblob(1000000)))",
    ],
)
def test_a_store_that_holds_what_is_not_ours_is_refused(base_of, groups: tuple[QAGroup, ...], statement: str) -> None:
    base: KnowledgeBase = base_of(groups)
    with sqlite3.connect(base.path / "groups.sqlite") as connection:
        connection.execute(statement)
    connection.close()
    for call in (
        lambda: open_knowledge_base(base.path, base.encoder),
        lambda: open_live(base.path, base.encoder, background=False),
        lambda: Editor(base.path, base.encoder).remove(["g1"]),
    ):
        with pytest.raises(KnowledgeBaseError, match="did not make"):
            call()


def test_a_group_table_that_is_a_view_is_refused(base_of, groups: tuple[QAGroup, ...]) -> None:
    base: KnowledgeBase = base_of(groups)
    with sqlite3.connect(base.path / "groups.sqlite") as connection:
        connection.execute("ALTER TABLE groups RENAME TO changes_2")
        connection.execute("CREATE VIEW groups AS SELECT * FROM changes_2")
    connection.close()
    with pytest.raises(KnowledgeBaseError, match="did not make"):
        open_knowledge_base(base.path, base.encoder)


def test_a_link_out_of_the_base_is_not_followed(base_of, groups: tuple[QAGroup, ...], tmp_path: Path) -> None:
    base: KnowledgeBase = base_of(groups)
    secret = tmp_path / "secret"
    shutil.copyfile(base.path / base.manifest.folder / "rows.npy", secret)
    rows = base.path / base.manifest.folder / "rows.npy"
    rows.unlink()
    rows.symlink_to(secret)
    with pytest.raises(KnowledgeBaseError, match="link"):
        open_knowledge_base(base.path, base.encoder)
    assert open_live(base.path, HashEncoder(), background=False).current().manifest.groups == 3
    assert secret.exists()
