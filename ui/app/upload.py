"""Uploading examples: what a file would do is shown first, and written only when the keeper says so."""

import json
from hashlib import sha256

import streamlit as st

from data.errors import DobaeError
from data.problems import in_words
from index.editing import Edited
from ui.app.keeping import MAX_UPLOAD_MB, UPLOAD_TYPES, Keeping, Preview
from ui.app.markup import block, label
from ui.app.session import say
from ui.app.task import Task

POLL_SECONDS = 0.5
SHOWN = 10
"""Examples and unusable rows shown of a file."""


def upload(keeping: Keeping, author: str) -> None:
    """Draws the section."""
    state = st.session_state
    task: Task[Edited] | None = state.get("kb_task")
    if task is not None:
        _running()
        return
    st.write(say("kb_upload_intro"))
    st.caption(say("kb_upload_columns", most=MAX_UPLOAD_MB))
    file = st.file_uploader(
        say("kb_file"),
        type=list(UPLOAD_TYPES),
        max_upload_size=MAX_UPLOAD_MB,
        key=f"kb_file{state.get('kb_upload', 0)}",
    )
    if file is None:
        return
    raw = file.getvalue()
    seen = state.get("kb_preview")
    try:
        preview = _preview(keeping, file.name, raw)
    except DobaeError as error:
        st.html(block(file.name))
        st.error(label(in_words(error, say)))
        return
    _show(preview)
    if not preview.groups:
        st.info(say("kb_nothing_new"))
    elif st.button(say("kb_apply"), key="kb_apply", type="primary"):
        if seen is not state.kb_preview:  # Somebody else has edited the base since the keeper looked.
            st.warning(say("kb_look_again"))
            return
        state.kb_task = Task(lambda progress: keeping.apply(preview, author, progress))
        st.rerun()


def _preview(keeping: Keeping, name: str, raw: bytes) -> Preview:
    """Reads a file once for as long as neither it nor the base changes."""
    known = st.session_state.get("kb_preview")
    key = (name, sha256(raw).hexdigest(), keeping.store.revision)
    if known is None or known[0] != key:
        known = (key, keeping.preview(name, raw))
        st.session_state.kb_preview = known
    return known[1]


def _cells(content: str) -> str:
    """Shows a table's row as its cells, and anything else as it is."""
    try:
        cells = json.loads(content)
    except ValueError:
        return content
    return " | ".join(map(str, cells)) if isinstance(cells, list) else content


def _show(preview: Preview) -> None:
    rejects = preview.read.rejects
    figures = (
        ("kb_will_add", len(preview.new)),
        ("kb_will_change", len(preview.changed)),
        ("kb_will_stay", preview.unchanged),
        ("kb_will_reject", len(rejects)),
    )
    for column, (name, count) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(say(name), f"{count:,}")
    for note in preview.read.notes:
        st.info(label(in_words(note, say)))
    if rejects:
        st.subheader(say("kb_rejects"))
        st.table(
            {
                say("kb_line"): [reject.line for reject in rejects[:SHOWN]],
                say("kb_why"): [label(in_words(reject.reason, say)) for reject in rejects[:SHOWN]],
                say("kb_content"): [label(_cells(reject.content)[:120]) for reject in rejects[:SHOWN]],
            }
        )
        if len(rejects) > SHOWN:
            st.caption(say("kb_more", count=len(rejects) - SHOWN))
    if preview.groups:
        st.subheader(say("kb_sample"))
        for group in preview.groups[:SHOWN]:
            with st.expander(label(group.questions[0][:200])):
                st.html(block("\n".join((*group.questions, "", *group.answers, "", group.category, group.id))))
        if len(preview.groups) > SHOWN:
            st.caption(say("kb_more", count=len(preview.groups) - SHOWN))


@st.fragment(run_every=POLL_SECONDS)
def _running() -> None:
    state = st.session_state
    task: Task[Edited] | None = state.get("kb_task")
    if task is None:
        return
    st.progress(task.share, text=say("kb_applying"))
    if not task.done:
        return
    if task.result is None:
        st.error(label(in_words(task.error or "", say)))
        if st.button(say("close"), key="kb_task_close"):
            state.pop("kb_task")
            st.rerun()
        return
    revision, counts = task.result.revision, task.result.counts()
    state.kb_said = say("kb_imported", revision=revision.number if revision else "-", **counts)
    state.kb_upload = state.get("kb_upload", 0) + 1
    state.pop("kb_task")
    state.pop("kb_preview", None)
    st.rerun()
