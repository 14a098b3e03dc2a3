"""The journal: whole lines survive, torn ones are taken back, and runs do not mix."""

import errno
import json
import os
from pathlib import Path

import pytest

from data.errors import InputError
from training.augment.budget import Budget, BudgetLimits, BudgetSpentError, Meter
from training.augment.journal import RUNS, Journal

SETTINGS = {"model": "m", "seed": 0}
REPLY = {"task": "r0/keywords", "value": {"keywords": ["벽지"]}, "problem": "", "tokens": [10, 5]}
VERDICT = {"task": "r0/0/0", "accepted": True, "group": {"id": "aug-1"}}


def _written(path: Path) -> bytes:
    with Journal(path, SETTINGS) as journal:
        journal.add_reply(REPLY)
        journal.add_verdict(VERDICT)
    return path.read_bytes()


def test_what_was_written_is_found_again(tmp_path: Path) -> None:
    _written(tmp_path / "j")
    with Journal(tmp_path / "j", SETTINGS) as journal:
        assert journal.resumed
        assert journal.replies["r0/keywords"]["value"] == {"keywords": ["벽지"]}
        assert [group["id"] for group in journal.accepted()] == ["aug-1"]
        assert journal.tokens() == (10, 5)


def test_cut_anywhere_a_journal_keeps_its_whole_lines_and_can_go_on(tmp_path: Path) -> None:
    content = _written(tmp_path / "whole")
    for length in range(len(content)):
        path = tmp_path / "torn"
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        with Journal(path, SETTINGS) as journal:
            assert len(journal.replies) == (whole > 1)
            assert journal.verdicts == {}
            if not journal.replies:
                journal.add_reply(REPLY)
            journal.add_verdict(VERDICT)
        assert path.read_bytes() == content


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    _written(tmp_path / "j")
    with pytest.raises(InputError, match=r"another model \(m, now other\)"):
        Journal(tmp_path / "j", SETTINGS | {"model": "other"})
    with Journal(tmp_path / "j", SETTINGS) as journal:  # the refusal let go of the file
        assert journal.resumed


def test_two_runs_cannot_write_one_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", SETTINGS), pytest.raises(InputError, match="another run is writing"):
        Journal(tmp_path / "j", SETTINGS)


@pytest.mark.parametrize("line", ["not json\n", "[1]\n", '{"kind": "reply"}\n'])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    _written(tmp_path / "j")
    with (tmp_path / "j").open("a", encoding="utf-8") as file:
        file.write(line)
    with pytest.raises(InputError, match="line 4: is not a line of a journal"):
        Journal(tmp_path / "j", SETTINGS)


def test_another_file_is_not_taken_for_a_journal(tmp_path: Path) -> None:
    (tmp_path / "j").write_text(json.dumps({"kind": "group"}) + "\n", "utf-8")
    with pytest.raises(InputError, match="is not a journal"):
        Journal(tmp_path / "j", SETTINGS)
    for content in ("{}", '[{"mine": 1}]', "notes of mine"):  # one line without an end is not a torn one of ours
        (tmp_path / "j").write_text(content, "utf-8")
        with pytest.raises(InputError, match="is not a journal"):
            Journal(tmp_path / "j", SETTINGS)
        assert (tmp_path / "j").read_text("utf-8") == content


def test_a_full_disk_is_one_line_and_what_was_written_before_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = Journal(tmp_path / "j", SETTINGS)
    journal.add_reply(REPLY)
    with monkeypatch.context() as context:
        context.setattr(os, "fsync", full)
        with pytest.raises(InputError, match="No space left on device"):
            journal.add_verdict(VERDICT)
    with pytest.raises(InputError, match="run again to go on"):  # from another thread, say
        journal.add_verdict(VERDICT | {"task": "r0/0/1"})
    journal.close()
    with Journal(tmp_path / "j", SETTINGS) as again:
        assert list(again.replies) == ["r0/keywords"]
        assert "r0/0/1" not in again.verdicts


def _refused(reason: str) -> dict[str, object]:
    return {"task": "r0/0/0", "accepted": False, "reason": reason}


def test_an_unusable_reply_is_not_taken_up_but_its_cost_is_and_after_some_runs_it_stands(tmp_path: Path) -> None:
    unusable = REPLY | {"task": "r0/0/0", "value": None, "problem": "bad_json"}
    for number in range(RUNS):
        with Journal(tmp_path / "j", SETTINGS) as journal:
            assert (journal.replies, journal.verdicts) == ({}, {})
            assert journal.tokens() == (10 * number, 5 * number)
            journal.add_reply(unusable)
            journal.add_verdict(_refused("bad_json"))
    with Journal(tmp_path / "j", SETTINGS) as journal:
        assert list(journal.replies) == list(journal.verdicts) == ["r0/0/0"]


def test_a_usable_reply_takes_the_place_of_an_unusable_one(tmp_path: Path) -> None:
    good = REPLY | {"task": "r0/0/0"}
    for reply, verdict in ((good | {"value": None}, _refused("refused")), (good, VERDICT)):
        with Journal(tmp_path / "j", SETTINGS) as journal:
            journal.add_reply(reply)
            journal.add_verdict(verdict)
    with Journal(tmp_path / "j", SETTINGS) as journal:
        assert journal.replies["r0/0/0"]["value"] == REPLY["value"]
        assert len(list(journal.accepted())) == 1
        assert journal.tokens() == (20, 10)


def test_what_broke_off_counts_in_the_next_run(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", SETTINGS) as journal:
        journal.add_lost("r0/keywords", (7, 3))
        assert journal.tokens() == (7, 3)
    with Journal(tmp_path / "j", SETTINGS) as journal:
        assert journal.tokens() == (7, 3)
        assert journal.replies == {}


def test_a_budget_counts_what_is_under_way_and_what_earlier_runs_spent() -> None:
    budget = Budget(BudgetLimits(max_tokens=100), (30, 10))
    budget.reserve(20, 20)
    with pytest.raises(BudgetSpentError, match="40 of 100 tokens"):
        budget.reserve(15, 10)
    budget.settle((20, 20), (5, 5))
    budget.reserve(15, 10)
    assert budget.tokens == (35, 15)


def test_a_budget_in_money_uses_both_prices() -> None:
    budget = Budget(BudgetLimits(max_cost=1.0, price_in=1.0, price_out=10.0))
    budget.reserve(500_000, 0)
    with pytest.raises(BudgetSpentError, match="raise --max-cost"):
        budget.reserve(0, 60_000)
    budget.settle((500_000, 0), (100_000, 20_000))
    assert budget.cost == pytest.approx(0.3)


def test_an_attempt_of_unknown_cost_counts_as_its_worst_case() -> None:
    budget = Budget(BudgetLimits(max_tokens=100))
    meter = Meter(budget, (20, 20))
    meter.begin()
    meter.end(None)
    meter.begin()
    meter.end((5, 5))
    assert (meter.spent, meter.unsure, budget.tokens) == ((25, 25), True, (25, 25))
    meter.begin()
    with pytest.raises(BudgetSpentError):
        meter.begin()
