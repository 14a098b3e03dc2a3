"""What nobody should send, sent: the page says in Korean what is wrong, and answers the next question."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.server import Server

pytest.importorskip("playwright")
from playwright.sync_api import expect

from tests.browser.steps import LONE_PART, ask, box, enter, section, settled

Keep = Callable[["Page", str], Path]
BAD_QUESTIONS = [
    ("   ", "질문을 글자로 적어 주세요"),
    ("😀😀😀", "질문을 글자로 적어 주세요"),
    ("가" * 100_000, "한 번에 2,000자까지"),
]


@pytest.mark.parametrize(("question", "said"), BAD_QUESTIONS)
def test_a_question_that_cannot_be_asked_is_explained(page: "Page", server: "Server", question: str, said: str) -> None:
    page.goto(server.url())
    settled(page)
    box(page).fill(question)
    box(page).press("Enter")
    expect(page.get_by_text(said)).to_be_visible()
    ask(page, LONE_PART)


def test_nothing_is_not_asked(page: "Page", server: "Server") -> None:
    page.goto(server.url())
    settled(page)
    box(page).press("Enter")
    ask(page, LONE_PART)
    assert page.get_by_test_id("stChatMessage").count() == 2  # The question and its answer.


@pytest.mark.parametrize(("question", "said"), [("", "질문을 글자로 적어 주세요"), *BAD_QUESTIONS])
def test_a_question_that_cannot_be_compared_is_explained(
    page: "Page", server: "Server", question: str, said: str
) -> None:
    page.goto(server.url("compare"))
    settled(page)
    page.get_by_role("textbox", name="질문", exact=True).fill(question)
    page.get_by_role("button", name="비교하기").click()
    expect(page.get_by_text(said).first).to_be_visible()
    settled(page)
    page.get_by_role("link", name="묻기").click()
    ask(page, LONE_PART)


def test_files_that_cannot_be_used_are_explained(page: "Page", server: "Server", keep: Keep, tmp_path: Path) -> None:
    large, bomb, table = tmp_path / "너무 큰 파일.csv", tmp_path / "폭탄.xlsx", tmp_path / "한 줄이 이상함.csv"
    with large.open("wb") as file:
        file.truncate(200 << 20)
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as part,
    ):
        for _ in range(256):
            part.write(bytes(1 << 20))
    assert bomb.stat().st_size < 1 << 20
    table.write_text("질문,답변\n욕실 벽지가 젖어요,말리고 방습 벽지로 바꿉니다.\n문틀 벽지가 들떠요,\n", "utf-8")
    enter(page, server)
    section(page, "파일 올리기")
    chooser = page.get_by_test_id("stFileUploaderDropzoneInput")
    expect(page.get_by_text("파일 하나에 20MB까지 올릴 수 있습니다")).to_be_visible()
    chooser.set_input_files(large)
    told = page.get_by_role("status").filter(has_text="파일이 너무 큽니다. 20MB까지 올릴 수 있습니다")
    expect(told).to_be_in_viewport()
    keep(page, "upload-too-large")
    assert not re.search(r"per file|or smaller|Upload", page.get_by_test_id("stMain").inner_text())
    expect(page.get_by_role("button", name="너무 큰 파일.csv 빼기")).to_be_visible()
    chooser.set_input_files(bomb)
    expect(told).to_have_count(0)
    expect(page.get_by_text("안전하지 않은 파일이라 열지 않았습니다")).to_be_visible()
    chooser.set_input_files(table)
    expect(page.get_by_text("답변이 비어 있습니다.")).to_be_visible()
    settled(page)
    assert page.get_by_test_id("stMetricValue").all_inner_texts() == ["1", "0", "0", "1"]
    page.get_by_role("link", name="묻기").click()
    ask(page, LONE_PART)
