"""axe finds no serious violation."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.server import Server

pytest.importorskip("playwright")
from playwright.sync_api import expect

from tests.browser.steps import LONE_PART, ask, enter, section, serious, settled, too_wide

Keep = Callable[["Page", str], Path]


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_asking_has_no_serious_violation(page: "Page", server: "Server", colours: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=colours)
    page.goto(server.url())
    settled(page)
    assert serious(page) == []
    ask(page, LONE_PART)
    page.get_by_role("button", name="[1] 사례 보기").first.click()
    expect(page.get_by_text("사례의 질문")).to_be_visible()
    settled(page)
    assert serious(page) == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_comparing_has_no_serious_violation(page: "Page", server: "Server", colours: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=colours)
    page.goto(server.url("compare"))
    settled(page)
    assert serious(page) == []


@pytest.mark.parametrize("name", ["찾아보기", "새 사례", "파일 올리기", "이력", "의견함", "내려받기"])
def test_keeping_has_no_serious_violation(page: "Page", server: "Server", name: str) -> None:
    enter(page, server)
    section(page, name)
    assert serious(page) == []


def test_a_plan_of_training_has_no_serious_violation(page: "Page", server: "Server", keep: Keep) -> None:
    enter(page, server)
    page.get_by_role("link", name="학습").click()
    expect(page.get_by_role("heading", name="메모리 계획")).to_be_visible()
    bar = page.get_by_test_id("stVegaLiteChart").locator(".mark-rect path").first
    expect(bar).to_be_attached()
    settled(page)
    keep(page, "training-fits")
    drawn = bar.bounding_box()
    assert drawn is not None
    assert drawn["height"] > 20
    page.get_by_label("쓸 수 있는 메모리 (GiB)").fill("3")
    page.keyboard.press("Enter")
    expect(page.get_by_text("한도를 넘습니다")).to_be_visible()
    settled(page)
    keep(page, "training")
    assert serious(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("() => document.querySelector('[data-testid=stVegaLiteChart] svg').clientWidth < 390")
    settled(page)
    assert too_wide(page) == []


def test_an_evaluation_started_here_is_plotted_without_serious_violation(
    page: "Page", server: "Server", keep: Keep
) -> None:
    enter(page, server)
    page.get_by_role("link", name="평가").click()
    expect(page.get_by_text("아직 평가 보고서가 없습니다")).to_be_visible()
    settled(page)
    page.get_by_text("새 평가 시작하기").click()
    settled(page)
    page.get_by_role("button", name="평가 시작").click()
    expect(page.get_by_text("평가가 끝났습니다")).to_be_visible(timeout=480_000)
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first).to_be_visible()
    settled(page)
    keep(page, "evaluation")
    assert serious(page) == []
