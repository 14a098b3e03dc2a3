import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.pipeline import StreamEvent
from ui.app.feedback import FeedbackStore
from ui.app.jobs import Job, Lane
from ui.app.markup import block, highlighted, label
from ui.app.privacy import masked

_SEEDS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", '"><b onclick=alert(1)>',
    "<iframe srcdoc='<script>1</script>'>", "</div><style>*{}</style>", "<a href=javascript:alert(1)>x</a>",
    "<mark onmouseover=alert(1)>벽지", "<!--<x>-->", "&lt;script&gt;<script>",
)  # fmt: skip
PAYLOADS = [form for seed in _SEEDS for form in (seed, seed.upper(), f"벽지 {seed}", f"{seed} 들뜸", seed * 2)]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_becomes_a_tag(payload: str) -> None:
    tags = {"<div ", "</div>", "<mark>", "</mark>"}
    for html in (block(payload), highlighted(payload, payload), highlighted(payload, "벽지")):
        found = set(re.findall(r"</?\w+[ >]?|<[^\w/]", html))
        assert found <= tags
        assert html.count("<div") == html.count("</div>") == 1
    assert re.search(r"(?<!\\)[<>\[\]()!:$`*_]", label(payload)) is None


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("010-1234-5678로 연락 주세요", "[전화번호]"),
        ("01012345678", "[전화번호]"),
        ("０２-123-4567", "[전화번호]"),
        ("+82 10 1234 5678", "[전화번호]"),
        ("900101-1234567", "[주민등록번호]"),
        ("101동 1502호 벽지", "[동·호수]"),
        ("1502호에 물이 새요", "[동·호수]"),
    ],
)
def test_personal_data_is_masked(text: str, mask: str) -> None:
    assert mask in masked(text)
    assert not re.search(r"\d{3}", masked(text))


@pytest.mark.parametrize("text", ["두께 120mm 벽지 2020년 시공", "습도 60%에서 48시간", "3호 붓"])
def test_plain_numbers_stay(text: str) -> None:
    assert masked(text) == text


def test_only_masked_text_reaches_the_disk_and_old_verdicts_go(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "f.sqlite", days=1)
    said = {"good": False, "answer": "나", "generator": "x", "groups": ["g1"]}
    store.add(question="010-1234-5678", reason="101동 1502호", **said)  # type: ignore[arg-type]
    assert b"1234" not in (tmp_path / "f.sqlite").read_bytes()
    other = sqlite3.connect(tmp_path / "f.sqlite")
    with other:
        other.execute("UPDATE feedback SET at = at - 90000")
    store.add(question="새 질문", reason="", **said)  # type: ignore[arg-type]
    assert [row[0] for row in other.execute("SELECT question FROM feedback")] == ["새 질문"]
    other.close()
    store.close()


def test_places_in_the_queue_and_cancelling() -> None:
    gate = threading.Event()

    def slow() -> Iterator[StreamEvent]:
        gate.wait(30)
        yield from ()

    def never() -> Iterator[StreamEvent]:
        raise AssertionError("a cancelled job must not start")

    lane = Lane(workers=1)
    running, second, third = Job("가", "ko", slow), Job("나", "ko", never), Job("다", "ko", slow)
    for job in (running, second, third):
        lane.put(job)
    while lane.ahead(running) is not None:
        threading.Event().wait(0.01)
    assert (lane.ahead(second), lane.ahead(third)) == (0, 1)
    second.cancel()
    assert lane.ahead(third) == 0
    gate.set()
    assert third.wait(30)
    assert second.error is None
    assert second.cancelled
