"""묻기, as people use it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.server import Server

pytest.importorskip("playwright")
from playwright.sync_api import expect

from tests.browser.steps import LONE_PART, TWO_PARTS, answered, ask, box, settled, too_wide

Keep = Callable[["Page", str], Path]


def test_two_questions_are_answered_in_parts_and_a_marker_opens_its_example(
    page: "Page", server: "Server", keep: Keep
) -> None:
    page.goto(server.url())
    ask(page, TWO_PARTS)
    expect(page.get_by_role("heading", name=re.compile(r"^1\. .*이음매"))).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile(r"^2\. .*곰팡이"))).to_be_visible()
    page.get_by_role("button", name="[1] 사례 보기").first.click()
    expect(page.get_by_text("사례의 질문")).to_be_visible()
    # Before the reader's eyes, though Streamlit keeps a conversation at its end.
    expect(page.get_by_text(re.compile(r"유사도 0\.\d\d"))).to_be_in_viewport()
    expect(page.locator("mark").first).to_be_visible()
    expect(page.get_by_text(re.compile(r"사례 번호: dobae-\d{3}"))).to_be_visible()
    settled(page)
    keep(page, "ask")


def test_the_models_answer_is_seen_growing_and_can_be_stopped(page: "Page", server: "Server") -> None:
    page.goto(server.url())
    page.get_by_role("radio", name="smollm2").click()
    settled(page)
    # Without its adapter it writes word by word rather than whole sentences.
    page.get_by_role("combobox", name="학습된 어댑터").click()
    page.get_by_role("option", name="어댑터 없이").click()
    settled(page)
    page.evaluate("""() => {
        window.seen = new Set();
        new MutationObserver(() => {
            const all = document.querySelectorAll('[data-testid="stChatMessage"]');
            if (all.length > 1) window.seen.add(all[all.length - 1].innerText);
        }).observe(document.body, {childList: true, subtree: true, characterData: true});
    }""")
    box(page).fill(LONE_PART)
    box(page).press("Enter")
    # Texts shown while the answer is still being written: more than one, so that it grows before the reader's eyes.
    page.wait_for_function(
        "() => [...window.seen].filter(text => text.includes('쓰고 있습니다')).length >= 3", timeout=120_000
    )
    page.get_by_role("button", name="그만두기").click()
    expect(page.get_by_text("질문을 취소했습니다.")).to_be_visible(timeout=60_000)


def test_a_question_without_examples_is_refused_and_the_nearest_can_be_asked(page: "Page", server: "Server") -> None:
    page.goto(server.url())
    ask(page, "오늘 서울에서 부산 가는 기차표는 얼마인가요?")
    # The same words stand once more in what can be copied.
    expect(page.get_by_test_id("stAlert").get_by_text("이 질문에 맞는 사례를 지식베이스에서 찾지 못해")).to_be_visible()
    nearest = page.get_by_role("button", name=re.compile(r"\(0\.\d\d\)")).first
    nearest.click()
    answered(page, 1)
    expect(page.get_by_role("button", name="[1] 사례 보기").first).to_be_visible()


def test_a_shared_link_asks_again_after_a_reload(page: "Page", server: "Server") -> None:
    page.goto(server.url(f"?q={quote(LONE_PART)}"))
    answered(page)
    page.reload()
    answered(page)
    expect(page.get_by_role("button", name="[1] 사례 보기").first).to_be_visible()
    assert page.get_by_test_id("stChatMessage").count() == 2


def test_english_is_one_click_away_and_back(page: "Page", server: "Server") -> None:
    page.goto(server.url())
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Dobae answers")).to_be_visible()
    assert "lang=en" in page.url
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    page.get_by_role("link", name="Ask").click()
    expect(page.get_by_role("heading", name="Dobae answers")).to_be_visible()
    page.get_by_role("button", name="한국어").click()
    expect(page.get_by_role("heading", name="도배 문답")).to_be_visible()


def test_a_phone_shows_answer_and_example_without_sideways_scrolling(
    page: "Page", server: "Server", keep: Keep
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.url())
    settled(page)
    ask(page, LONE_PART)
    marker = page.get_by_role("button", name="[1] 사례 보기").first
    keep(page, "phone")
    marker.click()
    expect(page.get_by_text("사례의 질문")).to_be_visible()
    settled(page)
    assert too_wide(page) == []
    keep(page, "phone-example")


def test_on_a_phone_an_answer_is_read_from_its_question_and_words_stay_whole(page: "Page", server: "Server") -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.url())
    ask(page, LONE_PART)
    settled(page)
    ask(page, TWO_PARTS, turn=1)
    expect(page.get_by_test_id("stChatMessage").nth(2)).to_be_in_viewport()
    expect(page.get_by_role("heading", name=re.compile(r"^1\. .*이음매"))).to_be_in_viewport()
    for text in (page.get_by_text("문장마다 근거를"), page.get_by_text("이음매가 벌어지는").filter(visible=True).first):
        expect(text).to_have_css("word-break", "keep-all")


def test_the_keyboard_alone_asks_and_opens_an_example(page: "Page", server: "Server") -> None:
    page.goto(server.url())
    settled(page)
    _tab_to(page, "document.activeElement?.dataset?.testid === 'stChatInputTextArea'")
    page.keyboard.type(LONE_PART)
    page.keyboard.press("Enter")
    answered(page)
    settled(page)
    _tab_to(page, "(active() ?? {}).textContent === '[1]'", backwards=True)
    page.keyboard.press("Enter")
    expect(page.get_by_text("사례의 질문")).to_be_visible()


def test_the_keyboard_alone_copies_an_answer(page: "Page", server: "Server") -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(server.url())
    ask(page, LONE_PART)
    settled(page)
    page.get_by_text("복사 · 공유 · 내려받기").click()
    _tab_to(page, "active()?.ariaLabel === '복사하기'")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="복사했습니다")).to_be_visible()
    assert LONE_PART in page.evaluate("() => navigator.clipboard.readText()")


def _tab_to(page: "Page", reached: str, *, backwards: bool = False) -> None:
    """Presses Tab until a condition on the focused element holds; `active()` looks into components."""
    look = """() => { const active = () => { let node = document.activeElement;
        while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement; return node; };
        return CONDITION }"""
    for _ in range(80):
        if page.evaluate(look.replace("CONDITION", reached)):
            return
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
    pytest.fail("the keyboard never got there")
