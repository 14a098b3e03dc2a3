import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data.catalog import catalogue, message
from data.errors import InputError
from data.problems import in_words, known_keys
from data.readers import read_groups
from rag.pipeline import PartStarted, StreamEvent, TextChunk
from ui.app import jobs
from ui.app.feedback import FeedbackStore
from ui.app.jobs import Job, Lane
from ui.app.markup import block, highlighted, label
from ui.app.privacy import masked
from ui.app.task import Task

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
        ("010\u20131234\u20135678", "[전화번호]"),
        ("0507-1234-5678", "[전화번호]"),
        ("050712345678", "[전화번호]"),
        ("０２-123-4567", "[전화번호]"),
        ("+82 10 1234 5678", "[전화번호]"),
        ("900101-1234567", "[주민등록번호]"),
        ("101동 1502호 벽지", "[동·호수]"),
        ("1502호에 물이 새요", "[동·호수]"),
        ("302호인데 천장이 젖어요", "[동·호수]"),
        ("101-1502호도 같아요", "[동·호수]"),
        ("우리 집은 302호", "[동·호수]"),
        ("가동 5호 벽지", "[동·호수]"),
    ],
)
def test_personal_data_is_masked(text: str, mask: str) -> None:
    assert mask in masked(text)
    assert not re.search(r"\d{3}", masked(text))


@pytest.mark.parametrize(
    "text", ["두께 120mm 벽지 2020년 시공", "습도 60%에서 48시간", "3호 붓", "이동 5호", "도배지 200호환"]
)
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


def test_a_question_disliked_twice_waits_once_with_both_reasons(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "f.sqlite", days=1)
    said = {"good": False, "answer": "나", "generator": "x", "groups": ["g1"]}
    for question, reason in (
        ("벽지가 떴어요?", "짧아요"),
        ("곰팡이?", ""),
        ("벽지가 떴어요", "짧아요"),
        ("벽지가 떴어요!", "틀려요"),
    ):
        store.add(question=question, reason=reason, **said)  # type: ignore[arg-type]
    twice, once = store.waiting()
    assert (twice.question, len(twice.numbers), twice.reasons) == ("벽지가 떴어요!", 3, ("틀려요", "짧아요"))
    assert (once.question, len(once.numbers), once.reasons) == ("곰팡이?", 1, ())
    store.settle(twice)
    assert store.waiting() == [once]
    store.close()


def test_verdicts_whose_time_is_over_go_when_the_store_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "f.sqlite"
    other = sqlite3.connect(path)
    with other:  # As the first version made it: without the queue.
        other.execute(
            "CREATE TABLE feedback (id INTEGER PRIMARY KEY, at REAL NOT NULL, good INTEGER NOT NULL, question TEXT NOT"
            " NULL, answer TEXT NOT NULL, reason TEXT NOT NULL, generator TEXT NOT NULL, groups TEXT NOT NULL)"
        )
        for at, question in ((1.0, "옛 질문"), (4e9, "새 질문")):
            other.execute("INSERT INTO feedback VALUES (NULL, ?, 0, ?, '', '', '', '')", (at, question))
    store = FeedbackStore(path, days=30)
    assert [row[0] for row in other.execute("SELECT question FROM feedback")] == ["새 질문"]
    (waiting,) = store.waiting()
    store.settle(waiting)
    assert store.waiting() == []
    other.close()
    store.close()


def test_the_page_says_every_known_problem_in_both_languages() -> None:
    for texts in (catalogue("ko"), catalogue("en")):
        assert known_keys() <= set(texts["problem"])


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("x.csv: no usable row (1 rejected, first: line 2: answer is empty); each row needs", "1줄을 쓰지 못했습니다"),
        ("x.csv, line 7: broken CSV quoting (unexpected end)", "7번째 줄의 따옴표"),
        ("has 5 cells, the header names 2; quote cells that hold commas", "칸이 5개인데"),
        ("category has 2,001 characters; shorten it to at most 2,000", "너무 깁니다(2,001자)"),
        ("the model is not here; run `dobae models pull`", "언어 모델이 없습니다"),
        ("qa.csv: columns not read: 비고, 메모", "이 열은 읽지 않았습니다: 비고, 메모"),
        ("cell C2 holds a formula without its value; save the file", "C2 칸의 수식"),
        ("'category' must be a string", "‘category’ 값은"),
        ("x.csv: no usable row (2 rejected, first: line 1: nobody has approved this group yet; take", "아직 아무도"),
        ("", "안에서 문제가"),
        ("something quite new", "원문 안내: something quite new"),
        (InputError("id 'g1' is in the base already"), "이미 쓰이고 있습니다"),
        ("base full differs", "지식베이스(full)"),
        ("arm tuned has another model, another adapter or other settings", "방식(tuned)의 모델이나 어댑터"),
        (RuntimeError("no reader need know this"), "안에서 문제가"),
    ],
)
def test_problems_are_said_in_the_readers_language(problem: Exception | str, said: str) -> None:
    def say(key: str, **values: object) -> str:
        return message(key, **values)

    assert said in in_words(problem, say)


