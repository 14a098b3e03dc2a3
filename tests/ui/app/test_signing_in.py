"""Keepers who sign in at a provider, named by e-mail address."""

import time
from typing import Any

import pytest
from streamlit import user_info
from streamlit.testing.v1 import AppTest

from tests.ui.app.conftest import turn_to
from ui.app.signing_in import SIGNED_IN_SECONDS, name_of, standing

NOW = 1_800_000_000.0
KEEPER: dict[str, Any] = {
    "is_logged_in": True,
    "email": "Kim@Example.com",
    "email_verified": True,
    "name": "김도배",
    "iat": NOW,
}


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOBAE_KEEPERS", "lee@example.com, kim@example.com")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, "keeper"),
        ({"email_verified": "true"}, "keeper"),
        ({"is_logged_in": False}, "out"),
        ({"is_logged_in": "true"}, "out"),
        ({"email": "kim@example.com.evil.example"}, "stranger"),
        ({"email": ""}, "stranger"),
        ({"email": None}, "stranger"),
        ({"email_verified": False}, "unverified"),
        ({"email_verified": None}, "unverified"),
        ({"iat": NOW - SIGNED_IN_SECONDS - 1}, "expired"),
        ({"iat": None}, "expired"),
    ],
)
def test_only_a_named_and_verified_address_of_today_is_a_keeper(claims: dict[str, Any], expected: str) -> None:
    assert standing(KEEPER | claims, NOW) == expected


def test_nobody_is_a_keeper_without_claims() -> None:
    assert standing({}, NOW) == "out"


def test_the_history_never_shows_a_whole_address() -> None:
    assert name_of(KEEPER) == "김도배"
    assert name_of({"email": "kim@example.com"}) == "kim"


def _opened(page: AppTest, user: dict[str, Any]) -> str:
    page.user = user
    page.run()
    turn_to(page, "knowledge")
    return " ".join(element.value for element in (*page.error, *page.warning))


def test_a_keeper_who_signed_in_edits_under_their_name(page: AppTest) -> None:
    _opened(page, KEEPER | {"iat": time.time()})
    assert page.button_group or page.get("button_group")
    assert "김도배" in " ".join(caption.value for caption in page.sidebar.caption)
    page.button(key="kb_open g2").click().run()
    page.text_area(key="edit g2 answer1").set_value("베이킹소다를 푼 물로 닦습니다.")
    next(button for button in page.button if button.label == "저장").click().run()
    assert not page.exception
    page.session_state["kb_go"] = "history"
    page.run()
    assert "김도배" in " ".join(expander.label for expander in page.expander)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"email": "park@example.com"}, "관리자가 아닙니다"),
        ({"email_verified": False}, "확인되지 않은 계정"),
        ({"iat": 0}, "다시 로그인해"),
    ],
)
def test_others_who_signed_in_are_told_why_the_page_stays_closed(
    page: AppTest, claims: dict[str, Any], said: str
) -> None:
    assert said in _opened(page, KEEPER | {"iat": time.time()} | claims)
    assert len(page.title) == 1
    assert not page.text_input  # Nor is a passphrase asked.


def test_signing_in_asks_the_provider(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(user_info, "is_authlib_installed", lambda: True)
    monkeypatch.setattr(user_info, "validate_auth_credentials", asked.append)
    monkeypatch.setattr(user_info, "generate_login_redirect_url", lambda provider: f"/auth/login?provider={provider}")
    _opened(page, {})
    page.button(key="sign_in").click().run()
    assert not page.exception
    assert asked == ["default"]


def test_keepers_without_a_provider_let_nobody_in_and_say_what_is_missing(page: AppTest) -> None:
    _opened(page, {})
    page.button(key="sign_in").click().run()
    assert not page.exception
    assert "로그인 설정이 다 되어 있지 않아" in " ".join(error.value for error in page.error)
