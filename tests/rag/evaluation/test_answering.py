"""What is asked and what is kept: batches by the whole plan, seeds that count, refusals by who refused."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.prompts import REFUSAL
from index.encoders.base import HashEncoder
from index.knowledge_base import KnowledgeBase, open_knowledge_base
from rag.evaluation import arms, bases
from rag.evaluation.config import EvaluationConfig, parse_config
from rag.evaluation.metric_encoders import MetricEncoder
from rag.evaluation.running import JOURNAL, Evaluation, evaluate
from rag.generators.base import GenerationRequest, Generator, ScriptedGenerator

MakeGenerator = Callable[[Generator], None]


class Batcher:
    """Says which questions it was given together, as a model whose rounding depends on them might."""

    name = "batcher"

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.shown: list[tuple[str, list[str]]] = []

    def generate_batch(self, requests: Sequence[GenerationRequest]) -> list[str]:
        texts = [request.question for request in requests]
        self.batches.append(texts)
        self.shown += [(request.question, [example.answer for example in request.examples]) for request in requests]
        return [f"{text}: {len(texts)}개 가운데 하나입니다. {' '.join(texts)}" for text in texts]

    def stream(self, request: GenerationRequest) -> Any:
        raise AssertionError("a batch is not answered one by one")


def run(config: EvaluationConfig, out: Path) -> Evaluation:
    return evaluate(config, out, encoder=HashEncoder(), metric=MetricEncoder(HashEncoder(512), "hash", proxy=True))


def records(out: Path) -> list[dict[str, Any]]:
    lines = (out / JOURNAL).read_text("utf-8").splitlines()
    return [record for line in lines for record in json.loads(line)["answers"]]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> MakeGenerator:
    """Puts a generator in place of the local model."""
    make = arms.make_generator

    def used(generator: Generator) -> None:
        monkeypatch.setattr(
            arms, "make_generator", lambda spec, **rest: generator if spec == "smollm2" else make(spec, **rest)
        )

    return used


@pytest.fixture
def batched(world: dict[str, Any]) -> Callable[[int], EvaluationConfig]:
    """Settings of one arm that answers three questions at once, for so many paraphrase questions."""

    def settings(count: int) -> EvaluationConfig:
        arm = {"name": "closed", "retrieval": "none", "batch": 3, "split": False}
        return parse_config(world | {"arms": [arm], "protocols": {"paraphrase": count, "out_of_domain": 2}}, "test")

    return settings


def test_a_batch_lost_in_a_kill_is_generated_again_with_the_same_members(
    batched: Callable[[int], EvaluationConfig], use: MakeGenerator, tmp_path: Path
) -> None:
    first, second = Batcher(), Batcher()
    use(first)
    whole = run(batched(6), tmp_path)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    assert [len(batch) for batch in first.batches] == [3, 3, 2]
    (tmp_path / JOURNAL).write_bytes(lines[0] + lines[2])
    use(second)
    resumed = run(batched(6), tmp_path)
    assert second.batches == [first.batches[1]]
    assert resumed.computed == 3
    del whole.report["timings"], resumed.report["timings"]
    assert whole.report == resumed.report


def test_answers_of_a_smaller_run_are_not_taken_into_batches_of_other_members(
    batched: Callable[[int], EvaluationConfig], use: MakeGenerator, tmp_path: Path
) -> None:
    use(Batcher())
    run(batched(4), tmp_path / "grown")
    grown, fresh = run(batched(8), tmp_path / "grown"), run(batched(8), tmp_path / "fresh")
    assert grown.report["questions"][0]["answers"] == fresh.report["questions"][0]["answers"]
    del grown.report["timings"], fresh.report["timings"]
    assert grown.report == fresh.report


def test_a_batch_is_given_the_examples_that_were_found_for_each_question(
    world: dict[str, Any], use: MakeGenerator, tmp_path: Path
) -> None:
    asked = world | {"protocols": {"paraphrase": 4, "compound": 2, "unseen": 2}}
    alone = {"name": "grounded", "order": "shuffled", "wording": "free"}
    use(ScriptedGenerator("바탕이 젖어 있으면 들뜹니다. [1]"))
    run(parse_config(asked | {"arms": [alone]}, "test"), tmp_path / "alone")
    batcher = Batcher()
    use(batcher)
    run(parse_config(asked | {"arms": [alone | {"batch": 3}]}, "test"), tmp_path / "together")
    one_by_one, together = records(tmp_path / "alone"), records(tmp_path / "together")
    assert [len(batch) for batch in batcher.batches] == [3, 3, 3, 3, 6, 2]
    for first, second in zip(one_by_one, together, strict=True):
        for part, batched_part in zip(first["parts"], second["parts"], strict=True):
            assert batched_part["examples"] == part["examples"]
            assert batched_part["ranking"] == part["ranking"]
            assert batched_part["raw"].startswith(f"{part['text']}: ")
            assert (part["text"], part["examples"]) in batcher.shown


def test_confidence_does_not_depend_on_the_order_of_the_examples(
    world: dict[str, Any], use: MakeGenerator, tmp_path: Path
) -> None:
    use(ScriptedGenerator("바탕이 젖어 있으면 들뜹니다. [1]"))
    arms = [{"name": order, "order": order, "wording": "free"} for order in ("retriever", "reversed")]
    run(parse_config(world | {"arms": arms, "protocols": {"paraphrase": 6, "compound": 2}}, "test"), tmp_path)
    kept = records(tmp_path)
    half = len(kept) // 2
    for first, second in zip(kept[:half], kept[half:], strict=True):
        assert [part["examples"][::-1] for part in first["parts"]] == [part["examples"] for part in second["parts"]]
        assert first["confidence"] == second["confidence"]


def test_another_seed_draws_other_examples_and_leaves_what_is_not_drawn(
    world: dict[str, Any], change: Callable[..., EvaluationConfig], tmp_path: Path
) -> None:
    both, random = world["arms"][:2], world["arms"][:1]
    world["arms"] = random
    drawn = run(change("statistics", seed=0), tmp_path).computed
    world["arms"] = both
    run(change("statistics", seed=0), tmp_path)
    before = len(records(tmp_path))
    assert before > drawn > 0
    assert run(change("statistics", seed=1), tmp_path).computed == drawn
    kept = records(tmp_path)
    examples = [[part["example_ids"] for part in record["parts"]] for record in kept]
    assert all(first != second for first, second in zip(examples[:drawn], examples[before:], strict=True))


@pytest.fixture
def refusing(world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> EvaluationConfig:
    """Settings of one arm that refuses, over bases with a threshold that some of the hashed questions reach."""

    def opened(path: Path, encoder: HashEncoder) -> KnowledgeBase:
        base = open_knowledge_base(path, encoder)
        base.manifest = replace(base.manifest, calibration=replace(base.manifest.calibration, refuse_below=0.44))
        return base

    monkeypatch.setattr(bases, "open_knowledge_base", opened)
    return parse_config(world | {"arms": [{"name": "careful", "refuse": True}]}, "test")


def test_refusals_are_counted_by_who_refused(refusing: EvaluationConfig, use: MakeGenerator, tmp_path: Path) -> None:
    use(ScriptedGenerator(REFUSAL, "", "바탕이 젖어 있으면 들뜹니다. [1]"))
    report = run(refusing, tmp_path).report
    kept = records(tmp_path)
    counted = [record["refused_by"] for record in kept]
    assert counted.count("model") == counted.count("empty") == 1
    assert counted.count("threshold") > 1
    assert counted.count("") > 1
    told = report["abstention"]["careful"]["protocols"]
    for name in ("model", "empty"):
        key = {"model": "refused_by_model"}.get(name, name)
        assert sum(entry[key]["value"] * entry["questions"] for entry in told.values()) == pytest.approx(1, abs=1e-4)
    assert told["out_of_domain"]["refused_by_model"]["value"] == 0
    assert told["out_of_domain"]["refused_by_threshold"]["value"] == 1


def test_what_a_model_said_stands_with_its_part_where_another_part_was_refused(
    refusing: EvaluationConfig, use: MakeGenerator, tmp_path: Path
) -> None:
    use(ScriptedGenerator("바탕이 젖어 있으면 들뜹니다. [1][9]"))
    report = run(refusing, tmp_path).report
    parts = [part for record in records(tmp_path) for part in record["parts"]]
    assert {part["refused_by"] for part in parts} == {"", "threshold"}
    assert all((part["raw"] is None) == (part["refused_by"] == "threshold") for part in parts)
    mixed = [record for record in records(tmp_path) if len({part["refused_by"] for part in record["parts"]}) == 2]
    assert mixed
    # The marker out of range was dropped from every answer, and is counted in all of them, mixed ones too.
    invalid = [item["scores"]["careful"].get("invalid_markers") for item in report["questions"]]
    assert {value for value in invalid if value is not None} == {0.5}
