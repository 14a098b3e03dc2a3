"""의견함: what readers disliked, and what they asked in vain, until the keeper has dealt with it."""

import streamlit as st

from ui.app.feedback import FeedbackError, Waiting
from ui.app.keeping import Keeping
from ui.app.markup import block, label
from ui.app.session import feedback, local_time, say

SHOWN = 50
"""Questions drawn; anybody may leave one."""


def questions_waiting() -> list[Waiting]:
    """Returns what waits, the newest first; says so on the page where it cannot be read."""
    try:
        return feedback().waiting()
    except FeedbackError:
        st.error(say("not_stored"))
        return []


def queue(keeping: Keeping, waiting: list[Waiting]) -> None:
    """Draws the questions with what can be done about each."""
    st.write(say("kb_queue_intro"))
    if not waiting:
        st.info(say("kb_queue_empty"))
    for each in waiting[:SHOWN]:
        with st.container(border=True):
            st.html(block(each.question))
            when, count = local_time(each.at), len(each.numbers)
            st.caption(when if count == 1 else say("kb_queue_times", count=count, time=when))
            what_was_said(each)
            _examples(keeping, each)
            with st.container(horizontal=True):
                make = st.button(say("kb_queue_make"), key=f"kb_make{each.numbers[0]}", type="primary")
                done = st.button(say("kb_queue_done"), key=f"kb_done{each.numbers[0]}")
            if make:
                state = st.session_state
                state.kb_from, state.kb_go, state.kb_form = each, "new", state.get("kb_form", 0) + 1
                st.rerun()
            if done:
                try:
                    feedback().settle(each)
                except FeedbackError:
                    st.error(say("not_settled"))
                else:
                    st.rerun()
    if len(waiting) > SHOWN:
        st.caption(say("kb_more", count=f"{len(waiting) - SHOWN:,}"))


def what_was_said(waiting: Waiting) -> None:
    """Draws the reasons that readers gave, and the answer they were given."""
    for reason in waiting.reasons:
        st.html(block(say("kb_queue_reason", reason=reason)))
    with st.expander(say("kb_queue_answer")):
        st.html(block(waiting.answer))


def _examples(keeping: Keeping, waiting: Waiting) -> None:
    """Offers the examples that the answer rested on: to mend one may be better than to add another."""
    held = [group for name in waiting.groups if (group := keeping.group(name)) is not None]
    if held:
        st.caption(say("kb_queue_mend"))
    for group in held:
        key = f"kb_mend{waiting.numbers[0]} {group.id}"
        text = label(f"{group.questions[0]} ({group.id})")
        st.button(text, key=key, type="tertiary", on_click=_mend, args=(group.id,))


def _mend(identifier: str) -> None:
    state = st.session_state
    state.kb_opened, state.kb_go = identifier, "browse"
