"""비교: one question through pure generation, retrieval and quotation, side by side."""

from dataclasses import replace

import streamlit as st

from rag.answer import Part
from ui.app.answer_text import answer_text
from ui.app.engine import Choice, models
from ui.app.example import show_example
from ui.app.in_view import in_view
from ui.app.login import keeper
from ui.app.markup import block, label
from ui.app.session import Turn, answerer, progress, say, settings, show_outcome, show_texts, start
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
        state.pop("compared_opened", None)
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
    columns = zip(st.columns(len(turns)), COLUMNS[-len(turns) :], turns, strict=True)
    for number, (column, name, turn) in enumerate(columns):
        with column, st.container(border=True):
            st.subheader(say(name))
            if model := answerer(turn.choice):
                st.caption(label(model))
            if turn.job.over:
                _finished(number, turn)
            else:
                _running(turn)


def _running(turn: Turn) -> None:
    show_texts(turn.job)
    st.caption(progress(turn))


def _finished(number: int, turn: Turn) -> None:
    job = turn.job
    if not show_outcome(job) or job.answer is None:
        return
    parts = job.answer.parts
    for place, part in enumerate(parts):
        if len(parts) > 1:
            st.markdown(f"**{label(part.text)}**")
        _part(number, place, part)
    scores = [hit.score for part in parts for hit in part.hits]
    sentences = [sentence for part in parts for sentence in part.sentences]
    holding = sum(sentence.supported for sentence in sentences)
    if not turn.choice.retrieval:
        st.warning(say("no_retrieval"))
    nothing = say("none" if turn.choice.retrieval else "not_searched")
    st.metric(say("best_similarity"), f"{max(scores):.2f}" if scores else nothing)
    st.metric(say("support"), f"{holding}/{len(sentences)}" if sentences else say("none"))
    st.metric(say("seconds"), say("second_value", seconds=job.seconds))


def _part(number: int, place: int, part: Part) -> None:
    """Draws one part of an answer, and below it the example that was opened by one of its markers."""
    state = st.session_state
    if not part.sentences:
        st.html(block(part.answer))
        return
    marker = answer_text(part.sentences, key=f"compared{number}-{place}")
    if marker is not None:
        state.compared_opened = (number, place, marker)
        st.rerun()
    of_turn, of_part, opened = state.get("compared_opened", (None, None, 0))
    if (of_turn, of_part) != (number, place):
        return
    with st.container(border=True, key="example"):
        in_view("example", (number, place, opened), block="nearest")
        show_example(part.hits[opened - 1], part.text)
        if st.button(say("close"), key="close_compared"):
            state.pop("compared_opened")
            st.rerun()
