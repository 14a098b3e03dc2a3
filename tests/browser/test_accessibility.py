"""axe finds no serious violation."""

from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.server import Server

pytest.importorskip("playwright")
from playwright.sync_api import expect

from tests.browser.steps import LONE_PART, ask, settled


def _serious(page: "Page") -> list[Any]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_asking_has_no_serious_violation(page: "Page", server: "Server", colours: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=colours)
    page.goto(server.url())
    settled(page)
    assert _serious(page) == []
    ask(page, LONE_PART)
    page.get_by_role("button", name="[1] 사례 보기").first.click()
    expect(page.get_by_text("사례의 질문")).to_be_visible()
    settled(page)
    assert _serious(page) == []


def test_comparing_has_no_serious_violation(page: "Page", server: "Server") -> None:
    page.goto(server.url("compare"))
    settled(page)
    assert _serious(page) == []
