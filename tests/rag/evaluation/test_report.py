"""What a report says in words and tables is what stands in its JSON."""

import re
from pathlib import Path
from typing import Any

import pytest

from index.encoders.base import HashEncoder
from rag.evaluation.config import EvaluationConfig
from rag.evaluation.markdown import render_markdown
from rag.evaluation.metric_encoders import MetricEncoder
from rag.evaluation.page import render_page
from rag.evaluation.running import evaluate


@pytest.fixture
def report(config: EvaluationConfig, tmp_path: Path, metric: MetricEncoder) -> dict[str, Any]:
    return evaluate(config, tmp_path, encoder=HashEncoder(), metric=metric).report


def section(text: str, heading: str) -> str:
    return text.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "---" not in line]


def test_the_whole_curve_of_unseen_is_a_table_by_arm(report: dict[str, Any]) -> None:
    head, *lines = rows(section(render_markdown(report), "### The whole curve of unseen"))
    # The oracle is not asked what is not in the base.
    assert head == ["coverage", "random", "extractive"]
    assert [line[0] for line in lines] == [f"{tenth}0%" for tenth in range(1, 11)]
    points = report["coverage"]["extractive"]["unseen"]["at"]
    assert [line[2] for line in lines] == [f"{point['value']:.3f}" for point in points]


def test_both_columns_of_the_coverage_have_intervals(report: dict[str, Any]) -> None:
    lines = rows(section(render_markdown(report), "## Coverage"))[1:]
    cells = [cell for protocol, _, *told in lines if protocol == "paraphrase" for cell in told]
    assert len(cells) == 2 * 3
    assert all(re.fullmatch(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", cell) for cell in cells)


def test_the_protocols_pooled_as_positives_are_named(report: dict[str, Any]) -> None:
    lines = rows(section(render_markdown(report), "## Refusing"))
    assert ["extractive", "paraphrase + compound + noisy", "out_of_domain"] in [line[:3] for line in lines]
    assert "바꿔 말함 + 겹질문 + 오타" in render_page(report)


def test_of_few_groups_there_is_no_interval_and_the_report_says_so(report: dict[str, Any]) -> None:
    text = render_markdown(report)
    assert "of fewer than 5 groups none is given" in text
    assert "5개보다 적으면 구간과 p를 적지 않습니다" in render_page(report)
    cosine = next(line for line in rows(section(text, "### compound (3 questions)")) if line[0] == "cosine")
    assert all(re.fullmatch(r"\d\.\d{3}", cell) for cell in cosine[1:])


def test_memory_is_said_to_be_that_of_the_process(report: dict[str, Any]) -> None:
    head = rows(section(render_markdown(report), "## Cost"))[0]
    assert head[-1] == "process peak, MiB"
    assert "프로세스 최대 메모리 (MiB)" in render_page(report)
    assert "CUDA" not in render_page(report)
    report["timings"]["arms"]["oracle"]["cuda_peak_mib"] = 1234.5
    assert rows(section(render_markdown(report), "## Cost"))[-1][-1] == "1,234"
    assert "CUDA 최대 메모리 (MiB)" in render_page(report)


def test_a_case_shows_the_score_of_the_answer_beside_it(report: dict[str, Any]) -> None:
    line = report["cases"]["best"][0]
    item = next(item for item in report["questions"] if item["id"] == line["question"])
    item["draws"]["random"][0]["cosine"] = 0.123456
    item["scores"]["random"]["cosine"] = 0.654321
    page = render_page(report)
    assert "0.123" in page
    assert "0.654" not in page
