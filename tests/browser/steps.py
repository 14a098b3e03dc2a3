"""What a person does on the page, in words."""

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.server import SECRET

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.server import Server

SECTIONS = {
    "찾아보기": "browse",
    "새 사례": "new",
    "파일 올리기": "upload",
    "이력": "history",
    "의견함": "queue",
    "내려받기": "download",
}
SPEED = re.compile(r"첫 글자까지 [\d.]+초")
LONE_PART = "도배한 벽지가 우는데 그냥 두면 펴지나요?"
TWO_PARTS = "벽지 이음매가 벌어졌는데 왜 그런가요? 그리고 곰팡이는 어떻게 지우나요?"


def box(page: "Page") -> "Locator":
    """Returns the box one asks in."""
    return page.get_by_test_id("stChatInputTextArea")


def ask(page: "Page", question: str, *, turn: int = 0) -> None:
    """Asks, and waits for the whole answer of the turn so many after the first."""
    box(page).fill(question)
    box(page).press("Enter")
    answered(page, turn)


def answered(page: "Page", turn: int = 0) -> None:
    """Waits for the whole answer of a turn."""
    expect(page.get_by_text(SPEED).nth(turn)).to_be_visible(timeout=120_000)


def enter(page: "Page", server: "Server") -> None:
    """Opens the knowledge base's page as its keeper."""
    page.goto(server.url("knowledge"))
    page.get_by_role("textbox", name="이름 (이력에 남습니다)").fill("김도배")
    page.get_by_label("관리자 암호").fill(SECRET)
    page.get_by_role("button", name="들어가기").click()
    expect(page.get_by_role("heading", name="지식베이스")).to_be_visible()
    settled(page)


def section(page: "Page", name: str) -> None:
    """Opens a section of the knowledge base's page."""
    page.get_by_test_id("stButtonGroup").get_by_text(name).click()
    expect(page.locator(f".st-key-kb_section_{SECTIONS[name.partition(' (')[0]]}")).to_be_visible()
    settled(page)


def add_group(page: "Page", question: str, answer: str) -> None:
    """Adds a group on the knowledge base's page."""
    section(page, "새 사례")
    page.get_by_label(re.compile("^질문")).fill(question)
    page.get_by_label("답변 1").fill(answer)
    page.get_by_role("button", name="사례 더하기").click()
    expect(page.get_by_text("새 사례를 더했습니다")).to_be_visible()
    settled(page)


def settled(page: "Page") -> None:
    """Waits until the server has drawn everything."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator('[data-stale="true"]')).to_have_count(0)
    # The page's own style comes a moment after what it sets.
    page.wait_for_function(
        "() => [...document.querySelectorAll('style')].some(({sheet}) => sheet && "
        "[...sheet.cssRules].some(rule => rule.cssText.includes('keep-all')))"
    )


def too_wide(page: "Page") -> list[str]:
    """Returns what can be seen beyond the right edge of the window."""
    found: list[str] = page.evaluate("""() => [...document.querySelectorAll('*')].filter(node =>
        node.checkVisibility() && node.getBoundingClientRect().right > innerWidth + 1
        && node.getBoundingClientRect().left < innerWidth && !node.closest('[data-testid="stSidebar"]')
        ).map(node => node.tagName + '.' + node.className)""")
    return found


def serious(page: "Page") -> list[Any]:
    """Returns what axe finds of serious violations of accessibility."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]
