"""Text of people and of the base never runs: fifty attacks in every field the page shows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.browser.server import Server

pytest.importorskip("playwright")
from playwright.sync_api import expect

from tests.browser.attacks import ATTACKS, BUNDLE, bundles
from tests.browser.server import SECRET
from tests.browser.steps import answered, enter, section, settled

# Everything drawn, also within the shadow that a component of ours casts.
_DRAWN = """const within = root => [...root.querySelectorAll('*')].flatMap(node =>
    node.shadowRoot ? [node, ...within(node.shadowRoot)] : [node]);
    const drawn = within(document.body);"""
# What a reader's hand would set off.
TOUCH = (
    f"() => {{ {_DRAWN}"
    + """ for (const node of drawn) {
    if (node.closest('[data-testid="stSidebar"], button[kind], header')) continue;
    for (const kind of ['mouseover', 'pointerenter', 'focus']) node.dispatchEvent(new Event(kind, {bubbles: true}));
} }"""
)
# Nothing on the page is an element or a link that an attack brought.
BROUGHT = (
    f"() => {{ {_DRAWN}"
    + """ return drawn.filter(node =>
    [...node.attributes].some(one => one.name.startsWith('on') || /^[\\s\\x01]*javascript:/i.test(one.value))
    || node.matches('img[src="x"], iframe, object, embed, video, audio[src]')
    ).map(node => node.outerHTML.slice(0, 200)) }"""
)


@pytest.fixture
def ran(context: "BrowserContext") -> set[int]:
    numbers: set[int] = set()
    context.expose_function("attacked", lambda number: numbers.add(number))
    return numbers


def test_the_attacks_run_where_nothing_is_escaped(page: "Page", ran: set[int]) -> None:
    for attack in ATTACKS:
        page.set_content(f"<body>{attack}</body>")
        page.evaluate("""() => { for (const node of document.querySelectorAll('body *'))
            for (const kind of ['mouseover', 'focus']) node.dispatchEvent(new Event(kind));
            for (const node of document.querySelectorAll('a, p, button')) node.dispatchEvent(
                new MouseEvent('click', {bubbles: true, cancelable: true})) }""")
        page.wait_for_timeout(60)
    assert len(ATTACKS) == 50
    assert len(ran) >= 45, sorted(set(range(50)) - ran)


@pytest.mark.parametrize("number", range(len(ATTACKS) // BUNDLE))
def test_no_field_of_an_answer_runs(page: "Page", attacked: "Server", ran: set[int], number: int) -> None:
    text = bundles()[number]
    page.goto(attacked.url(f"?lang={quote(text)}&q={quote(f'벽지 {number}번 {text}')}"))
    answered(page)
    settled(page)
    page.evaluate(TOUCH)
    page.get_by_role("button", name="[1] 사례 보기").first.click()
    expect(page.get_by_text("사례의 질문")).to_be_visible()
    settled(page)
    page.evaluate(TOUCH)
    shown = page.locator("body").inner_text()
    for field in (
        f"벽지 {number}번 ",
        f"{number}번 벽지는",
        "분류: 분류 ",
        f"사례 번호: g{number} ",
        "출처: 출처 ",
    ):
        assert field in shown
    assert page.evaluate(BROUGHT) == []
    assert ran == set()


def test_no_question_runs_in_the_comparison(page: "Page", attacked: "Server", ran: set[int]) -> None:
    page.goto(attacked.url("compare"))
    for text in bundles():
        page.get_by_role("textbox").first.fill(text)
        page.get_by_role("button", name="비교하기").click()
        expect(page.get_by_text(text[:20]).first).to_be_visible()
        page.get_by_role("button", name="그만두기").click()
        expect(page.get_by_text("질문을 취소했습니다.").first).to_be_visible()
        page.evaluate(TOUCH)
        assert page.evaluate(BROUGHT) == []
    assert ran == set()


def test_no_field_of_the_keepers_page_runs(page: "Page", attacked: "Server", ran: set[int], tmp_path: Path) -> None:
    page.goto(attacked.url("knowledge"))
    page.get_by_role("textbox", name="이름 (이력에 남습니다)").fill(bundles()[0][:60])
    page.get_by_label("관리자 암호").fill(SECRET)
    page.get_by_role("button", name="들어가기").click()
    expect(page.get_by_role("heading", name="지식베이스")).to_be_visible()
    settled(page)
    _touch(page)
    for number, text in enumerate(bundles()):
        page.get_by_label("검색어").fill(text)
        page.keyboard.press("Enter")
        settled(page)
        _touch(page)
        page.get_by_role("button", name=f"벽지 {number}번 ").first.click()
        expect(page.get_by_role("button", name="저장")).to_be_visible()
        page.get_by_label("출처").fill(f"새 출처 {text}"[:200])
        page.get_by_role("button", name="저장").click()
        expect(page.get_by_text("저장했습니다")).to_be_visible()
        settled(page)
        _touch(page)
        page.get_by_role("button", name="목록으로").click()
        settled(page)
    section(page, "이력")
    for revision in page.get_by_test_id("stExpander").all()[: len(bundles())]:
        revision.locator("summary").click()
    settled(page)
    _touch(page)
    section(page, "파일 올리기")
    rows = [
        *(f'"{text.replace(chr(34), chr(34) * 2)}","{text.replace(chr(34), chr(34) * 2)}"' for text in ATTACKS),
        ',"x"',
    ]
    chooser = page.get_by_test_id("stFileUploaderDropzoneInput")
    for number, attack in enumerate(("<img src=x onerror=attacked(1)>", "[x](javascript:attacked(2))")):
        raw = "\n".join(["질문,답변", *rows]).encode() if number == 0 else attack.encode()
        chooser.set_input_files({"name": f"{attack}.csv", "mimeType": "text/csv", "buffer": raw})
        expect(page.get_by_text("쓸 수 없는 줄과 이유" if number == 0 else "질문 열과 답변 열을")).to_be_visible()
        settled(page)
        _touch(page)
    assert ran == set()


def test_no_verdict_runs_in_the_queue(page: "Page", attacked: "Server", ran: set[int]) -> None:
    for number, text in enumerate(bundles()):
        page.goto(attacked.url(f"?q={quote(f'벽지 {number}번 {text}')}"))
        answered(page)
        settled(page)
        page.get_by_role("radio", name="아쉬워요").click()
        page.get_by_role("textbox", name="이유 (선택)").fill(text[:500])
        page.get_by_role("button", name="동의하고 보내기").click()
        expect(page.get_by_text("의견을 저장했습니다")).to_be_visible()
    enter(page, attacked)
    section(page, f"의견함 ({len(bundles())})")
    for answer in page.get_by_text("그때의 답변").all():
        answer.click()
    settled(page)
    assert page.locator("body").inner_text().count("이유: ") == len(bundles())
    _touch(page)
    assert ran == set()


def test_no_name_of_a_run_or_an_adapter_runs(page: "Page", attacked: "Server", ran: set[int]) -> None:
    for number, kind in enumerate(("report.json", "adapter/adapter_config.json")):
        file = attacked.folder / "runs" / f"<img src=x onerror=attacked({number})> [x](javascript:attacked(9))" / kind
        file.parent.mkdir(parents=True)
        file.write_text("{}", "utf-8")
    card = {"base_model": "smollm2"}
    (file.parent / "dobae_adapter.json").write_text(json.dumps(card), "utf-8")
    (file.parent / "adapter_model.safetensors").write_bytes(b"")
    enter(page, attacked)
    page.get_by_role("link", name="평가").click()
    expect(page.get_by_text("처리하지 못했습니다")).to_be_visible()
    _touch(page)
    page.get_by_role("link", name="묻기").click()
    page.get_by_role("radio", name="smollm2").click()
    page.get_by_role("combobox", name="학습된 어댑터").click()
    expect(page.get_by_role("option", name="onerror")).to_be_visible()
    _touch(page)
    page.get_by_role("option", name="onerror").click()
    settled(page)
    _touch(page)
    assert ran == set()


def test_no_field_of_an_audit_runs(page: "Page", attacked: "Server", ran: set[int]) -> None:
    enter(page, attacked)
    page.get_by_role("link", name="데이터").click()
    page.get_by_role("button", name="점검하기").click()
    expect(page.get_by_role("heading", name="분류별 사례 수")).to_be_visible(timeout=480_000)
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first).to_be_visible()
    settled(page)
    _touch(page)
    assert ran == set()


def _touch(page: "Page") -> None:
    page.evaluate(TOUCH)
    assert page.evaluate(BROUGHT) == []
