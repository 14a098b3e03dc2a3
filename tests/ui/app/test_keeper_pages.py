"""데이터, 평가 and 학습, as the keeper uses them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from data.types import QAGroup
from index.encoders.base import HashEncoder
from rag.evaluation.running import SCHEMA
from tests.ui.app.conftest import turn_to
from ui.app import data_page, runs, session, worker


def _said(page: AppTest) -> str:
    return " ".join(element.value for element in (*page.success, *page.info, *page.warning, *page.error))


@pytest.mark.parametrize("name", ["data", "evaluation", "training"])
def test_without_the_keeper_the_page_stays_closed(page: AppTest, name: str) -> None:
    page.run()
    turn_to(page, name)
    assert page.code[0].value == "dobae ui passphrase"
    assert not page.selectbox
    assert len(page.title) == 1


def test_a_plan_that_does_not_fit_comes_with_a_proposal(entered: AppTest) -> None:
    turn_to(entered, "training")
    entered.selectbox(key="preset").set_value("t4-qwen3-8b").run()
    assert "한도 15 GiB 안에 들어갑니다" in _said(entered)
    entered.number_input(key="budget").set_value(6.0).run()
    assert not entered.exception
    assert "한도를 넘습니다" in _said(entered) or "더 작은 모델" in _said(entered)


def test_the_bars_add_up_to_the_plan(entered: AppTest) -> None:
    turn_to(entered, "training")
    (chart,) = entered.get("vega_lite_chart") or entered.get("arrow_vega_lite_chart")
    assert json.loads(chart.proto.spec)["layer"][1]["encoding"]["x"]["datum"] == 15.0
    (table,) = entered.dataframe
    total = sum(table.value["GiB"])
    assert f"{total:.1f}" in _said(entered)


class _AuditHere(runs.AuditRun):
    """An audit in this process, with an encoder that another process could not make."""

    done, failed, stopped = True, False, False

    def __init__(self, groups: bytes, encoder: str) -> None:
        self.folder = runs.new_folder("audit")
        (self.folder / "base.jsonl").write_bytes(groups)
        worker.audit(self.folder / "base.jsonl", HashEncoder(), self.folder, self.folder)


def test_an_audit_shows_what_the_base_holds(
    entered: AppTest, groups: tuple[QAGroup, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(data_page, "AuditRun", _AuditHere)
    monkeypatch.setenv("DOBAE_RUNS", str(tmp_path))
    keeping = session.engine().keeping
    keeping.change(groups[2], replace(groups[2], questions=(groups[0].questions[0],)), "이장판")
    turn_to(entered, "data")
    entered.button(key="audit_start").click().run()
    assert not entered.exception
    assert [metric.value for metric in entered.metric][:3] == ["3", "5", "6"]
    (table,) = entered.dataframe
    assert "다른 사례와 겹침" in set(table.value["이유"])
    turn_to(entered, "ask")
    turn_to(entered, "data")
    assert entered.dataframe, "what was found is found again"


class _Broken(runs.AuditRun):
    """An audit that a mistake of the program ended."""

    done, failed, stopped, error = True, True, False, ""

    def __init__(self, groups: bytes, encoder: str) -> None:
        self.folder = runs.new_folder("audit")
        self.log = self.folder / "page.log"


def test_a_run_that_broke_says_where_its_words_lie(
    entered: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(data_page, "AuditRun", _Broken)
    monkeypatch.setenv("DOBAE_RUNS", str(tmp_path / "runs"))
    turn_to(entered, "data")
    entered.button(key="audit_start").click().run()
    assert len(entered.error) == 1
    (folder,) = (tmp_path / "runs").iterdir()
    said = [caption.value.replace("\\", "") for caption in entered.main.caption]
    assert any(str(folder / "page.log") in text for text in said)


def test_a_run_outlives_the_visit_that_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_LATEST", {})
    assert runs.latest(runs.Command) is None
    command = runs.Command("ui.cli.main", ["train", "no-such-preset"], tmp_path)
    runs.keep(command)
    assert runs.latest(runs.Command) is command
    assert runs.latest(runs.TrainingRun) is None
    assert command.wait(120)


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setenv("DOBAE_RUNS", str(tmp_path / "runs"))

    def write(name: str, cosine: float, questions: int = 5) -> None:
        value = {"value": cosine, "low": cosine - 0.1, "high": cosine + 0.1}
        report = {
            "schema": SCHEMA,
            "metric_encoder": {"name": "x", "proxy": True, "fingerprint": "x"},
            "prompt": {},
            "files": {},
            "arms": {"extractive": {}},
            "protocols": {"paraphrase": {"asked": 2}},
            "means": {"extractive": {"paraphrase": {"questions": 2, "metrics": {"cosine": value}}}},
            "coverage": {"extractive": {"paraphrase": {"points": [[0.5, cosine], [1.0, cosine - 0.1]]}}},
            "questions": [
                {
                    "id": str(number),
                    "protocol": "paraphrase",
                    "targets": [str(number)],
                    "scores": {"extractive": {"cosine": cosine}},
                }
                for number in range(questions)
            ],
        }
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json.dumps(report), "utf-8")

    return write


def test_reports_are_plotted_and_two_of_them_compared(
    entered: AppTest, reports: Callable[..., None], tmp_path: Path
) -> None:
    reports("before", 0.5)
    reports("after", 0.75)
    turn_to(entered, "evaluation")
    assert len(entered.get("vega_lite_chart") or entered.get("arrow_vega_lite_chart")) == 3
    entered.selectbox(key="run").set_value(tmp_path / "runs" / "after").run()
    entered.selectbox(key="run_against").set_value(tmp_path / "runs" / "before").run()
    assert not entered.exception
    (table,) = entered.dataframe
    assert list(table.value["바뀐 정도"]) == [0.25]
    assert list(table.value["95% 구간"]) == ["+0.250 ~ +0.250"]
    assert any("‘before’\\(전\\)에서 ‘after’\\(후\\)" in caption.value for caption in entered.caption)
    # Five groups that all move alike: two of the 32 signs reach as far.
    assert list(table.value["p (Holm)"]) == pytest.approx([2 * 2 / 32], abs=0.02)


def test_a_comparison_of_few_groups_says_why_it_has_no_interval(
    entered: AppTest, reports: Callable[..., None], tmp_path: Path
) -> None:
    reports("before", 0.5, questions=4)
    reports("after", 0.75, questions=4)
    turn_to(entered, "evaluation")
    entered.selectbox(key="run").set_value(tmp_path / "runs" / "after").run()
    entered.selectbox(key="run_against").set_value(tmp_path / "runs" / "before").run()
    assert not entered.exception
    (table,) = entered.dataframe
    assert table.value["p (Holm)"].isna().all()
    assert any("5개보다 적으면" in caption.value for caption in entered.caption)


def test_a_report_of_another_version_is_explained(entered: AppTest, tmp_path: Path, reports: object) -> None:
    (tmp_path / "runs" / "old").mkdir(parents=True)
    (tmp_path / "runs" / "old" / "report.json").write_text('{"schema": "older"}')
    turn_to(entered, "evaluation")
    assert "처리하지 못했습니다" in _said(entered)


def test_losses_are_read_as_the_run_says_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOBAE_RUNS", str(tmp_path))
    said = "step 1/2: loss 0.9671, learning rate 0\nsomething else\nstep 2/2: held-out loss 0.25\n"

    def begun(self: runs.Command, module: str, arguments: list[str], folder: Path) -> None:
        self.folder, self.log = folder, folder / "page.log"
        self.log.write_text(said)

    monkeypatch.setattr(runs.Command, "__init__", begun)
    assert runs.TrainingRun("tiny", 8).losses() == [{"step": 1, "loss": 0.9671}, {"step": 2, "eval_loss": 0.25}]


def test_only_adapters_of_the_model_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOBAE_RUNS", str(tmp_path))
    for name, base in (("mine", "smollm2"), ("other", "Qwen/Qwen3-8B"), ("half", "smollm2")):
        folder = tmp_path / name / "adapter"
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text("{}")
        (folder / "dobae_adapter.json").write_text(json.dumps({"base_model": base}))
        if name != "half":
            (folder / "adapter_model.safetensors").write_bytes(b"")
    assert runs.adapters("smollm2") == [tmp_path / "mine" / "adapter"]


def test_a_command_beside_the_page_says_how_it_ended(tmp_path: Path) -> None:
    command = runs.Command("ui.cli.main", ["train", "no-such-preset"], tmp_path)
    assert command.wait(120)
    assert command.failed
    assert "no-such-preset" in command.error


def test_the_share_of_an_evaluation_never_goes_back(capsys: pytest.CaptureFixture[str]) -> None:
    share = worker.Share()
    for stage in ("building bases", "building bases", *list(worker.STAGES)[1:]):  # One base after the other.
        for done in range(5):
            share.of_stage(stage, done, 4)
    told = [int(line) for line in capsys.readouterr().out.split()]
    assert told == sorted(set(told))
    assert (told[0], told[-1]) == (0, 100)
    assert len(told) > 10


@pytest.mark.integration
def test_an_evaluation_beside_the_page_tells_its_share_and_leaves_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOBAE_RUNS", str(tmp_path))
    run = runs.EvaluationRun("smoke")
    assert run.wait(300)
    assert not run.failed, run.last_line()
    told = [int(line) for line in (run.folder / "page.log").read_text("utf-8").split("\n") if line.isdecimal()]
    assert told == sorted(told)
    assert {0, 100} < set(told)
    assert run.share == 1
    assert json.loads((run.folder / "report.json").read_text("utf-8"))["name"] == "smoke"
