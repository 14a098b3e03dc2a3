"""비교: one question through pure generation, retrieval and quotation, side by side."""

from dataclasses import replace

import streamlit as st

from ui.app.engine import Choice, models
from ui.app.login import keeper
from ui.app.markup import block, label
from ui.app.session import Turn, progress, say, settings, show_outcome, start
from ui.app.signing_in import asking_is_open

POLL_SECONDS = 1.0
COLUMNS = ("pure", "retrieved", "quoted")


def show() -> None:
    """Draws the page, or the entrance to it where only keepers may ask."""
    if not asking_is_open() and keeper() is None:
        return
    state = st.session_state
    choice = settings("compare")
    st.title(say("compare"))
    st.write(say("compare_intro"))
    st.caption(say("caution"))
    if not models():
        st.info(say("compare_no_model"))
    with st.form("compare", border=False):
        question = st.text_input(say("compare_question"), placeholder=say("placeholder"), key="compared")
        sent = st.form_submit_button(say("compare_button"), type="primary")
    if sent:
        for turn in state.get("compared_turns", []):
            turn.job.cancel()
        quoted = Choice("extractive", top_k=choice.top_k)
        model = choice.generator if choice.generator != "extractive" else next(iter(models()), None)
        choices = [quoted]
        if model is not None:
            pure = Choice(model, choice.adapter, retrieval=False, top_k=choice.top_k)
            choices = [pure, replace(pure, retrieval=True), quoted]
        state.compared_turns = start(question, choices)
    turns: list[Turn] = state.get("compared_turns", [])
    if turns and all(turn.job.over for turn in turns):
        _columns(turns)
    elif turns:
        _watch()


@st.fragment(run_every=POLL_SECONDS)
def _watch() -> None:
    turns: list[Turn] = st.session_state.compared_turns
    _columns(turns)
    if st.button(say("cancel"), key="cancel_compare"):
        for turn in turns:
            turn.job.cancel()
    if all(turn.job.over for turn in turns):
        st.rerun()


def _columns(turns: list[Turn]) -> None:
    for column, name, turn in zip(st.columns(len(turns)), COLUMNS[-len(turns) :], turns, strict=True):
        with column, st.container(border=True):
            st.subheader(say(name))
            _one(turn)


def _one(turn: Turn) -> None:
    job = turn.job
    texts = job.texts()
    for question, text in texts:
        if len(texts) > 1:
            st.markdown(f"**{label(question)}**")
        st.html(block(text))
    if not job.over:
        st.caption(progress(turn))
        return
    if not show_outcome(job) or job.answer is None:
        return
    scores = [hit.score for part in job.answer.parts for hit in part.hits]
    sentences = [sentence for part in job.answer.parts for sentence in part.sentences]
    holding = sum(sentence.supported for sentence in sentences)
    st.metric(say("best_similarity"), f"{max(scores):.2f}" if scores else say("none"))
    st.metric(say("support"), f"{holding}/{len(sentences)}" if sentences else say("none"))
    st.metric(say("seconds"), say("second_value", seconds=job.seconds))
