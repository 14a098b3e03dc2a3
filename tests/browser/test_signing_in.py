"""Keepers who sign in at an OpenID Connect provider, in a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright")
pytest.importorskip("authlib")
from playwright.sync_api import expect

from tests.browser.provider import CLIENT, SECRET, Provider
from tests.browser.server import Server
from tests.browser.steps import settled

KEEPER = {"email": "kim@example.com", "email_verified": True, "name": "김도배"}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
def signing(own_base: Path, provider: Provider) -> Iterator[Server]:
    file = own_base / "secrets.toml"
    server = Server(own_base, DOBAE_KEEPERS="kim@example.com", STREAMLIT_SECRETS_FILES=str(file))
    file.write_text(
        f'[auth]\nredirect_uri = "{server.url("oauth2callback")}"\ncookie_secret = "for this test alone, long enough"\n'
        f'client_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
        f'server_metadata_url = "{provider.url}/.well-known/openid-configuration"\n'
    )
    with server:
        yield server


def _sign_in(page: "Page", server: Server) -> None:
    page.goto(server.url("knowledge"))
    page.get_by_role("button", name="계정으로 로그인").click()
    page.wait_for_url(server.url())  # Streamlit comes back to the first page.
    settled(page)
    page.get_by_role("link", name="지식베이스").click()


def test_a_named_keeper_signs_in_and_leaves(page: "Page", signing: Server, provider: Provider) -> None:
    provider.account = KEEPER
    _sign_in(page, signing)
    expect(page.get_by_text("찾아보기")).to_be_visible()
    expect(page.get_by_test_id("stSidebar").get_by_text("김도배")).to_be_visible()
    page.get_by_role("button", name="나가기").click()
    page.wait_for_url(signing.url())
    page.goto(signing.url("knowledge"))
    expect(page.get_by_role("button", name="계정으로 로그인")).to_be_visible()


@pytest.mark.parametrize(
    ("claims", "said"),
    [({"email": "lee@example.com"}, "관리자가 아닙니다"), ({"email_verified": False}, "확인되지 않은 계정")],
)
def test_others_are_told_why_they_may_not(
    page: "Page", signing: Server, provider: Provider, claims: dict[str, object], said: str
) -> None:
    provider.account = KEEPER | claims
    _sign_in(page, signing)
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.get_by_text("찾아보기")).to_have_count(0)
    expect(page.get_by_role("textbox", name="관리자 암호")).to_have_count(0)
