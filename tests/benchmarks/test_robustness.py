"""Short runs of the benchmarks that try to break a base; docs/results.md names the long ones."""

from pathlib import Path

import pytest
from crashes import run as run_crashes
from damage import run as run_damage
from fuzz_readers import run as run_fuzz
from mixed_operations import mixed_operations

pytestmark = pytest.mark.integration


def test_a_killed_writer_loses_and_invents_nothing(tmp_path: Path) -> None:
    result = run_crashes(tmp_path / "kb", groups=150, kills=6, longest=0.3)
    assert result["edits"] > 0
    assert (result["lost"], result["phantom"], result["index_differs"]) == (0, 0, 0)


def test_a_damaged_base_is_mended_or_refused_and_never_wrong(tmp_path: Path) -> None:
    outcomes = run_damage(tmp_path, times=60, seed=1)
    assert set(outcomes) <= {"right", "rebuilt", "error"}, outcomes
    assert outcomes["rebuilt"] > 10


def test_readers_refuse_in_one_line_what_they_cannot_read(tmp_path: Path) -> None:
    outcomes = run_fuzz(tmp_path, inputs=1_500, seed=1)
    assert {name.split()[1] for name in outcomes} == {"read", "refused"}, outcomes


def test_eight_threads_of_mixed_operations_meet_no_error_and_no_torn_read(tmp_path: Path) -> None:
    mixed_operations(tmp_path / "kb", threads=8, operations=30)
