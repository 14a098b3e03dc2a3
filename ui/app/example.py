"""One example that an answer rests on, shown whole, with what tells a reader how far to trust it."""

import streamlit as st

from data.errors import DobaeError
from data.types import Hit
from ui.app.markup import block, highlighted
from ui.app.session import engine, local_time, say

VERY_NEAR, NEAR = 0.95, 0.90
"""Cosines of the default encoder from which a question is called almost the same, or similar."""


def nearness(hit: Hit) -> str:
    """Returns in words how near an example's question is to the one asked."""
    return say("very_near" if hit.score >= VERY_NEAR else "near" if hit.score >= NEAR else "far")


def show_example(hit: Hit, question: str) -> None:
    """Draws an example.

    Args:
        hit: The example.
        question: What was asked; words it shares with the example are marked.
    """
    text = say("similarity", score=hit.score, words=nearness(hit))
    st.progress(max(0.0, min(1.0, hit.score)), text=text)
    st.caption(say("source_question"))
    st.html(highlighted(hit.question, question))
    st.caption(say("source_answer"))
    st.html(highlighted(hit.answer, question))
    st.caption(say("matched_note"))
    facts = (("category", hit.group.category), ("group", hit.group.id), ("origin", hit.group.source))
    st.html(block("\n".join(f"{say(name)}: {value}" for name, value in facts if value)))
    try:
        last = engine().keeping.last_change(hit.group.id)
    except DobaeError:  # Who wrote an example is good to know; the answer stands without it.
        return
    if last is not None:
        what = say("kb_action_build" if last.action == "build" else "changed_by")
        st.html(block(f"{what}: {last.author}, {local_time(last.time)}"))
