"""A whole evaluation on a small world: the same twice, nothing computed twice, nothing skipped in silence."""

import json
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest

from data.errors import AdapterMismatchError, DobaeError, InputError
from data.writers import write_groups_jsonl
from index.encoders.base import HashEncoder
from rag.evaluation import answering, running
from rag.evaluation.arms import prepare_arms
from rag.evaluation.config import PROTOCOLS, EvaluationConfig, parse_config
from rag.evaluation.metric_encoders import MetricEncoder
from rag.evaluation.protocols import draw_questions
from rag.evaluation.report import read_report, write_report
from rag.evaluation.running import JOURNAL, Evaluation, evaluate
from rag.evaluation.statistics import clusters_of
from rag.pipeline import ANSWERING_VERSION
from tests.tiny_model import save_tiny_llama

from .conftest import make_groups


def run(config: EvaluationConfig, out: Path) -> Evaluation:
    return evaluate(config, out, encoder=HashEncoder(), metric=MetricEncoder(HashEncoder(512), "hash", proxy=True))


def without_timings(out: Path) -> str:
    report = json.loads((out / "report.json").read_text("utf-8"))
    del report["timings"]
    return json.dumps(report, ensure_ascii=False)


def test_two_runs_write_the_same_bytes_but_for_timings(config: EvaluationConfig, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_report(run(config, tmp_path / name).report, tmp_path / name)
    assert without_timings(tmp_path / "one") == without_timings(tmp_path / "two")


@pytest.mark.integration
def test_a_model_too_answers_the_same_bytes_twice(
    world: dict[str, Any], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts = [text for group in make_groups() for text in (*group.questions, *group.answers)]
    model = save_tiny_llama(
        tmp_path_factory.mktemp("models") / "tiny", texts, vocabulary=700, spread=0.1, pad="<|endoftext|>"
    )
    local = {"generator": str(model), "max_new_tokens": 12}
    arms = [
        {"name": "alone", "retrieval": "none", "batch": 4, **local},
        {"name": "free", "wording": "free", "batch": 3, **local},
        {"name": "quoting", "wording": "quoted", **local},
    ]
    config = parse_config(world | {"arms": arms}, "test")
    for name in ("one", "two"):
        write_report(run(config, tmp_path / name).report, tmp_path / name)
    assert without_timings(tmp_path / "one") == without_timings(tmp_path / "two")
    batches = [json.loads(line)["answers"] for line in (tmp_path / "one" / JOURNAL).read_text("utf-8").splitlines()]
    assert len({record["text"] for batch in batches for record in batch}) > 9


def test_a_second_run_computes_nothing(config: EvaluationConfig, tmp_path: Path) -> None:
    first = run(config, tmp_path)
    again = run(config, tmp_path)
    assert first.computed > 0
    assert again.computed == 0
    del first.report["timings"], again.report["timings"]
    assert first.report == again.report


def test_a_run_cut_short_goes_on_where_it_stopped(
    config: EvaluationConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(config, tmp_path / "whole")
    lines = (tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    begun = tmp_path / "begun"
    begun.mkdir()
    # A kill while the ninth answer was being written.
    (begun / JOURNAL).write_bytes(b"".join(lines[:8]) + lines[8][:40])
    asked: list[str] = []
    ask = answering.QAPipeline.ask

    def counted(self: Any, question: str) -> Any:
        asked.append(question)
        return ask(self, question)

    monkeypatch.setattr(answering.QAPipeline, "ask", counted)
    resumed = run(config, begun)
    assert resumed.computed == len(asked) == len(lines) - 8
    del whole.report["timings"], resumed.report["timings"]
    assert whole.report == resumed.report


def test_changed_settings_of_one_arm_leave_the_others_answers_in_use(
    world: dict[str, Any], config: EvaluationConfig, tmp_path: Path
) -> None:
    run(config, tmp_path)
    world["arms"][1]["example"] = "shortest"
    again = run(parse_config(world, "test"), tmp_path)
    assert 0 < again.computed <= sum(config.limit(name) for name in again.report["protocols"])


def test_the_oracle_finds_everything_and_chance_little(config: EvaluationConfig, tmp_path: Path) -> None:
    means = run(config, tmp_path).report["means"]
    recall = {arm: means[arm]["paraphrase"]["metrics"]["recall_1"]["value"] for arm in means}
    assert recall["oracle"] == 1.0
    assert recall["random"] < 0.5
    # What is not in the base cannot be shown by an oracle either.
    assert "unseen" not in means["oracle"]


def test_every_number_of_five_groups_and_more_has_its_interval(config: EvaluationConfig, tmp_path: Path) -> None:
    report = run(config, tmp_path).report
    clusters = {
        protocol: len(
            set(clusters_of([item["targets"] for item in report["questions"] if item["protocol"] == protocol]))
        )
        for protocol in report["protocols"]
    }
    assert sorted(clusters.values()) == [2, 2, 3, 4, 4, 6]
    means = [(name, of["metrics"].values()) for arm in report["means"].values() for name, of in arm.items()]
    curves = [(name, of["at"]) for arm in report["coverage"].values() for name, of in arm.items()]
    refused = [
        (name, (of["refused_by_threshold"], of["refused_by_model"]))
        for arm in report["abstention"].values()
        for name, of in arm["protocols"].items()
    ]
    entries = [(name, entry) for name, of in (*means, *curves, *refused) for entry in of]
    entries += [(entry["protocol"], entry) for entry in report["differences"]]
    told = [entry for name, entry in entries if clusters[name] >= 5]
    assert told
    assert all(entry["low"] <= entry["value"] + 1e-6 and entry["value"] <= entry["high"] + 1e-6 for entry in told)
    assert all(entry["low"] is entry["high"] is None for name, entry in entries if clusters[name] < 5)
    tested = [entry for entry in report["differences"] if entry["p"] is not None]
    assert {entry["protocol"] for entry in tested} == {"paraphrase"}
    assert all(0 < entry["p"] <= entry["p_holm"] <= 1 for entry in tested)


def test_leaving_one_out_finds_neither_the_group_nor_its_neighbours(world: dict[str, Any], tmp_path: Path) -> None:
    world["source"]["unseen"] = "leave_one_out"
    world["arms"] = [{"name": "extractive", "generator": "extractive"}]
    groups = list(make_groups())
    twin = replace(groups[0], id="twin", questions=(groups[0].questions[0] + "요", groups[0].questions[1] + "요"))
    write_groups_jsonl(Path(world["source"]["file"]), [*groups, twin])
    config = parse_config(world | {"protocols": {"unseen": 20}}, "test")
    removed = {item.question: set(item.removed) for item in draw_questions(config).questions}
    run(config, tmp_path)
    records = [
        record
        for line in (tmp_path / JOURNAL).read_text("utf-8").splitlines()
        for record in json.loads(line)["answers"]
    ]
    assert len(records) == len(removed) > 10
    assert {"g00", "twin"} in removed.values()
    for record in records:
        [part] = record["parts"]
        assert len(part["ranking"]) == 10
        assert not set(part["ranking"]) & removed[part["text"]]


def test_a_missing_adapter_is_an_error_that_names_the_arm(world: dict[str, Any], tmp_path: Path) -> None:
    world["arms"].append({"name": "tuned", "generator": "smollm2", "adapter": str(tmp_path / "nowhere")})
    with pytest.raises(InputError, match="arm tuned: no adapter in"):
        prepare_arms(parse_config(world, "test").arms)


def test_an_adapter_of_another_model_is_an_error_that_names_the_arm(world: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}", "utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"")
    (folder / "dobae_adapter.json").write_text('{"base_model": "someone/else"}', "utf-8")
    world["arms"].append({"name": "tuned", "generator": "smollm2", "adapter": str(folder)})
    with pytest.raises(AdapterMismatchError, match=r"arm tuned: .*someone/else"):
        prepare_arms(parse_config(world, "test").arms)


def test_a_damaged_journal_is_refused_and_kept(config: EvaluationConfig, tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text("no journal\n", "utf-8")
    with pytest.raises(InputError, match="line 1: is not a line of a journal"):
        run(config, tmp_path)
    assert (tmp_path / JOURNAL).read_text("utf-8") == "no journal\n"


def test_the_page_escapes_what_others_wrote_and_names_the_proxy(
    world: dict[str, Any], config: EvaluationConfig, tmp_path: Path
) -> None:
    path = Path(world["source"]["file"])
    path.write_text(path.read_text("utf-8").replace("바탕", "<script>alert(1)</script> 바탕"), "utf-8")
    write_report(run(config, tmp_path).report, tmp_path)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "대용 인코더(hash)" in page
    assert "proxy" in (tmp_path / "report.md").read_text("utf-8")


def test_what_a_person_should_know_stands_in_all_three_reports(config: EvaluationConfig, tmp_path: Path) -> None:
    found = run(config, tmp_path)
    write_report(found.report, tmp_path)
    assert found.notes
    assert read_report(tmp_path)["notes"] == list(found.notes)
    for name in ("report.md", "report.html"):
        text = (tmp_path / name).read_text("utf-8")
        assert all(escape(note, quote=True) in text or note in text for note in found.notes)


def test_a_report_says_what_answered_and_where(config: EvaluationConfig, tmp_path: Path) -> None:
    report = run(config, tmp_path).report
    assert report["answering_version"] == ANSWERING_VERSION
    assert all(arm["device"] == arm["model"] == "" for arm in report["arms"].values())


def test_the_notes_say_how_many_groups_asked_a_model_was_trained_on(
    config: EvaluationConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {
        name for item in draw_questions(config).questions if item.protocol == "paraphrase" for name in item.targets
    }
    seen = frozenset([*sorted(asked)[:2], "of another file"])
    monkeypatch.setattr(
        running,
        "prepare_arms",
        lambda arms: [
            replace(arm, trained=seen if arm.settings.name == "extractive" else frozenset())
            for arm in prepare_arms(arms)
        ],
    )
    paraphrases = replace(
        config, protocols=replace(config.protocols, **dict.fromkeys(PROTOCOLS, 0) | {"paraphrase": 6})
    )
    notes = run(paraphrases, tmp_path).report["notes"]
    assert f"arm extractive was trained on 2 of the {len(asked)} groups asked in the base" in notes
    assert len([note for note in notes if "trained on" in note]) == 1


@pytest.mark.parametrize(
    ("damage", "lacking"),
    [
        (lambda report: report.pop("metric_encoder"), "metric_encoder"),
        (lambda report: report["metric_encoder"].clear(), "metric_encoder.fingerprint"),
        (lambda report: report.update(questions={}), "questions"),
        (lambda report: report["questions"].insert(1, 3), "question 2"),
        (lambda report: report["questions"][2].pop("scores"), "scores of question 3"),
        (lambda report: report.pop("protocols"), "protocols"),
        (lambda report: report["arms"].update(oracle=None), r"arms\.oracle"),
        (lambda report: report["questions"][0]["scores"].update(random=[1]), "a score of random for question 1"),
        (lambda report: report["questions"][0]["scores"]["random"].update(cosine=None), "a score of random"),
        (lambda report: report["questions"][0]["scores"]["random"].update(cosine=float("nan")), "a score of random"),
    ],
)
def test_a_damaged_report_is_one_line(
    config: EvaluationConfig, tmp_path: Path, damage: Callable[[dict[str, Any]], None], lacking: str
) -> None:
    report = run(config, tmp_path).report
    write_report(report, tmp_path)
    assert read_report(tmp_path)["schema"] == report["schema"]
    damage(report)
    (tmp_path / "report.json").write_text(json.dumps(report), "utf-8")
    with pytest.raises(InputError, match=rf"report\.json: is damaged, it lacks {lacking}.*; run the evaluation again"):
        read_report(tmp_path)


def test_a_question_that_stands_twice_in_a_report_is_refused(config: EvaluationConfig, tmp_path: Path) -> None:
    report = run(config, tmp_path).report
    report["questions"].append(report["questions"][0])
    write_report(report, tmp_path)
    with pytest.raises(InputError, match=r"report\.json: is damaged, a question stands there twice"):
        read_report(tmp_path)


@pytest.mark.parametrize("idle", ["random", "oracle", "extractive"])
def test_an_arm_that_is_asked_nothing_is_told_before_anything_is_answered(
    world: dict[str, Any], tmp_path: Path, idle: str
) -> None:
    for arm in world["arms"]:
        if arm["name"] == idle:
            arm["protocols"] = ["unseen"]
    config = parse_config(world | {"protocols": {"paraphrase": 5}}, "test")
    if idle == "extractive":  # neither the first nor the last
        assert f"arm {idle} takes part in no protocol that is asked" in run(config, tmp_path).notes
        return
    with pytest.raises(InputError, match=rf"arm {idle} takes part in no protocol that is asked \(paraphrase\)"):
        run(config, tmp_path)
    assert not (tmp_path / JOURNAL).exists()


def test_a_metric_encoder_that_cannot_be_had_is_told_before_anything_is_answered(
    world: dict[str, Any], tmp_path: Path
) -> None:
    world["metrics"] = {"encoder": str(tmp_path / "nowhere")}
    with pytest.raises(DobaeError, match="nowhere"):
        evaluate(parse_config(world, "test"), tmp_path / "out", encoder=HashEncoder())
    assert not (tmp_path / "out").exists()


def test_a_report_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"schema": "dobae.evaluation/0"}', "utf-8")
    with pytest.raises(InputError, match=r"has schema 'dobae\.evaluation/0'"):
        read_report(tmp_path)
