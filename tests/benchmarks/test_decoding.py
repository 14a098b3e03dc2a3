"""Both ways of decoding answer the same prompts with the same model, and the bars are computed from what was timed."""

import json
from pathlib import Path
from typing import Any

import decoding
import pytest

from data.types import QAGroup
from rag import model_store
from tests.dacon_file import write_dacon_file


def test_rate_counts_what_was_written_after_the_first_tokens() -> None:
    assert decoding.Written((1, 2, 3, 4, 5), 9.0, 2.0, 1).rate == 2.0
    assert decoding.Written((1,), 9.0, 0.0, 1).rate == 0.0


def test_pairs_take_turns_and_are_compared_token_by_token(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def fake(_loaded: Any, prompt: list[int], how: Any, _limit: int) -> decoding.Written:
        order.append("lookup" if how is decoding.LOOKUP else "plain")
        seconds = 1.0 if how is decoding.LOOKUP else 4.0
        tokens = (7, 8, 9) if prompt == [1] or how is decoding.LOOKUP else (7, 8, 0)
        return decoding.Written(tokens, 1.0, seconds, 1)

    monkeypatch.setattr(decoding, "write", fake)
    found = decoding.beside_plain(None, [[1], [2]], 16, 2, 0)
    assert order == ["plain", "lookup", "lookup", "plain", "lookup", "plain", "plain", "lookup"]
    assert (found["answers"], found["identical tokens"]) == (4, 2)
    assert found["ratio"].value == 4.0
    assert found["ratio of whole calls"].value == 2.5


@pytest.mark.integration
def test_the_default_model_writes_the_same_tokens_both_ways(
    tmp_path: Path, starter_groups: tuple[QAGroup, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    model_store.pull()
    out, file = tmp_path / "decoding.json", tmp_path / "qa.csv"
    write_dacon_file(file, starter_groups[:8])
    small = ["--questions", "1", "--rounds", "1", "--blocks", "1", "--max-new-tokens", "12", "--json", str(out)]
    decoding.main([str(file), *small])
    results = json.loads(out.read_text("utf-8"))["results"]
    assert results["speed"]["identical tokens"] == results["speed"]["answers"] == 1
    assert results["speed"]["tokens/s plain"] > 0
    assert results["neighbour"]["slower by"] > 0
    assert "bar: identical tokens, >= 3x tokens/s" in capsys.readouterr().out
