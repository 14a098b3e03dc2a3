"""The entrance to the pages that change something: drawn in their place until the keeper has entered."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st
from streamlit.errors import StreamlitAuthError

from data.errors import DobaeError, one_line
from data.problems import in_words
from ui.app.markup import label
from ui.app.session import gate, say
from ui.app.signing_in import asking_is_open, keepers, name_of, standing

IDLE_SECONDS = 3_600.0
"""After so long without a step the passphrase is asked again."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who has entered.

    Attributes:
        name: As given, for the history.
        key: Of the passphrase given; "" for somebody who signed in at a provider.
        seen: Clock at the last step, in seconds.
    """

    name: str
    key: str
    seen: float


def keeper() -> Keeper | None:
    """Returns who has entered this session, or draws the entrance and returns None."""
    if keepers():
        return _signed_in()
    try:
        key = gate().key()
    except DobaeError as error:
        st.error(label(in_words(error, say)))
        return None
    known: Keeper | None = st.session_state.get("keeper")
    now = time.monotonic()
    if known is not None:
        if known.key == key and now - known.seen < IDLE_SECONDS:
            st.session_state.keeper = replace(known, seen=now)
            _draw_leaving(known.name, _leave)
            return known
        _leave()
        st.warning(say("login_expired"))
    _entrance(key)
    return None


def _leave() -> None:
    st.session_state.pop("keeper", None)


def _draw_leaving(name: str, leave: Callable[[], None]) -> None:
    with st.sidebar:
        st.caption(label(name))
        st.button(say("logout"), key="logout", on_click=leave)


def _signed_in() -> Keeper | None:
    user = st.user.to_dict()
    now = standing(user, time.time())
    if now == "keeper":
        name = name_of(user)
        _draw_leaving(name, st.logout)
        return Keeper(name, "", time.monotonic())
    st.title(say("login_title"))
    st.write(say("login_oidc_intro" if asking_is_open() else "login_oidc_intro_closed"))
    if now in ("out", "expired"):
        if now == "expired":
            st.warning(say("login_oidc_expired"))
        if st.button(say("login_oidc_enter"), key="sign_in", type="primary"):
            try:
                st.login()
            except StreamlitAuthError as error:  # No [auth] section, or not all of it; no Authlib.
                st.error(say("login_oidc_unset", reason=label(one_line(error))))
    else:
        st.error(say(f"login_oidc_{now}", email=label(str(user.get("email", "")))))
        st.button(say("login_oidc_other"), key="sign_out", on_click=st.logout)
    return None


def _entrance(key: str | None) -> None:
    st.title(say("login_title"))
    st.write(say("login_intro" if asking_is_open() else "login_intro_closed"))
    if key is None:
        st.info(say("login_none"))
        st.code("dobae ui passphrase", language=None)
        return
    with st.form("login", width=480):
        name = st.text_input(say("login_name"), max_chars=60, help=say("login_name_help"), autocomplete="username")
        given = st.text_input(say("login_passphrase"), type="password", max_chars=1000, autocomplete="current-password")
        sent = st.form_submit_button(say("login_enter"), type="primary")
    if not sent:
        return
    address = st.context.ip_address
    entered = gate().enter(given, address)
    if entered is not None:
        st.session_state.keeper = Keeper(" ".join(name.split()) or say("keeper"), entered, time.monotonic())
        st.rerun()
    pause = gate().pause(address)
    if pause > 0:
        st.error(say("login_pause", seconds=math.ceil(pause)))
    else:
        st.error(say("login_wrong"))
