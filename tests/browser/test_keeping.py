"""지식베이스, as its keeper uses it in a browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright")
from playwright.sync_api import expect

from tests.browser.server import Server
from tests.browser.steps import add_group, ask, enter, section, serious, settled, too_wide

Keep = Callable[["Page", str], Path]
# About nothing that the other tests ask.
QUESTION = "문틀 옆 벽지가 고양이 발톱에 뜯겼는데 어떻게 하나요?"
FIRST = "같은 무늬 벽지를 조금 크게 잘라 무늬를 맞추어 덧대고 두 겹을 함께 잘라 냅니다."
SECOND = "뜯긴 자리의 보풀을 정리한 뒤 남겨 둔 벽지 조각을 무늬에 맞추어 이어 붙입니다."


def test_the_keeper_is_refused_enters_edits_and_the_next_answer_uses_it(
    page: "Page", server: Server, keep: Keep
) -> None:
    page.goto(server.url("knowledge"))
    page.get_by_label("관리자 암호").fill("틀린 암호입니다 하나")
    page.get_by_role("button", name="들어가기").click()
    expect(page.get_by_text("암호가 맞지 않습니다")).to_be_visible()
    expect(page.get_by_text("찾아보기")).to_have_count(0)
    keep(page, "login")
    enter(page, server)
    keep(page, "knowledge")
    add_group(page, QUESTION, FIRST)
    page.get_by_role("button", name=QUESTION).click()
    page.get_by_label("답변 1").fill(SECOND)
    page.get_by_role("button", name="저장").click()
    expect(page.get_by_text("저장했습니다")).to_be_visible()
    settled(page)
    keep(page, "edit")
    section(page, "이력")
    page.get_by_text(re.compile("고침 · 김도배")).first.click()
    expect(page.get_by_text(FIRST).first).to_be_visible()
    keep(page, "history")
    page.get_by_role("link", name="묻기").click()
    ask(page, QUESTION)
    expect(page.get_by_text(SECOND[:20]).filter(visible=True).first).to_be_visible()


def test_an_upload_is_previewed_with_reasons_before_it_is_applied(
    page: "Page", server: Server, keep: Keep, tmp_path: Path
) -> None:
    enter(page, server)
    section(page, "파일 올리기")
    bad = tmp_path / "이상한 파일.xlsx"
    bad.write_bytes(b"not a workbook")
    chooser = page.get_by_test_id("stFileUploaderDropzoneInput")
    chooser.set_input_files(bad)
    expect(page.get_by_text("엑셀 파일을 열지 못했습니다")).to_be_visible()
    good = tmp_path / "새 사례.csv"
    good.write_text(
        "질문,답변,분류\n욕실 천장 도배지에 물방울이 맺혀요,환풍기를 돌리고 방습 벽지로 바꿉니다.,결로·누수\n"
        ",질문이 없는 답변입니다.,기타\n😀,글자가 없는 질문입니다.,기타\n",
        "utf-8",
    )
    chooser.set_input_files(good)
    expect(page.get_by_text("질문이 비어 있습니다.")).to_be_visible()
    expect(page.get_by_text("질문에 글자나 숫자가 없습니다.")).to_be_visible()
    settled(page)
    keep(page, "upload")
    page.get_by_role("button", name="반영하기").click()
    expect(page.get_by_text("파일을 반영했습니다: 새 사례 1개")).to_be_visible()


def test_a_question_without_an_answer_is_left_and_becomes_an_example(page: "Page", own: Server) -> None:
    page.goto(own.url())
    ask(page, "오늘 서울에서 부산 가는 기차표는 얼마인가요?")
    page.get_by_role("button", name="동의하고 이 질문 남기기").click()
    expect(page.get_by_text("질문을 남겼습니다")).to_be_visible()
    enter(page, own)
    section(page, "의견함 (1)")
    expect(page.get_by_text("이유: 답을 찾지 못한 질문")).to_be_visible()
    page.get_by_role("button", name="사례로 만들기").click()
    expect(page.get_by_label(re.compile("^질문"))).to_have_value("오늘 서울에서 부산 가는 기차표는 얼마인가요?")
    page.get_by_label("답변 1").fill("기차표는 철도 회사의 예매 화면에서 확인해 주세요.")
    page.get_by_role("button", name="사례 더하기").click()
    expect(page.get_by_text("새 사례를 더했습니다")).to_be_visible()
    expect(page.get_by_text("처리할 의견이 없습니다")).to_be_visible()


def test_the_keepers_page_fits_a_phone(page: "Page", server: Server, keep: Keep) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    enter(page, server)
    assert too_wide(page) == []
    keep(page, "knowledge-phone")
    page.get_by_test_id("stBaseButton-tertiary").first.click()
    page.get_by_role("button", name="저장").click()
    # Above a form that is longer than the window.
    expect(page.get_by_text("바뀐 내용이 없습니다")).to_be_in_viewport()


def test_the_audit_of_the_base_is_seen_as_plots(page: "Page", server: Server, keep: Keep) -> None:
    enter(page, server)
    page.get_by_role("link", name="데이터").click()
    page.get_by_role("button", name="점검하기").click()
    # The audit gives way to everything else on the machine.
    expect(page.get_by_role("heading", name="살펴볼 곳")).to_be_visible(timeout=600_000)
    # Plots are drawn after the text, by a program that the browser loads for the first of them.
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").nth(3)).to_be_attached()
    settled(page)
    keep(page, "data")
    assert serious(page) == []


def test_a_trial_run_draws_its_loss_and_its_adapter_is_compared(page: "Page", own: Server, keep: Keep) -> None:
    enter(page, own)
    page.get_by_role("link", name="학습").click()
    page.get_by_role("button", name="시험 학습 시작").click()
    expect(page.get_by_text("학습하고 있습니다")).to_be_visible()
    page.reload()  # The run goes on, and is found again.
    enter(page, own)
    page.get_by_role("link", name="학습").click()
    expect(page.get_by_text("학습이 끝났습니다")).to_be_visible(timeout=900_000)
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").nth(1)).to_be_attached()
    settled(page)
    keep(page, "training-run")
    page.get_by_role("button", name="비교 화면에서 써 보기").click()
    expect(page.get_by_role("heading", name="비교", exact=True)).to_be_visible()
    expect(page.get_by_role("combobox", name="학습된 어댑터")).to_have_value(re.compile("^page-tiny-"))
