"""What the page's keeper does with a base that others edit too."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from data.types import QAGroup
from index.building import build_knowledge_base
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.live import open_live
from index.retriever import Retriever
from ui.app.keeping import ChangedMeanwhileError, Keeping


class _SlowKeeping(Keeping):
    """Between this keeper's look at a group and his turn to write, another one changes it."""

    def _editor(self, author: str) -> Editor:
        editor = super()._editor(author)
        editor.change("g1", lambda group: replace(group, category="theirs"))
        return editor


def test_a_change_that_came_first_is_not_written_over(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    build_knowledge_base(tmp_path / "kb", groups, HashEncoder())
    keeping = _SlowKeeping(Retriever(open_live(tmp_path / "kb", HashEncoder())))
    with pytest.raises(ChangedMeanwhileError, match="look at it again"):
        keeping.change(groups[0], replace(groups[0], category="mine"), "")
    assert keeping.group("g1") == replace(groups[0], category="theirs")
    keeping._editor("").change("g1", lambda group: groups[0])
    with pytest.raises(ChangedMeanwhileError, match="look at it again"):
        keeping.remove(groups[0], "")
    assert keeping.group("g1") == replace(groups[0], category="theirs")


def test_an_upload_takes_no_group_that_nobody_has_approved(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    build_knowledge_base(tmp_path / "kb", groups, HashEncoder())
    keeping = Keeping(Retriever(open_live(tmp_path / "kb", HashEncoder())))
    rows = [
        {"id": f"n{approved}", "questions": ["새 질문?"], "answers": ["답"], "provenance": {"approved": approved}}
        for approved in (False, True)
    ]
    preview = keeping.preview("grown.jsonl", "\n".join(map(json.dumps, rows)).encode())
    assert [group.id for group in preview.new] == ["nTrue"]
    assert "nobody has approved" in preview.read.rejects[0].reason
