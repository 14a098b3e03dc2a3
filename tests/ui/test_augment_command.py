"""`dobae data join` and `dobae data augment`, as a user runs them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from data.errors import InputError
from data.readers import read_groups
from index.encoders.base import HashEncoder
from tests.training.augment.scripted_server import ScriptedServer, running
from ui.cli.augment_command import augment
from ui.cli.join_command import join

app = typer.Typer()
app.command("augment")(augment)
app.command("join")(join)

BASE = "id,질문_1,질문_2,답변_1\n" + "".join(
    f"b{n},벽지 {word} 왜 그래,벽지의 {word} 원인은 무엇인가요?,{word}은 풀이 덜 말라 생깁니다.\n"
    for n, word in enumerate(("들뜸", "주름", "얼룩", "벌어짐", "기포", "변색"))
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.csv"
    path.write_text(BASE, "utf-8")
    return path


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with running() as started:
        yield started


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["BASE"], "--model"),
        (["BASE", "--model", "openai:m"], "--out FILE or --review"),
        (["--model", "openai:m", "--out", "o"], "a FILE to grow"),
        (["--model", "openai:m", "--out", "o", "--from-docs", "d", "--from-urls", "u"], "separate runs"),
        (["BASE", "--model", "openai:m", "--out", "o", "--max-cost", "1"], "--price-in"),
        (["--approve", "r.csv"], "--out FILE is needed"),
        (["--approve", "r.csv", "--registers", "f", "--out", "o"], "separate steps"),
        (["--approve", "none.csv", "--out", "o"], "no such file"),
        (["none.csv", "--model", "openai:m", "--out", "o"], "no such file"),
        (["BASE", "--model", "gpt", "--out", "o"], "PROVIDER:MODEL"),
        (["BASE", "--model", "openai:m", "--base-url", "not a url", "--out", "o"], "no address of a server"),
        (["BASE", "--model", "openai:m", "--out", "BASE"], "is an input file; name another file with --out"),
        (["BASE", "--model", "openai:m", "--review", "BASE"], "with --review"),
        (["BASE", "--model", "openai:m", "--out", "o", "--journal", "BASE"], "with --journal"),
        (["--registers", "BASE", "--out", "BASE"], "is an input file"),
        (["--approve", "BASE", "--out", "BASE"], "is an input file"),
        (["BASE", "--model", "openai:m", "--out", "x", "--review", "x"], "need a file each"),
        (["--approve", "r.csv", "--out", "OTHER"], "exists already; name a new file with --out"),
        (["--registers", "BASE", "--out", "OTHER"], "exists already; name a new file with --out"),
        (["BASE", "--model", "openai:m", "--out", "OTHER"], "exists already; name a new file with --out"),
        (["BASE", "--model", "openai:m", "--review", "OTHER"], "is no review queue"),
        (["--from-urls", "u", "--model", "openai:m", "--out", "o", "--cache", "OTHER"], "directory with --cache"),
        (["BASE", "--model", "openai:m", "--out", "OTHER/o"], "folder cannot be written"),
    ],
)
def test_wrong_use_is_one_line(
    base: Path, tmp_path: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other.csv"
    other.write_text("이름,전화\n아무개,02\n", "utf-8")
    result = run("augment", *[arg.replace("OTHER", str(other)).replace("BASE", str(base)) for arg in arguments])
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert result.exception.exit_code == 2
    assert base.read_text("utf-8") == BASE
    assert other.read_text("utf-8") == "이름,전화\n아무개,02\n"
    assert {path.name for path in tmp_path.iterdir()} == {"base.csv", "other.csv"}


@pytest.mark.integration
def test_a_run_that_keeps_nothing_writes_nothing(base: Path, tmp_path: Path, server: ScriptedServer) -> None:
    out, review = tmp_path / "o.jsonl", tmp_path / "r.csv"
    command = [
        *("augment", base, "--model", "openai:scripted", "--base-url", server.url, "--count", 2, "--attempts", 1),
        *("--out", out, "--review", review),
    ]
    server.troubles = {1: "401"}
    assert "refused the API key" in str(run(*command).exception)
    server.script = lambda _message, _times: "무엇을 도와드릴까요?"
    assert "no group was kept" in str(run(*command).exception)
    assert not out.exists()
    assert not review.exists()


@pytest.mark.integration
def test_a_failed_run_leaves_what_an_earlier_one_wrote(base: Path, tmp_path: Path, server: ScriptedServer) -> None:
    out = tmp_path / "o.jsonl"
    command = [
        *("augment", base, "--model", "openai:scripted", "--base-url", server.url, "--attempts", 1, "--out", out),
    ]
    assert run(*command, "--count", 2).exit_code == 0
    written = out.read_bytes()
    assert run(*command, "--count", 3).exit_code == 0
    more = out.read_bytes()
    assert more.startswith(written)
    assert len(more.splitlines()) == 3
    server.every, server.troubles = 1, {1: "401"}
    assert "refused the API key" in str(run(*command, "--count", 9).exception)
    assert out.read_bytes().startswith(more)
    out.write_bytes(more.replace("재료가".encode(), "손으로 고친 재료가".encode()))
    edited = out.read_bytes()
    assert edited != more
    assert "exists already" in str(run(*command, "--count", 3).exception)
    assert out.read_bytes() == edited


@pytest.mark.integration
def test_a_second_run_encodes_nothing_again(
    base: Path, tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = HashEncoder()
    monkeypatch.setattr("index.encoders.base.make_encoder", lambda _settings: encoder)
    command = ["augment", base, "--model", "openai:scripted", "--base-url", server.url, "--count", 1]
    result = run(*command, "--out", tmp_path / "o.jsonl")
    assert result.exit_code == 0, result.exception
    assert encoder.texts_encoded
    encoder.texts_encoded.clear()
    assert run(*command, "--out", tmp_path / "o.jsonl").exit_code == 0
    assert encoder.texts_encoded == []


@pytest.mark.integration
def test_a_queue_without_a_mark_gives_no_file(base: Path, tmp_path: Path, server: ScriptedServer) -> None:
    review = tmp_path / "r.csv"
    command = ["augment", base, "--model", "openai:scripted", "--base-url", server.url, "--count", 2]
    assert run(*command, "--review", review).exit_code == 0
    result = run("augment", "--approve", review, "--out", tmp_path / "approved.jsonl")
    assert isinstance(result.exception, InputError)
    assert "no row is accepted (0 refused, 2 not marked)" in str(result.exception)
    assert not (tmp_path / "approved.jsonl").exists()


@pytest.mark.integration
def test_from_a_model_over_a_persons_marks_to_groups(base: Path, tmp_path: Path, server: ScriptedServer) -> None:
    held_out = tmp_path / "held.jsonl"
    held_out.write_text('{"question": "방화문, 블라인드 사이에 틈이 왜 생기나요?"}\n', "utf-8")
    out, review = tmp_path / "o.jsonl", tmp_path / "r.csv"
    command = [
        *("augment", base, "--model", "openai:scripted", "--base-url", server.url, "--count", 4, "--first-wait", 0.01),
        *("--out", out, "--review", review, "--held-out", held_out, "--max-tokens", 100_000, "--json"),
    ]
    server.troubles = {2: "429", 4: "disconnect", 6: "bad_json"}
    result = run(*command)
    assert result.exit_code == 0, result.exception
    facts = json.loads(result.stdout)
    assert facts["groups"] == 4
    assert facts["rejected"]["leakage"] == 1
    assert 0 < facts["tokens"]["in"] < 100_000
    assert facts["stopped"] == ""
    grown = read_groups(out).groups
    assert len(grown) == 4
    asked = len(server.requests)
    assert json.loads(run(*command).stdout)["groups"] == 4
    assert len(server.requests) == asked

    queue = review.read_text("utf-8-sig").splitlines()
    review.write_text("\n".join([queue[0], f"y{queue[1]}", f"n{queue[2]}", *queue[3:]]) + "\n", "utf-8")
    approved = tmp_path / "approved.jsonl"
    result = run("augment", "--approve", review, "--out", approved, "--json")
    assert json.loads(result.stdout) == {"groups": 1, "refused": 1, "open": 2, "edited": 0}
    row = json.loads(approved.read_text("utf-8"))
    assert row["id"] == grown[0].id
    assert row["provenance"]["approved"] is True
    assert row["provenance"]["model"] == "openai:scripted"


@pytest.mark.integration
def test_a_spent_budget_is_said_and_exits_cleanly(base: Path, tmp_path: Path, server: ScriptedServer) -> None:
    result = run(
        *("augment", base, "--model", "openai:scripted", "--base-url", server.url, "--out", tmp_path / "o.jsonl"),
        *("--max-tokens", 2_500, "--max-reply-tokens", 300),
    )
    assert result.exit_code == 0, result.exception
    assert "raise --max-tokens" in result.stderr
    assert (tmp_path / "o.jsonl").exists()


@pytest.mark.integration
def test_registers_need_no_model(base: Path, tmp_path: Path) -> None:
    source = tmp_path / "one.csv"
    source.write_text("질문,답변\n벽지가 왜 들뜨나요?,풀이 덜 말라 들뜹니다.\n", "utf-8")
    result = run("augment", "--registers", source, "--out", tmp_path / "o.jsonl")
    assert result.exit_code == 0, result.exception
    assert "1 wordings added" in result.stdout
    assert read_groups(tmp_path / "o.jsonl").groups[0].questions == ("벽지가 왜 들뜨나요?", "벽지가 왜 들떠?")


@pytest.mark.parametrize("options", [("--out", "base.csv"), ("--out", "o", "--held-out-out", "base.csv")])
def test_joins_never_take_the_place_of_what_they_are_made_from(
    base: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.chdir(base.parent)
    result = run("join", base, *options)
    assert isinstance(result.exception, InputError)
    assert "is an input file" in str(result.exception)
    assert base.read_text("utf-8") == BASE


def test_joins_are_written_apart_from_held_out_ones(base: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("b0\nb1\nb2\n", "utf-8")
    out = tmp_path / "joined.jsonl"
    arguments = ("join", base, "--out", out, "--count", 8, "--seed", 3, "--held-out", ids, "--json")
    result = run(*arguments)
    assert result.exit_code == 0, result.exception
    facts = json.loads(result.stdout)
    assert (facts["joined"], facts["held_out"]) == (4, 4)
    kept_back = {"b0", "b1", "b2"}
    for path, held in ((out, True), (tmp_path / "joined.held_out.jsonl", False)):
        for line in path.read_text("utf-8").splitlines():
            assert kept_back.isdisjoint(json.loads(line)["group_ids"]) == held
    again = tmp_path / "again.jsonl"
    run(*arguments[:3], again, *arguments[4:])
    assert again.read_bytes() == out.read_bytes()
    out.write_text("mine", "utf-8")
    assert "exists already" in str(run(*arguments).exception)
    assert out.read_text("utf-8") == "mine"


def test_a_bad_link_file_is_one_line(base: Path, tmp_path: Path) -> None:
    links = tmp_path / "links.csv"
    links.write_text("b0,b1\nb2\n", "utf-8")
    result = run("join", base, "--out", tmp_path / "o.jsonl", "--links", links)
    assert isinstance(result.exception, InputError)
    assert "line 2" in str(result.exception)
