"""Many people at once: nobody gets another's answer, and the keeper's page still opens.

`DOBAE_SESSIONS=20x10` makes it twenty sessions of ten questions each; few do here, so that it takes seconds.
"""

import os
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.server import Server

pytest.importorskip("playwright")
from playwright.sync_api import expect

from data.sentences import split_sentences
from data.types import QAGroup
from rag.decompose import decompose
from tests.browser.steps import SPEED, box, enter, settled
from ui.app.follow_up import continued

SESSIONS, QUESTIONS = map(int, os.environ.get("DOBAE_SESSIONS", "4x2").split("x"))


def _stands_alone(question: str) -> bool:
    return len(decompose(question)) == 1 and continued(question, "장판이 떴어요") == question


def test_nobody_gets_anothers_answer(
    browser: "Browser", page: "Page", server: "Server", starter_groups: tuple[QAGroup, ...]
) -> None:
    # One question each, and none that leans on the one before, such as "이거 결로야 누수야".
    lone = [group for group in starter_groups if _stands_alone(group.questions[0])]
    contexts = [browser.new_context(locale="ko-KR") for _ in range(SESSIONS)]
    pages = [context.new_page() for context in contexts]
    try:
        for each in pages:
            each.goto(server.url())
        for each in pages:
            settled(each)
        for turn in range(QUESTIONS):
            asked = [lone[(number * QUESTIONS + turn) % len(lone)] for number in range(SESSIONS)]
            for each, group in zip(pages, asked, strict=True):
                box(each).fill(group.questions[0])
                box(each).press("Enter")
            if turn == 0:
                enter(page, server)  # While all of them wait.
            for each, group in zip(pages, asked, strict=True):
                expect(each.get_by_text(SPEED).nth(turn)).to_be_visible(timeout=300_000)
                # A marker stands between two sentences.
                longest = (max(split_sentences(answer), key=len) for answer in group.answers)
                own = re.compile("|".join(re.escape(sentence[:12]) for sentence in longest))
                shown = each.get_by_test_id("stChatMessage").last.get_by_text(own)
                expect(shown.filter(visible=True).first).to_be_visible()
        assert all(each.get_by_test_id("stChatMessage").count() == 2 * QUESTIONS for each in pages)
    finally:
        for context in contexts:
            context.close()
