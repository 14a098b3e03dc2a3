"""What an adapter has seen is read from its report, or not known."""

import json
from pathlib import Path

import pytest

from data.errors import InputError
from data.training_report import seen_groups
from rag.generators.adapters import SHIPPED


@pytest.mark.parametrize("report", [None, {}, {"splits": None}, {"splits": {"train": ["a"]}}, []])
def test_what_is_not_said_is_not_known(report: object, tmp_path: Path) -> None:
    if report is not None:
        (tmp_path / "training.json").write_text(json.dumps(report), "utf-8")
    assert seen_groups(tmp_path) is None


def test_a_damaged_report_is_named(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text("{", "utf-8")
    with pytest.raises(InputError, match=r"training\.json cannot be read"):
        seen_groups(tmp_path)


def test_no_group_is_held_out_that_the_shipped_adapter_was_trained_on() -> None:
    seen = seen_groups(SHIPPED / "smollm2")
    assert seen is not None
    assert len(seen.train) + len(seen.held_out) == 310
    assert not seen.train & seen.held_out
