"""Every peer really retrieves, on the same questions; the fake encoder stands in for the model."""

import json
import sys
from pathlib import Path

import pytest
import retrieval
from common import ROOT, STARTER, one_wording, wording

from data.types import QAGroup
from index.encoders.base import HashEncoder


@pytest.fixture
def dozen(starter_groups: tuple[QAGroup, ...]) -> tuple[QAGroup, ...]:
    return starter_groups[:12]


@pytest.mark.integration
def test_every_peer_finds_a_question_asked_as_it_is_stored(dozen: tuple[QAGroup, ...]) -> None:
    results = retrieval.compare(one_wording(dozen, 1), wording(dozen, 1), HashEncoder())
    assert list(results) == list(retrieval.PEERS)
    for name in set(results) - {"Kiwi BM25, answers too"}:
        # The same words, so any peer that works finds them first; long answers may outweigh a short question.
        assert results[name].ranks.tolist() == [1] * 12, name


@pytest.mark.integration
def test_report_compares_with_ours_and_ratios_to_ours_are_one(dozen: tuple[QAGroup, ...]) -> None:
    asked = wording(dozen, 2)
    results = retrieval.compare(one_wording(dozen, 1), asked, HashEncoder())
    lines = retrieval.report(results, asked.targets, samples=200, seed=0)
    assert lines[retrieval.OURS]["MRR - ours"] == (0, 0, 0)
    assert lines[retrieval.OURS]["query time / ours"] == lines[retrieval.OURS]["build time / ours"] == 1
    for line in lines.values():
        assert 0 <= line["R@1"].value <= line["R@3"].value <= line["R@5"].value <= 1
        assert line["R@1"].low <= line["R@1"].value <= line["R@1"].high
        assert line["R@1"].value <= line["MRR"].value


@pytest.mark.integration
def test_script_prints_a_table_and_writes_json(
    tmp_path: Path, dozen: tuple[QAGroup, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = STARTER.read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "qa.csv").write_text("".join(lines[:13]), "utf-8")
    monkeypatch.setattr(retrieval, "make_encoder", lambda _: HashEncoder())
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["retrieval.py", str(tmp_path / "qa.csv"), "--json", str(out), "--builds", "1"])
    retrieval.main()
    printed = capsys.readouterr().out
    assert all(f"| {peer} |" in printed for peer in retrieval.PEERS)
    (result,) = json.loads(out.read_text("utf-8"))["results"].values()
    assert result[retrieval.OURS]["questions"] == len(result[retrieval.OURS]["ranks"]) == 12


def test_no_benchmark_reads_a_pickle() -> None:
    for script in (ROOT / "benchmarks").glob("*.py"):
        source = script.read_text("utf-8")
        assert "allow_dangerous_deserialization" not in source, script.name
        assert "load_local" not in source, script.name
