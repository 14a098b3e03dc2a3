"""지식베이스: the keeper looks, changes, takes back, uploads, downloads, and turns feedback into examples."""

import streamlit as st

from data.errors import DobaeError
from data.problems import in_words
from data.types import QAGroup
from ui.app.feedback import FeedbackError, Waiting
from ui.app.feedback_queue import questions_waiting, queue, what_was_said
from ui.app.group_form import edit_form, new_form
from ui.app.in_view import in_view
from ui.app.keeping import Keeping
from ui.app.login import keeper
from ui.app.markup import block, highlighted, label
from ui.app.session import engine, feedback, local_time, say
from ui.app.upload import upload

PAGE = 20
"""Examples on one page of the list."""

HISTORY = 50
"""Revisions shown."""

SECTIONS = ("browse", "new", "upload", "history", "queue", "download")


def show() -> None:
    """Draws the page, or the entrance to it."""
    who = keeper()
    if who is None:
        return
    keeping = engine().keeping
    state = st.session_state
    st.title(say("knowledge"))
    now = keeping.store.state()
    st.caption(say("kb_intro", groups=f"{now.groups:,}", revision=now.revision))
    if said := state.pop("kb_said", None):
        with st.container(key="said"):
            in_view("said", (now.revision, said), block="nearest")
            st.success(said)
    if wanted := state.pop("kb_go", None):
        state.kb_section = wanted
    state.setdefault("kb_section", "browse")
    waiting = questions_waiting()
    section = st.segmented_control(
        say("knowledge"),
        SECTIONS,
        required=True,
        key="kb_section",
        label_visibility="collapsed",
        format_func=lambda name: (
            say("kb_queue_count", count=len(waiting)) if name == "queue" and waiting else say(f"kb_{name}")
        ),
    )
    if section != "new":
        state.pop("kb_from", None)
    with st.container(key=f"kb_section_{section}"):
        if section == "browse":
            _browse(keeping, who.name)
        elif section == "new":
            _new(keeping, who.name)
        elif section == "upload":
            upload(keeping, who.name)
        elif section == "history":
            _history(keeping, who.name)
        elif section == "queue":
            queue(keeping, waiting)
        else:
            _download(keeping)


def _browse(keeping: Keeping, author: str) -> None:
    state = st.session_state
    opened = state.get("kb_opened")
    if opened is not None:
        st.button(say("kb_back"), key="kb_back", icon=":material/arrow_back:", on_click=_open, args=(None,))
        group = keeping.group(opened)
        if group is None:
            st.info(say("kb_gone"))
        else:
            edit_form(keeping, group, author)
        return
    names = keeping.categories()
    looked = state.get("kb_looked", {})
    if "kb_words" not in state:  # Streamlit forgets the fields while an example, or another page, is open.
        state.kb_words = looked.get("words", "")
        if looked.get("category") in names:
            state.kb_category = looked["category"]
    left, middle, right = st.columns([3, 1.3, 0.9])
    words = left.text_input(say("kb_search"), key="kb_words", placeholder=say("kb_search_hint"), max_chars=2000)
    category = middle.selectbox(
        say("kb_category"),
        [None, *names],
        format_func=lambda name: say("kb_all") if name is None else name,
        key="kb_category",
    )
    state.kb_looked = {"words": words, "category": category}
    found = keeping.find(words, category)
    if not found:
        st.info(say("kb_none_found"))
        return
    pages = -(-len(found) // PAGE)
    page = 1
    if pages > 1:
        if "kb_page" not in state:
            state.kb_page = min(looked.get("page", 1), pages)
        page = right.number_input(f"{say('kb_page')} (1–{pages})", 1, pages, key="kb_page")
    state.kb_looked["page"] = page
    st.caption(say("kb_found", count=f"{len(found):,}"))
    for stored in found[(page - 1) * PAGE : page * PAGE]:
        group = stored.group
        with st.container(border=True):
            st.button(
                f"**{label(group.questions[0][:200])}**",
                key=f"kb_open {group.id}",
                type="tertiary",
                on_click=_open,
                args=(group.id,),
            )
            st.html(highlighted(_short(group.answers[0]), words))
            st.caption(label(f"{group.category or say('none')} · {group.id}"))


def _short(text: str, most: int = 160) -> str:
    return text if len(text) <= most else f"{text[:most].rstrip()}…"


def _open(identifier: str | None) -> None:
    st.session_state.kb_opened = identifier


def _new(keeping: Keeping, author: str) -> None:
    wanted: Waiting | None = st.session_state.get("kb_from")
    if wanted:
        st.info(say("kb_from_queue"))
        what_was_said(wanted)
    number = new_form(keeping, author, question=wanted.question if wanted else "")
    if number is None:
        return
    st.session_state.kb_said = say("kb_added", revision=number)
    if wanted is not None:
        st.session_state.pop("kb_from")
        try:
            feedback().settle(wanted)
        except FeedbackError:  # The example is written; only the queue still holds its question.
            st.session_state.kb_said += " " + say("not_settled")
    st.session_state.kb_go = "queue" if wanted else "browse"
    st.rerun()


def _history(keeping: Keeping, author: str) -> None:
    for revision in keeping.history(HISTORY):
        counts = {
            "added": sum(change.before is None for change in revision.changes),
            "removed": sum(change.after is None for change in revision.changes),
        }
        counts["updated"] = len(revision.changes) - sum(counts.values())
        head = say(
            "kb_revision",
            number=revision.number,
            action=say(f"kb_action_{revision.action}") + (f" ({revision.undoes})" if revision.undoes else ""),
            author=revision.author,
            time=local_time(revision.time),
        )
        with st.expander(label(head)):
            if not revision.changes:
                continue
            st.caption(say("kb_counts", **counts))
            for change in revision.changes[:5]:
                st.html(block(change.group_id))
                left, right = st.columns(2)
                for column, name, group in ((left, "kb_before", change.before), (right, "kb_after", change.after)):
                    column.caption(say(name))
                    column.html(block(_whole(group)))
            if len(revision.changes) > 5:
                st.caption(say("kb_more", count=len(revision.changes) - 5))
            if st.button(say("kb_undo", number=revision.number), key=f"kb_undo{revision.number}"):
                try:
                    undone = keeping.undo(revision.number, author).revision
                except DobaeError as error:
                    st.error(label(in_words(error, say)))
                else:
                    if undone is not None:
                        said = say("kb_undone", undone=revision.number, revision=undone.number)
                        st.session_state.kb_said = said
                        st.rerun()


def _whole(group: QAGroup | None) -> str:
    if group is None:
        return say("kb_nothing_there")
    return "\n".join((*group.questions, "", *group.answers, "", f"{group.category} · {group.source}"))


def _download(keeping: Keeping) -> None:
    groups = keeping.store.state().groups
    st.write(say("kb_download_intro", groups=f"{groups:,}"))
    kind = st.radio(say("kb_download_kind"), [".xlsx", ".csv", ".jsonl"], key="kb_kind", horizontal=True)
    if not st.button(say("kb_download_make"), key="kb_make_file"):
        return
    try:
        raw = keeping.exported(kind)
    except DobaeError as error:
        st.error(label(in_words(error, say)))
        return
    name = f"dobae{kind}"
    st.download_button(say("kb_download_now", name=name), raw, file_name=name, type="primary", on_click="ignore")