def test_what_a_file_was_mended_by_is_said_in_the_readers_language(tmp_path: Path) -> None:
    path = tmp_path / "qa.csv"
    rows = ["Q,A,비고", 'a\u0301?"" ,`답`\u200b,', "a?,답,", "a?,답,"]
    path.write_text("\n".join(rows), "utf-8")
    notes = read_groups(path).notes
    assert len(notes) >= 4
    assert not [said for note in notes if "원문 안내" in (said := in_words(note, message))]


def test_work_beside_the_page_tells_progress_result_and_errors() -> None:
    def fails(_: object) -> None:
        raise InputError("no such thing")

    def breaks(_: object) -> None:
        raise RuntimeError("inside")

    gate = threading.Event()

    def works(progress: Callable[[int, int], None]) -> int:
        progress(1, 4)
        gate.wait(30)
        return 7

    task = Task(works)
    while task.share == 0:
        threading.Event().wait(0.01)
    assert (task.done, task.share, task.result) == (False, 0.25, None)
    gate.set()
    assert task.wait(30)
    assert task.result == 7
    failed, broken = Task(fails), Task(breaks)
    assert failed.wait(30)
    assert broken.wait(30)
    assert isinstance(failed.error, InputError)
    assert str(failed.error) == "no such thing"
    assert isinstance(broken.error, RuntimeError)


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


def test_a_question_whose_page_has_gone_gives_up_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def held() -> Iterator[StreamEvent]:
        gate.wait(30)
        yield PartStarted(1, "질문", ())

    clock = [0.0]
    monkeypatch.setattr(jobs, "monotonic", lambda: clock[0])
    lane = Lane(workers=1)
    first, left, watched, late = (Job("질문", "ko", held) for _ in range(4))
    lane.put(first)
    while lane.ahead(first) is not None:
        threading.Event().wait(0.01)
    lane.put(left)
    lane.put(watched)
    clock[0] = jobs.UNSEEN_SECONDS + 1
    assert lane.ahead(watched) == 1
    lane.put(late)
    assert left.cancelled
    assert left.wait(30)
    assert lane.ahead(watched) == 0
    clock[0] += jobs.UNSEEN_SECONDS + 1
    assert lane.ahead(late) == 1
    gate.set()
    assert late.wait(30)
    assert watched.cancelled, "its page has gone, too, before its turn came"
    assert late.texts()


def test_a_reader_waits_for_the_first_text() -> None:
    more = threading.Event()

    def slow() -> Iterator[StreamEvent]:
        yield PartStarted(1, "질문", ())
        more.wait(30)
        yield TextChunk(1, "답")

    job = Job("질문", "ko", slow)
    Lane(workers=1).put(job)
    job.wait_for_text(0.05)
    assert job.texts() in ([], [("질문", "")])
    more.set()
    job.wait_for_text(30)
    assert job.texts() == [("질문", "답")]


def test_a_reader_waits_for_news_no_longer_than_there_is_none() -> None:
    more, end = threading.Event(), threading.Event()

    def two() -> Iterator[StreamEvent]:
        yield PartStarted(1, "질문", ())
        more.wait(30)
        yield TextChunk(1, "답")
        end.wait(30)

    job = Job("질문", "ko", two)
    Lane(workers=1).put(job)
    job.wait_for_news(0, 30)
    assert job.texts() == [("질문", "")]
    seen = job.events
    job.wait_for_news(seen, 0)
    assert job.events == seen
    more.set()
    job.wait_for_news(seen, 30)
    assert job.texts() == [("질문", "답")]
    job.cancel()
    job.wait_for_news(job.events, 30)
    assert job.over
    assert not job.done
    end.set()
    assert job.wait(30)
