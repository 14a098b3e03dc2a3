"""Forms for one example: to change it, and to write a new one."""

import streamlit as st

from data.errors import DobaeError
from data.problems import in_words
from data.types import QAGroup
from ui.app.keeping import Keeping, written_group
from ui.app.markup import block, label
from ui.app.session import local_time, say

MAX_CHARS = 20_000


def edit_form(keeping: Keeping, group: QAGroup, author: str) -> None:
    """Draws the form of an example that is in the base, with saving and removing."""
    state = st.session_state
    # What the form was filled with when it was first drawn: a change by somebody else meanwhile must not be written
    # over unseen.
    filled: dict[str, QAGroup] = state.setdefault("kb_shown", {})
    if f"edit {group.id} questions" not in state or group.id not in filled:
        filled[group.id] = group
    shown = filled[group.id]
    st.html(block(say("kb_facts", id=group.id, source=group.source or say("none"))))
    last = keeping.last_change(group.id)
    if last is not None and last.action != "build":
        st.caption(label(say("kb_last_change", author=last.author, time=local_time(last.time))))
    with st.form(f"edit {group.id}"):
        fields = _fields(shown, f"edit {group.id}", keeping.categories())
        save = st.form_submit_button(say("kb_save"), type="primary")
    with st.container(horizontal=True, vertical_alignment="center"):
        sure = st.checkbox(say("kb_remove_sure"), key=f"sure {group.id}")
        remove = st.button(say("kb_remove"), key=f"remove {group.id}", disabled=not sure)
    try:
        if save:
            edited = keeping.change(shown, written_group(*fields, identifier=group.id), author)
            number = edited.revision.number if edited.revision else None
            state.kb_said = say("kb_unchanged") if number is None else say("kb_saved", revision=number)
        elif remove and sure:
            edited = keeping.remove(shown, author)
            state.kb_said = say("kb_removed", revision=edited.revision.number if edited.revision else "-")
            state.kb_opened = None
        else:
            return
    except DobaeError as error:
        st.error(label(in_words(error, say)))
        return
    filled.pop(group.id, None)
    st.rerun()


def new_form(keeping: Keeping, author: str, *, question: str) -> int | None:
    """Draws an empty form, or one with a question in it; returns the revision once the example is added."""
    number = st.session_state.get("kb_form", 0)
    source = say("kb_feedback_source") if question else ""
    empty = QAGroup("", (question,) if question else (), (), "", source)
    with st.form(f"new{number}"):
        fields = _fields(empty, f"new{number}", keeping.categories())
        sent = st.form_submit_button(say("kb_add"), type="primary")
    if not sent:
        return None
    try:
        edited = keeping.add(written_group(*fields), author)
    except DobaeError as error:
        st.error(label(in_words(error, say)))
        return None
    st.session_state.kb_form = number + 1
    return edited.revision.number if edited.revision else None


def _fields(group: QAGroup, key: str, categories: list[str]) -> tuple[str, list[str], str, str]:
    questions = st.text_area(
        say("kb_questions"), "\n".join(group.questions), height=110, max_chars=MAX_CHARS, key=f"{key} questions"
    )
    answers = []
    for number, answer in enumerate((*group.answers, ""), 1):
        name = say("kb_answer", number=number) if answer or number == 1 else say("kb_answer_more")
        answers.append(st.text_area(name, answer, height=120, max_chars=MAX_CHARS, key=f"{key} answer{number}"))
    left, middle, right = st.columns(3)
    # The example's own may be renamed by somebody else since the form was filled.
    offered = ["", *sorted({*categories, group.category} - {""})]
    # Fields of their own after each change: a name written for it must not stand beside the list that now holds it.
    own = f"{key} category {group.category}"
    category = left.selectbox(
        say("kb_category"),
        offered,
        index=offered.index(group.category),
        format_func=lambda name: name or say("none"),
        key=own,
    )
    named = middle.text_input(say("kb_category_new"), max_chars=200, key=f"{own} new")
    source = right.text_input(say("kb_source"), group.source, max_chars=200, key=f"{key} source")
    return questions, answers, named.strip() or category, source
