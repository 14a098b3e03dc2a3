"""The entrance to the pages that change something: drawn in their place until the keeper has entered."""

import math
import time
from dataclasses import dataclass, replace

import streamlit as st

from data.errors import DobaeError
from ui.app.markup import label
from ui.app.problems import in_words
from ui.app.session import gate, say

IDLE_SECONDS = 3_600.0
"""After so long without a step the passphrase is asked again."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who has entered.

    Attributes:
        name: As given, for the history.
        key: Of the passphrase given.
        seen: Clock at the last step, in seconds.
    """

    name: str
    key: str
    seen: float


def keeper() -> Keeper | None:
    """Returns who has entered this session, or draws the entrance and returns None."""
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
            with st.sidebar:
                st.caption(label(known.name))
                st.button(say("logout"), key="logout", on_click=_leave)
            return known
        _leave()
        st.warning(say("login_expired"))
    _entrance(key)
    return None


def _leave() -> None:
    st.session_state.pop("keeper", None)


def _entrance(key: str | None) -> None:
    st.title(say("login_title"))
    st.write(say("login_intro"))
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
    pause = gate().pause()
    entered = gate().enter(given) if pause <= 0 else None
    if entered is not None:
        st.session_state.keeper = Keeper(" ".join(name.split()) or say("keeper"), entered, time.monotonic())
        st.rerun()
    pause = gate().pause()
    if pause > 0:
        st.error(say("login_pause", seconds=math.ceil(pause)))
    else:
        st.error(say("login_wrong"))
