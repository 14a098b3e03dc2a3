"""The server dies, as by a power cut, and is started again at the same address."""

import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright")
from playwright.sync_api import expect

from data.types import QAGroup
from index.history import Revision
from index.store import GroupStore
from tests.browser.server import ROOT, Server
from tests.browser.steps import LONE_PART, SPEED, add_group, answered, ask, box, enter, serious, settled

Keep = Callable[["Page", str], Path]
# About nothing that the starter base holds.
QUESTION = "문틀 옆 벽지가 고양이 발톱에 뜯겼는데 어떻게 하나요?"
ANSWER = "같은 무늬 벽지를 조금 크게 잘라 무늬를 맞추어 덧대고 두 겹을 함께 잘라 냅니다."
KILLS = 6
BACK = "서버와 다시 이어졌습니다"
LOST = "서버가 다시 시작되었거나"
SAVED = "저장했습니다"


def test_kills_in_the_middle_of_edits_lose_nothing_acknowledged_and_leave_nothing_half(
    page: "Page", own: Server
) -> None:
    enter(page, own)
    add_group(page, QUESTION, ANSWER)
    began = _begin_edit(page, 0)
    expect(page.get_by_text(SAVED)).to_be_visible()
    took = time.monotonic() - began
    enter(page, own)
    sure = _edited(0)
    moments = random.Random(7)
    cut_short = written = 0
    for number in range(1, KILLS + 1):
        before = _written(own)
        began = _begin_edit(page, number)
        if number % 2:
            time.sleep(max(0.0, began + took * moments.random() - time.monotonic()))
        else:  # Within the few milliseconds in which the base's files change.
            while _written(own) == before:
                time.sleep(0.0005)
            time.sleep(0.02 * moments.random())
        own.kill()
        page.wait_for_timeout(200)  # What the browser was sent before, it shows.
        acknowledged = page.get_by_text(SAVED).is_visible()
        group, revisions = _held(own)
        held = (group.questions, group.answers, group.category)
        assert held == _edited(number) or (held == sure and not acknowledged), (number, acknowledged, held)
        assert revisions[0].changes[0].after == group
        cut_short += not acknowledged
        written += held == _edited(number)
        # The new group, the edit without a kill, and one for each edit that is there; no number was used up in vain.
        last = revisions[0].number
        assert [revision.number for revision in revisions] == list(range(last, last - 2 - written, -1))
        sure = held
        own.start()
        _verify(own)
        enter(page, own)
    assert cut_short, "every edit was acknowledged before its kill: nothing was tested"
    page.goto(own.url())
    ask(page, sure[0][0])
    expect(page.get_by_text(sure[1][0].split(" 같은")[0]).filter(visible=True).first).to_be_visible()


def test_visitors_are_told_that_the_server_is_away_and_that_it_came_back(page: "Page", own: Server, keep: Keep) -> None:
    page.goto(own.url())
    ask(page, LONE_PART)
    notice = page.get_by_role("status").filter(has_text="저장된 수정과 의견")
    page.reload()
    ask(page, LONE_PART)
    expect(notice).to_have_count(0)  # Neither a first visit nor a reload is a loss.
    own.kill()
    away = page.get_by_role("dialog")
    expect(away.get_by_text("서버와 연결이 끊어졌습니다")).to_be_visible()
    expect(away.get_by_text("저장된 수정과 의견은 그대로 남아 있습니다")).to_be_visible()
    keep(page, "server-away")
    assert "Streamlit" not in away.inner_text()
    assert "onnection" not in away.inner_text()
    own.start()
    expect(away).to_have_count(0)
    expect(notice).to_contain_text(BACK)
    expect(page.get_by_text(SPEED)).to_be_visible()  # What was on the page is still there, to be copied.
    keep(page, "server-back")
    box(page).fill(LONE_PART)
    box(page).press("Enter")
    expect(notice).to_contain_text(LOST)
    answered(page)
    settled(page)
    keep(page, "session-lost")
    assert serious(page) == []
    page.get_by_role("button", name="닫기", exact=True).click()
    expect(notice).to_have_count(0)
    page.reload()
    ask(page, LONE_PART)
    expect(notice).to_have_count(0)  # Said once.


def test_a_tab_reloaded_after_the_server_came_back_is_told_too(page: "Page", own: Server) -> None:
    page.goto(own.url())
    page.wait_for_function("() => sessionStorage.getItem('dobae-server')")
    page.goto("about:blank")
    own.kill()
    own.start()
    page.goto(own.url("?lang=en"))
    expect(page.get_by_text("Stored edits and feedback are safe")).to_be_visible()
    other = page.context.new_page()
    other.goto(own.url())
    ask(other, LONE_PART)
    expect(other.get_by_text("저장된 수정과 의견")).to_have_count(0)  # Somebody who comes for the first time.


def _edited(number: int) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """What the group holds after an edit: every field differs from one edit to the next."""
    return (
        (f"{QUESTION} {number}번째로 물어요.",),
        (f"{number}번째 답변입니다. {ANSWER}", f"{number}번째 다른 답변입니다. 벽지 조각을 이어 붙입니다."),
        f"분류 {number}",
    )


def _begin_edit(page: "Page", number: int) -> float:
    """Fills the form and sends it; returns when, without waiting for what comes of it."""
    (question,), answers, category = _edited(number)
    page.get_by_role("textbox", name="검색어").fill("고양이 발톱")
    page.get_by_role("textbox", name="검색어").press("Enter")
    settled(page)
    page.get_by_role("button", name=QUESTION[:20]).first.click()
    settled(page)
    page.get_by_label(re.compile("^질문")).fill(question)
    page.get_by_label("답변 1").fill(answers[0])
    page.get_by_label(re.compile("답변 2|답변 더하기")).first.fill(answers[1])
    page.get_by_label("새 분류").fill(category)
    began = time.monotonic()
    page.get_by_role("button", name="저장").click()
    return began


def _written(server: Server) -> list[tuple[int, int]]:
    """What the base's files look like from outside: it differs as soon as something is written."""
    found = []
    for path in sorted((server.folder / "kb").glob("groups.sqlite*")):
        with suppress(FileNotFoundError):
            facts = path.stat()
            found.append((facts.st_size, facts.st_mtime_ns))
    return found


def _held(server: Server) -> tuple[QAGroup, list[Revision]]:
    """The group, and what the keeper did, the newest first, as they lie on the disk of the dead server."""
    with closing(GroupStore(server.folder / "kb" / "groups.sqlite")) as store:
        (group,) = (stored.group for stored in store.all_groups() if "고양이 발톱" in stored.group.questions[0])
        return group, [revision for revision in store.revisions() if revision.author == "김도배"]


def _verify(server: Server) -> None:
    command = [sys.executable, "-m", "ui.cli.main", "index", "verify", "--kb", str(server.folder / "kb")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
