"""What every test may use. Unit tests cannot reach the network; integration tests can reach this machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

from data.readers import read_groups
from data.types import QAGroup

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).resolve().parent.parent
STARTER = ROOT / "data" / "starter" / "qa.csv"


@pytest.fixture(autouse=True)
def _network(request: pytest.FixtureRequest) -> Iterator[None]:
    if any(map(request.node.get_closest_marker, ("integration", "browser"))):
        enable_socket()
        socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)
    else:
        disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture(scope="session")
def starter_groups() -> tuple[QAGroup, ...]:
    return read_groups(STARTER).groups


@pytest.fixture
def groups() -> tuple[QAGroup, ...]:
    return (
        QAGroup(
            "g1",
            ("벽지가 왜 들뜨나요?", "벽지 들뜸 이유 알려줘"),
            (
                "바탕의 습기나 먼지 때문에 풀이 제대로 붙지 않으면 벽지가 들뜹니다.",
                "풀이 마르면서 접착이 약해지거나 벽이 젖어 있으면 벽지가 들뜹니다.",
                "벽지는 바탕이 젖었거나 먼지가 많을 때 들뜹니다.",
            ),
            "마감하자",
        ),
        QAGroup(
            "g2",
            ("곰팡이는 무엇으로 닦나요?", "곰팡이 뭘로 지워"),
            ("마른 천 대신 젖은 천과 곰팡이 제거제로 닦고 충분히 말립니다.",),
            "결로·누수",
        ),
        QAGroup(
            "g3",
            ("몰딩 틈은 어떻게 메우나요?",),
            ("수성 실리콘이나 퍼티로 틈을 메우고 마른 뒤 칠합니다.", "퍼티로 메웁니다."),
            "보수·재시공",
        ),
    )
