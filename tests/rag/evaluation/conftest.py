"""A small world for evaluations: two dozen groups, a hash encoder in place of every real one, a config to run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.types import QAGroup
from data.writers import write_groups_jsonl
from index.encoders.base import HashEncoder
from rag.evaluation.config import EvaluationConfig, parse_config
from rag.evaluation.metric_encoders import MetricEncoder

THINGS = (
    *("벽지", "장판", "몰딩", "마루", "타일", "창틀", "천장", "욕실", "베란다", "콘센트", "문틀"),
    *("걸레받이", "석고보드", "단열재", "페인트", "실리콘"),
)
# Wordings must not be near-duplicates of one another, or a split by group ties all of them together.
SPOTS = (
    *("안방 모서리", "부엌 싱크대 밑", "현관 신발장 옆", "거실 창가", "다용도실 세탁기 뒤", "아이 공부방", "옷장 안쪽"),
    *("보일러실 배관 둘레", "계단 아래", "옥상 난간", "복도 끝", "서재 책꽂이 뒤", "화장대 거울 밑", "식탁 근처"),
    *("발코니 배수구", "엘리베이터 앞"),
)
DEEDS = ("들뜨는", "갈라지는", "변색되는")


def make_groups() -> tuple[QAGroup, ...]:
    return tuple(
        QAGroup(
            f"g{number:02}",
            (f"{thing}가 {deed} 이유 알려줘", f"{SPOTS[number]} {thing}만 {deed} 까닭은?"),
            (
                f"{thing}의 바탕이 젖어 있으면 {number + 3}일 안에 {deed} 일이 생깁니다.",
                f"{thing} 바탕을 말리지 않으면 {deed} 일이 흔합니다. 먼저 말리세요.",
                f"젖은 바탕 때문에 {thing}에서 {deed} 일이 생깁니다.",
            ),
            "하자" if number % 2 else "시공",
        )
        for number, (thing, deed) in enumerate((thing, DEEDS[i % 3]) for i, thing in enumerate(THINGS))
    )


@pytest.fixture
def world(tmp_path: Path) -> dict[str, Any]:
    """TOML settings over files in a temporary folder."""
    groups = tmp_path / "groups.jsonl"
    write_groups_jsonl(groups, make_groups())
    foreign = tmp_path / "foreign.jsonl"
    lines = [
        {"kind": "out_of_domain", "question": f"{food} 맛있게 끓이는 법"} for food in ("김치찌개", "라면", "미역국")
    ]
    foreign.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    return {
        "source": {"file": str(groups), "foreign": str(foreign), "held_out": 0.25},
        "protocols": {"paraphrase": 6, "unseen": 4, "compound": 3, "unanswerable": 2, "out_of_domain": 2, "noisy": 4},
        "arms": [
            {"name": "random", "generator": "extractive", "retrieval": "random"},
            {"name": "extractive", "generator": "extractive"},
            {"name": "oracle", "generator": "extractive", "retrieval": "oracle"},
        ],
        "statistics": {"bootstrap": 100, "permutations": 100, "draws": 2},
    }


@pytest.fixture
def config(world: dict[str, Any]) -> EvaluationConfig:
    return parse_config(world, "test")


@pytest.fixture
def metric() -> MetricEncoder:
    return MetricEncoder(HashEncoder(512), "hash", proxy=True)


@pytest.fixture
def change(world: dict[str, Any]) -> Callable[..., EvaluationConfig]:
    """Makes the settings anew with other values in a section."""

    def changed(section: str, **values: Any) -> EvaluationConfig:
        return parse_config(world | {section: world[section] | values}, "test")

    return changed
