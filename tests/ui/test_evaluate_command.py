"""`dobae evaluate` and `dobae submit`, as a user types them, with the fake encoder for retrieval."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from data.errors import DobaeError, InputError
from data.types import QAGroup
from data.writers import write_groups_jsonl
from index.building import build_knowledge_base
from index.editing import Editor
from index.encoders.base import HashEncoder
from ui.cli.main import app

CONFIG = """
[source]
file = "{file}"

[protocols]
paraphrase = 2

[[arms]]
name = "random"
generator = "extractive"
retrieval = "random"

[[arms]]
name = "extractive"
generator = "extractive"

[metrics]
encoder = "proxy"

[statistics]
bootstrap = 100
permutations = 100
"""


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("rag.evaluation.running", "index.knowledge_base"):
        monkeypatch.setattr(f"{place}.make_encoder", lambda settings: HashEncoder())


@pytest.fixture
def config(tmp_path: Path, groups: tuple[QAGroup, ...]) -> Path:
    write_groups_jsonl(tmp_path / "qa.jsonl", groups)
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(file=tmp_path / "qa.jsonl"), "utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_an_evaluation_leaves_three_reports_and_a_second_run_computes_nothing(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run("evaluate", config, "--out", out)
    assert first.exit_code == 0, first.output
    assert {"report.json", "report.md", "report.html"} <= {path.name for path in out.iterdir()}
    assert "cosine (proxy)" in first.stdout
    again = json.loads(run("evaluate", config, "--out", out, "--json").stdout)
    assert again["computed"] == 0
    assert again["metric"]["proxy"] is True


def test_a_report_of_other_settings_is_not_replaced_in_silence(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("evaluate", config, "--out", out)
    again = run("evaluate", config, "--out", out)
    config.write_text(config.read_text("utf-8").replace("paraphrase = 2", "paraphrase = 1"), "utf-8")
    other = run("evaluate", config, "--out", out)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "report.json").write_text("{", "utf-8")

    assert "other settings" not in again.stderr
    assert f"{out}: holds a report of other settings" in other.stderr
    assert run("evaluate", config, "--out", damaged).exit_code == 0


def test_the_gate_decides_the_exit_status(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("evaluate", config, "--out", out)
    report = json.loads((out / "report.json").read_text("utf-8"))
    for item in report["questions"]:
        item["scores"]["extractive"]["cosine"] -= 0.02
    worse = tmp_path / "worse.json"
    worse.write_text(json.dumps(report), "utf-8")
    rule = ("--fail-if", "extractive.cosine drops 0.01")
    assert run("evaluate", "compare", out, out, *rule).exit_code == 0
    broken = run("evaluate", "compare", out, worse, *rule)
    assert broken.exit_code == 1
    assert "BROKEN: extractive.cosine drops 0.01" in broken.stdout
    told = json.loads(run("evaluate", "compare", out, worse, *rule, "--json").stdout)
    assert told["rules"][0]["broken"] is True


def test_a_missing_shipped_adapter_is_one_clear_error(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.generators.adapters.SHIPPED", tmp_path / "adapters")
    text = config.read_text("utf-8") + '\n[[arms]]\nname = "tuned"\nadapter = "default"\n'
    config.write_text(text, "utf-8")
    result = run("evaluate", config, "--out", tmp_path / "out")
    assert isinstance(result.exception, InputError)
    assert "arm tuned: no adapter ships for smollm2" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_presets_and_judge_can_be_read_by_a_program() -> None:
    assert "default" in json.loads(run("evaluate", "presets", "--json").stdout)
    assert {line["on"] for line in json.loads(run("evaluate", "judge", "--json").stdout)} == {"tune", "report", "all"}


def test_a_submission_from_the_proxy_is_refused_and_then_named_so(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    build_knowledge_base(tmp_path / "kb", groups, HashEncoder())
    test = tmp_path / "test.csv"
    test.write_text("id,질문\nTEST_1,곰팡이는 뭘로 지우나요?\nTEST_0,벽지가 들뜨는 이유는?\n", "utf-8")
    command = ("submit", test, "--out", tmp_path / "s.csv", "--kb", tmp_path / "kb", "--metric-encoder", "proxy")
    refused = run(*command)
    assert isinstance(refused.exception, DobaeError)
    assert not (tmp_path / "s.csv").exists()
    done = run(*command, "--allow-proxy")
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "s.csv").exists()
    with (tmp_path / "s.proxy.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["id", "TEST_1", "TEST_0"]
    assert {len(row) for row in rows} == {513}
    answers = (tmp_path / "s.answers.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["question"] for line in answers] == ["곰팡이는 뭘로 지우나요?", "벽지가 들뜨는 이유는?"]


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--top-k", 1, "top_k 3, not 1"),
        ("--example", "shortest", "example 'medoid', not 'shortest'"),
        ("--max-new-tokens", 64, "max_new_tokens 1000, not 64"),
    ],
)
def test_answers_made_with_other_settings_are_not_continued(
    tmp_path: Path, groups: tuple[QAGroup, ...], option: str, value: object, told: str
) -> None:
    command = _half_submitted(tmp_path, groups)
    before = (tmp_path / "s.answers.jsonl").read_bytes()
    refused = run(*command, option, value)
    assert isinstance(refused.exception, InputError)
    assert f"s.answers.jsonl, line 1: was answered with {told}" in str(refused.exception)
    assert "--out" in str(refused.exception)
    assert (tmp_path / "s.answers.jsonl").read_bytes() == before
    done = run(*command)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "s.answers.jsonl").read_text("utf-8").count("\n") == 2


def test_answers_from_another_base_or_of_unknown_settings_are_not_continued(
    tmp_path: Path, groups: tuple[QAGroup, ...]
) -> None:
    command = _half_submitted(tmp_path, groups)
    Editor(tmp_path / "kb", HashEncoder()).remove([groups[2].id])
    assert "line 1: was answered with groups '" in str(run(*command).exception)
    answers = tmp_path / "s.answers.jsonl"
    answer = json.loads(answers.read_text("utf-8"))
    del answer["settings"]
    answers.write_text(json.dumps(answer, ensure_ascii=False) + "\n", "utf-8")
    assert "line 1: does not say with which settings" in str(run(*command).exception)


def test_a_file_of_answers_is_continued_from_its_own_base_edited_or_not(
    tmp_path: Path, groups: tuple[QAGroup, ...]
) -> None:
    questions, out = tmp_path / "q.txt", tmp_path / "a.jsonl"
    questions.write_text("곰팡이는 뭘로 지우나요?\n", "utf-8")
    for name in ("kb", "other"):
        build_knowledge_base(tmp_path / name, groups, HashEncoder())
    command = ("ask", "--questions", questions, "--out", out, "--generator", "extractive", "--kb")
    assert run(*command, tmp_path / "kb").exit_code == 0
    Editor(tmp_path / "kb", HashEncoder()).remove([groups[2].id])
    with questions.open("a", encoding="utf-8") as file:
        file.write("벽지가 들뜨는 이유는?\n")
    assert "line 1: was answered with base '" in str(run(*command, tmp_path / "other").exception)
    assert run(*command, tmp_path / "kb").exit_code == 0
    assert len(out.read_text("utf-8").splitlines()) == 2


def _half_submitted(folder: Path, groups: tuple[QAGroup, ...]) -> tuple[object, ...]:
    """Leaves a submission of which one of two questions is answered; returns its command."""
    build_knowledge_base(folder / "kb", groups, HashEncoder())
    test = folder / "test.csv"
    test.write_text("id,질문\nTEST_1,곰팡이는 뭘로 지우나요?\nTEST_0,벽지가 들뜨는 이유는?\n", "utf-8")
    options = ("--generator", "extractive", "--metric-encoder", "proxy", "--allow-proxy")
    command = ("submit", test, "--out", folder / "s.csv", "--kb", folder / "kb", *options)
    done = run(*command)
    assert done.exit_code == 0, done.output
    answers = folder / "s.answers.jsonl"
    answers.write_text(answers.read_text("utf-8").splitlines(keepends=True)[0], "utf-8")
    return command
