"""`dobae index add|update|...` as whole processes: what a keeper types, and what comes of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from index.store import open_store

pytestmark = pytest.mark.integration

STARTER = Path(__file__).resolve().parent.parent.parent / "data" / "starter" / "qa.csv"

QUESTION = "문틀 모서리 벽지가 찢어졌는데 어떻게 하나요?"


def dobae(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ui.cli.main", *map(str, arguments)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)


@pytest.fixture
def kb(tmp_path: Path) -> Path:
    source = tmp_path / "small.csv"
    source.write_text("\n".join(STARTER.read_text("utf-8").splitlines()[:11]) + "\n", "utf-8")
    assert dobae("index", "build", source, "--kb", tmp_path / "kb").returncode == 0
    return tmp_path / "kb"


def test_a_keepers_day(kb: Path, tmp_path: Path) -> None:
    added = dobae("index", "add", "-q", QUESTION, "-a", "조각을 덧댑니다.", "--id", "n1", "--kb", kb, "--json")
    assert json.loads(added.stdout)["ids"] == ["n1"], added.stderr
    hit = json.loads(dobae("search", QUESTION, "--kb", kb, "--json").stdout)["parts"][0]["hits"][0]
    assert (hit["group_id"], hit["answer"]) == ("n1", "조각을 덧댑니다.")
    assert dobae("index", "update", "n1", "-a", "무늬를 맞춰 덧댑니다.", "--kb", kb, "--author", "가").returncode == 0
    assert dobae("index", "export", tmp_path / "out.xlsx", "--kb", kb).returncode == 0
    assert dobae("index", "remove", "n1", "dobae-001", "--kb", kb).returncode == 0
    imported = dobae("index", "import", tmp_path / "out.xlsx", "--mirror", "--kb", kb, "--json")
    assert json.loads(imported.stdout)["added"] == 2
    assert json.loads(imported.stdout)["unchanged"] == 9
    assert f"`dobae index undo 6 --kb {kb}` takes it back" in dobae("index", "undo", "--kb", kb).stdout
    assert dobae("index", "undo", "--kb", kb).returncode == 0
    lines = [json.loads(line) for line in dobae("index", "history", "n1", "--kb", kb, "--json").stdout.splitlines()]
    assert [line["action"] for line in lines] == ["undo", "undo", "import", "remove", "update", "add"]
    assert (lines[4]["author"], lines[4]["changes"][0]["before"]["answers"]) == ("가", ["조각을 덧댑니다."])
    assert "calibrat" in dobae("index", "compact", "--help").stdout
    assert dobae("index", "compact", "--kb", kb).returncode == 0
    facts = json.loads(dobae("index", "info", "--kb", kb, "--json").stdout)
    assert (facts["groups"], facts["revision"], facts["waiting"]) == (11, 7, 0)
    verified = dobae("index", "verify", "--kb", kb)
    assert "10 changes without a gap" in verified.stdout


def test_keepers_who_change_one_group_at_once_lose_nothing(kb: Path) -> None:
    command = [sys.executable, "-m", "ui.cli.main", "index", "update", "dobae-001", "--wait", "60", "--kb", str(kb)]
    wordings = [f"한꺼번에 더한 질문 {number}" for number in range(3)]
    keepers = [subprocess.Popen([*command, "--add-question", wording]) for wording in wordings]
    assert [keeper.wait(120) for keeper in keepers] == [0, 0, 0]
    store = open_store(kb)
    assert set(wordings) < set(store.groups_by_id(["dobae-001"])["dobae-001"].group.questions)
    store.close()


def test_an_author_commands_no_terminal(kb: Path) -> None:
    author = "가\u202e\x1b]0;제목\x07"
    assert (
        dobae("index", "update", "dobae-001", "--category", "마감하자2", "--author", author, "--kb", kb).returncode == 0
    )
    shown = dobae("index", "history", "--kb", kb).stdout
    assert "가]0;제목  update" in shown
    assert not {"\u202e", "\x1b", "\x07"} & set(shown)


def test_what_cannot_be_done_is_one_line(kb: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.xlsx"
    bomb.write_bytes(b"PK\x03\x04garbage")
    for arguments, words in (
        (("add",), "files"),
        (("add", "-q", QUESTION), "--answer"),
        (("add", "-q", QUESTION, "-a", "답", "--id", "dobae-001"), "already"),
        (("add", "-q", QUESTION, "-a", "답", "--id", ""), "an id must not be empty"),
        (("add", kb.with_name("small.csv")), "`dobae index import`"),
        (("add", bomb), "workbook"),
        (("add", bomb, "--category", "마감하자"), "columns"),
        (("update", "dobae-001", "--add-question", " "), "--add-question is empty"),
        (("update", "none", "-a", "답"), "none"),
        (("update", "dobae-001"), "--question"),
        (("remove", "none"), "none"),
        (("undo",), "nothing to undo"),
        (("export", tmp_path / "out.pdf"), ".xlsx"),
        (("history", "--limit", "0"), "greater than"),
        (("remove", "dobae-001", "--wait", "inf"), "less than"),
    ):
        result = dobae("index", *arguments, "--kb", kb)
        assert (result.returncode, result.stdout) == (2, ""), result
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        assert words in result.stderr


def test_a_mistyped_base_leaves_nothing_behind_and_is_told_of_alike(tmp_path: Path) -> None:
    kb = tmp_path / "typo" / "kb"
    for command in (("add", "-q", QUESTION, "-a", "조각을 덧댑니다."), ("history",), ("info",)):
        run = dobae("index", *command, "--kb", kb)
        assert run.returncode == 2
        assert "no knowledge base here" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_a_model_wrote_is_indexed_only_once_approved_or_when_asked_for(kb: Path, tmp_path: Path) -> None:
    grown = tmp_path / "grown.jsonl"
    row = {"id": "aug-1", "questions": [QUESTION], "answers": ["조각을 덧댑니다."], "provenance": {"approved": False}}
    known = {"id": "k", "questions": ["천장에 물이 새면?"], "answers": ["위층부터 봅니다."]}
    grown.write_text("".join(json.dumps(each) + "\n" for each in (row, known)), "utf-8")
    for command in ("add", "import"):
        result = dobae("index", command, grown, "--kb", kb, "--json")
        assert json.loads(result.stdout)["rejected"] == 1
        assert "line 1: nobody has approved this group yet" in result.stderr
        assert dobae("index", "remove", "k", "--kb", kb).returncode == 0
    other = tmp_path / "other"
    built = dobae("index", "build", tmp_path / "small.csv", grown, "--kb", other, "--json")
    assert json.loads(built.stdout)["rejected"] == 1
    assert "nobody has approved" in built.stderr
    assert "nobody has approved" in (tmp_path / "other.rejects.csv").read_text("utf-8")
    taken = dobae("index", "import", grown, "--unapproved", "--kb", kb, "--json")
    assert json.loads(taken.stdout)["added"] == 2
