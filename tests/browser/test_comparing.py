"""비교, as people use it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.server import Server

pytest.importorskip("playwright")
from playwright.sync_api import expect

from tests.browser.steps import LONE_PART, serious, settled


def test_three_answers_stand_side_by_side_with_their_figures(
    page: "Page", server: "Server", keep: Callable[["Page", str], Path]
) -> None:
    page.goto(server.url("compare"))
    page.get_by_role("textbox", name="질문", exact=True).fill(LONE_PART)
    page.get_by_role("button", name="비교하기").click()
    expect(page.get_by_text("걸린 시간")).to_have_count(3, timeout=480_000)
    for name in ("언어 모델만", "검색 + 언어 모델", "검색 + 그대로 인용"):
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    settled(page)
    keep(page, "compare")
    assert serious(page) == []
    figures = page.get_by_test_id("stMetricValue").all_inner_texts()
    assert len(figures) == 9
    assert figures[0] == "찾지 않음"
    assert re.fullmatch(r"0\.\d\d|1\.00", figures[3])
    assert re.fullmatch(r"(\d+)/\1", figures[7])  # Quoted sentences are all supported.
    # What a quoted answer rests on opens below it.
    page.get_by_role("button", name="[1] 사례 보기").last.click()
    expect(page.get_by_text("사례의 질문")).to_be_visible()
    expect(page.get_by_text(re.compile(r"사례 번호: dobae-\d{3}"))).to_be_in_viewport()
    page.get_by_role("button", name="닫기").click()
    expect(page.get_by_text("사례의 질문")).to_have_count(0)
