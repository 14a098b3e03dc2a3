"""What the tests of editing share."""

from pathlib import Path

from data.types import QAGroup
from index.store import open_store

NEW = QAGroup(
    "n1", ("문틀 모서리가 찢어졌어요", "문틀 쪽 찢김 보수 방법"), ("같은 무늬로 조각을 덧댑니다.",), "보수", "전화"
)


def contents(path: Path) -> list[QAGroup]:
    store = open_store(path)
    try:
        store.check()
        return [stored.group for stored in store.all_groups()]
    finally:
        store.close()
