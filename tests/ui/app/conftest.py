"""The page through Streamlit's own test runner, with a base and an engine that are ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import HashEncoder
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever
from ui.app import engine as engine_module
from ui.app import passphrase, runs, session

MAIN = Path(engine_module.__file__).parent / "main.py"
SECRET = "도배 풀은 되직하게"
ADDRESS = {"now": "192.0.2.7"}
"""Whence the visitor comes."""
CACHED = (session.engine, session.feedback, session.gate)


@pytest.fixture
def page(tmp_path: Path, groups: tuple[QAGroup, ...], monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    encoder = HashEncoder()
    build_knowledge_base(tmp_path / "kb", groups, encoder)
    retriever = Retriever(open_knowledge_base(tmp_path / "kb", encoder))
    monkeypatch.setattr(engine_module, "open_retriever", lambda *_: retriever)
    monkeypatch.setattr(passphrase, "N", 1 << 4)
    monkeypatch.setenv("DOBAE_FEEDBACK", str(tmp_path / "feedback.sqlite"))
    monkeypatch.setenv("DOBAE_PASSPHRASE_FILE", str(tmp_path / "passphrase.json"))
    monkeypatch.setattr(type(st.context), "ip_address", property(lambda _: ADDRESS["now"]))
    monkeypatch.setitem(ADDRESS, "now", ADDRESS["now"])
    monkeypatch.setattr(runs, "_LATEST", {})
    for cached in CACHED:
        cached.clear()
    yield AppTest.from_file(str(MAIN), default_timeout=120)
    session.feedback().close()
    for cached in CACHED:
        cached.clear()


def turn_to(page: AppTest, name: str) -> None:
    """Opens another page, as a click in the menu does; `switch_page` knows pages of files only."""
    page._page_hash = calc_hash(name)
    page.run()
    assert not page.exception


@pytest.fixture
def entered(page: AppTest) -> AppTest:
    """The knowledge base's page, after its keeper has entered."""
    passphrase.set_passphrase(passphrase.passphrase_file(), SECRET)
    page.run()
    turn_to(page, "knowledge")
    page.text_input[0].set_value("김도배")
    page.text_input[1].set_value(SECRET)
    page.button(key="FormSubmitter:login-들어가기").click().run()
    assert not page.exception
    assert page.session_state["keeper"].name == "김도배"
    return page
