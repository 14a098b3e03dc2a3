"""Results are counted from answers made up for the purpose: each number is known before it is computed."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rag.evaluation.config import StatisticsSettings
from rag.evaluation.protocols import AskedQuestion
from rag.evaluation.results import COVERAGES, Results, timings

SETTINGS = StatisticsSettings(bootstrap=400, permutations=400)


class World:
    """Questions, answers and scores of a few arms, put in one at a time."""

    def __init__(self) -> None:
        self.items: dict[str, AskedQuestion] = {}
        self.scores: dict[str, dict[str, list[dict[str, float]]]] = {}
        self.askings: list[Any] = []
        self.answers: dict[str, dict[str, Any]] = {}

    def ask(self, name: str, arm: str, *draws: tuple[float | None, float | None], **values: Any) -> None:
        """Puts in one question: (confidence, cosine) of each seed."""
        protocol = values.pop("protocol", "unseen")
        targets = () if protocol in ("unanswerable", "out_of_domain") else (values.pop("group", name),)
        item = AskedQuestion(name, protocol, name, targets, ("정답",), values.pop("category", ""))
        self.items[name] = item
        for number, (confidence, cosine) in enumerate(draws):
            key = f"{arm}/{name}/{number}"
            drawn = {} if cosine is None else {"cosine": cosine}
            self.scores.setdefault(arm, {}).setdefault(name, []).append(drawn)
            self.askings.append(
                SimpleNamespace(
                    arm=SimpleNamespace(settings=SimpleNamespace(name=arm, batch=1)), item=self.items[name], key=key
                )
            )
            refused = values.get("abstained", False)
            record = {"below_threshold": False, "abstained": refused, "refused_by": "model" if refused else ""}
            self.answers[key] = {"similarity": confidence, "confidence": confidence, **record} | values

    def results(self, against: str = "a") -> Results:
        return Results(tuple(self.items.values()), self.scores, SETTINGS, against)


@pytest.fixture
def world() -> World:
    return World()


def at(curve: dict[str, Any], coverage: float) -> dict[str, Any]:
    return next(point for point in curve["at"] if point["coverage"] == coverage)


def contains(entry: dict[str, Any]) -> bool:
    return bool(entry["low"] <= entry["value"] <= entry["high"])


def test_a_curve_sets_each_answers_confidence_beside_its_own_score(world: World) -> None:
    # In both draws the sure answer is the good one, but not of the same question.
    for number in range(6):
        first, second = ((0.9, 1.0), (0.1, 0.0)) if number % 2 else ((0.1, 0.0), (0.9, 1.0))
        world.ask(f"q{number}", "a", first, second)
    curve = world.results().curves(world.askings, world.answers)["a"]["unseen"]
    # The first draw's confidence beside the mean of both would give 0.5 everywhere.
    assert at(curve, 0.5)["value"] == 1.0
    assert at(curve, 1.0)["value"] == 0.5
    assert curve["points"] == [[0.5, 1.0, 0.9], [1.0, 0.5, 0.1]]


def test_a_curve_is_told_at_every_tenth_with_its_interval(world: World) -> None:
    rng = np.random.default_rng(0)
    for number in range(40):
        world.ask(f"q{number}", "a", (round(rng.random(), 1), rng.random()), group=f"g{number // 2}")
    results = world.results()
    curve = results.curves(world.askings, world.answers)["a"]["unseen"]
    assert [point["coverage"] for point in curve["at"]] == list(COVERAGES) == [tenth / 10 for tenth in range(1, 11)]
    assert all(contains(point) and point["low"] < point["high"] for point in curve["at"])
    mean = results.means()["a"]["unseen"]["metrics"]["cosine"]
    assert {key: at(curve, 1.0)[key] for key in ("value", "low", "high")} == pytest.approx(
        {key: mean[key] for key in ("value", "low", "high")}, abs=1e-6
    )


def test_what_the_model_declined_is_answered_last(world: World) -> None:
    for number in range(5):
        world.ask(f"sure{number}", "a", (0.9, 0.0), abstained=True)
        world.ask(f"unsure{number}", "a", (0.2, 0.8))
    curve = world.results().curves(world.askings, world.answers)["a"]["unseen"]
    assert at(curve, 0.5)["value"] == pytest.approx(0.8)
    assert at(curve, 1.0)["value"] == pytest.approx(0.4)


def test_refusals_and_auroc_have_their_values_and_intervals(world: World) -> None:
    for number in range(10):
        protocol = "paraphrase" if number < 6 else "noisy"
        world.ask(f"real{number}", "a", (0.5 + number / 100, 0.5), protocol=protocol, below_threshold=number == 0)
        # Two of ten are surer than every real one.
        world.ask(f"other{number}", "a", (0.9 if number < 2 else 0.1, None), protocol="out_of_domain", abstained=True)
    entry = world.results().abstention(world.askings, world.answers)["a"]
    assert entry["positives"] == {"paraphrase": 6, "noisy": 4}
    assert entry["auroc"]["out_of_domain"]["value"] == pytest.approx(0.8)
    assert 0.4 < entry["auroc"]["out_of_domain"]["low"] < 0.8 < entry["auroc"]["out_of_domain"]["high"] <= 1
    paraphrase = entry["protocols"]["paraphrase"]
    assert paraphrase["questions"] == 6
    assert paraphrase["refused_by_threshold"]["value"] == pytest.approx(1 / 6, abs=1e-6)
    assert contains(paraphrase["refused_by_threshold"])
    assert paraphrase["refused_by_threshold"]["low"] < paraphrase["refused_by_threshold"]["high"]
    assert entry["protocols"]["out_of_domain"]["refused_by_model"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    # Four groups are too few to say how groups differ.
    assert entry["protocols"]["noisy"]["refused_by_threshold"] == {"value": 0.0, "low": None, "high": None}


def test_draws_of_one_question_without_groups_are_no_questions_of_their_own(world: World) -> None:
    for number in range(6):
        world.ask(f"real{number}", "a", (0.5, 0.5), (0.5, 0.5), protocol="paraphrase")
    for number in range(4):
        world.ask(f"other{number}", "a", *[(0.1 + number / 5, None)] * 3, protocol="out_of_domain")
    entry = world.results().abstention(world.askings, world.answers)["a"]
    # Twelve answers, four questions: too few for an interval.
    assert entry["protocols"]["out_of_domain"]["refused_by_model"]["low"] is None
    assert entry["auroc"]["out_of_domain"]["low"] is None


def test_ranks_of_split_questions_are_not_set_beside_those_of_whole_ones(world: World) -> None:
    for arm in ("a", "b"):
        for protocol in ("paraphrase", "compound"):
            for number in range(6):
                world.ask(f"{protocol}{number}", arm, (0.5, 0.5), protocol=protocol)
    for of in world.scores.values():
        for drawn in of.values():
            drawn[0] |= {"recall_1": 1.0, "mrr": 1.0, "ndcg_10": 1.0}
    compared = {(entry["protocol"], entry["metric"]) for entry in world.results().differences()}
    ranks = {"recall_1", "mrr", "ndcg_10"}
    assert {metric for protocol, metric in compared if protocol == "paraphrase"} >= ranks
    assert {metric for protocol, metric in compared if protocol == "compound"} & ranks == {"recall_1"}


def test_answers_are_ordered_by_confidence_and_questions_told_apart_by_similarity(world: World) -> None:
    for number in range(6):
        world.ask(f"q{number}", "a", (0.9, number / 10), protocol="paraphrase", confidence=number / 10)
        world.ask(f"o{number}", "a", (0.2, None), protocol="out_of_domain", confidence=0.9)
    results = world.results()
    entry = results.abstention(world.askings, world.answers)["a"]
    assert entry["auroc"]["out_of_domain"]["value"] == 1.0
    assert entry["auroc_confidence"]["out_of_domain"]["value"] == 0.0
    curve = results.curves(world.askings, world.answers)["a"]["paraphrase"]
    assert at(curve, 0.5)["value"] == pytest.approx(0.4)


def test_an_arm_without_retrieval_has_no_confidence_and_no_curve(world: World) -> None:
    for number in range(6):
        world.ask(f"q{number}", "a", (None, 0.5), below_threshold=None)
        world.ask(f"o{number}", "a", (None, None), protocol="out_of_domain", below_threshold=None)
    results = world.results()
    entry = results.abstention(world.askings, world.answers)["a"]
    assert entry["auroc"] == {}
    assert entry["protocols"]["unseen"]["refused_by_threshold"] is None
    assert entry["protocols"]["unseen"]["refused_by_model"]["value"] == 0.0
    assert results.curves(world.askings, world.answers) == {}


def fill(world: World, arm: str, cosines: Sequence[float], **values: Any) -> None:
    for number, cosine in enumerate(cosines):
        world.ask(f"q{number:02}", arm, (0.5, cosine), **values)


@pytest.mark.parametrize("questions", [1, 2, 3, 10, 39, 40, 50])
def test_the_best_cases_gained_and_the_worst_lost(world: World, questions: int) -> None:
    fill(world, "a", [0.5] * questions)
    fill(world, "b", [0.5 + (number - questions // 2) / 100 for number in range(questions)])
    cases = world.results().cases("b", 20)
    gains = {side: [line["gain"] for line in cases[side]] for side in ("best", "worst")}
    assert all(gain > 0 for gain in gains["best"])
    assert all(gain < 0 for gain in gains["worst"])
    assert len(gains["best"]) == min(20, questions - 1 - questions // 2)
    assert len(gains["worst"]) == min(20, questions // 2)
    assert gains["best"] == sorted(gains["best"], reverse=True)
    assert gains["worst"] == sorted(gains["worst"])


def test_answers_that_score_alike_are_no_cases(world: World) -> None:
    fill(world, "a", [0.5] * 6)
    fill(world, "b", [0.5] * 6)
    assert world.results().cases("b", 20) == {"best": [], "worst": []}


def test_cases_compare_the_answers_that_are_shown(world: World) -> None:
    for number in range(4):
        world.ask(f"q{number}", "a", (0.5, 0.2), (0.5, 0.9))
        world.ask(f"q{number}", "b", (0.5, 0.1 + number / 10), (0.5, 0.1))
    results = world.results()
    assert results.cases("b", 1) == {
        "best": [{"question": "q3", "gain": 0.2}],
        "worst": [{"question": "q0", "gain": -0.1}],
    }
    assert results.draws(world.askings, world.answers)["q3"]["b"] == [
        {"similarity": 0.5, "confidence": 0.5, "cosine": 0.4},
        {"similarity": 0.5, "confidence": 0.5, "cosine": 0.1},
    ]
    # The tables still take the mean over the seeds.
    assert results.scores["b"]["q3"]["cosine"] == pytest.approx(0.25)


def test_a_category_of_few_groups_has_neither_interval_nor_p(world: World) -> None:
    for arm, shift in (("a", 0.0), ("b", 0.1)):
        for number in range(9):
            group = f"g{number}" if number < 5 else "alone"
            category = "많음" if number < 5 else "적음"
            cosine = 0.3 + number / 50 + shift * (number % 2)
            world.ask(f"q{number}", arm, (0.5, cosine), group=group, category=category)
    results = world.results()
    many, few = results.category_differences()
    assert (many["category"], few["category"]) == ("많음", "적음")
    assert contains(many)
    assert many["low"] < many["high"]
    # The one that could not be tested costs the other nothing.
    assert many["p_holm"] == many["p"]
    assert few["questions"] == 4
    assert few["value"] == pytest.approx(0.05)
    assert (few["low"], few["high"], few["p"], few["p_holm"]) == (None, None, None, None)
    told = results.means()["a"]["unseen"]["categories"]
    assert told["많음"]["cosine"]["low"] is not None
    assert told["적음"]["cosine"]["low"] is None


def test_timings_are_those_of_all_answers(world: World) -> None:
    for number, (seconds, tokens, on_cuda) in enumerate(((1.0, 10, None), (2.0, 20, 40.0), (6.0, 60, 30.0))):
        cost = {"seconds": seconds, "first_s": seconds / 2, "peak_mib": 100.0 + number, "cuda_peak_mib": on_cuda}
        world.ask(f"q{number}", "a", (0.5, 0.5), tokens=tokens, cost=cost)
    found = timings(world.askings, world.answers)["a"]
    assert (found["answers"], found["batch"]) == (3, 1)
    assert (found["seconds_median"], found["seconds_total"]) == (2.0, 9.0)
    assert found["seconds_p95"] == pytest.approx(5.6)
    assert found["first_text_median"] == 1.0
    assert found["tokens_per_second"] == 10.0
    assert (found["process_peak_mib"], found["cuda_peak_mib"]) == (102.0, 40.0)
