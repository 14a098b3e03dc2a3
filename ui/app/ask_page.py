"""묻기: a question, its streamed answer, and the examples it rests on beside it."""

from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import streamlit as st

from data.types import Hit, nearest_cosine
from rag.answer import Answer, Part
from ui.app.answer_text import answer_text
from ui.app.example import nearness, show_example
from ui.app.feedback import FeedbackError
from ui.app.in_view import in_view
from ui.app.login import keeper
from ui.app.markup import block, label
from ui.app.session import (
    Turn,
    feedback,
    language,
    progress,
    say,
    settings,
    show_outcome,
    show_texts,
    start,
)
from ui.app.signing_in import asking_is_open

POLL_SECONDS = 1.0
"""After each look Streamlit collects all garbage, which keeps a model in the same process from computing."""
PATIENCE_SECONDS = 0.8
"""A look waits so long for something new, so that a reader sees it at once; a click waits as long."""
QUICK_SECONDS = 0.4
"""The first words are often there so soon that drawing the wait before them would only make them later."""
WHOLE_SECONDS = 0.05
"""So soon after its first words a quoted answer is whole, and is drawn once."""
VERDICTS = {"good": "thumb_up", "bad": "thumb_down"}
"""Signs of the page's own font: not every machine has the emoji."""


def show() -> None:
    """Draws the page, or the entrance to it where only keepers may ask."""
    if not asking_is_open() and keeper() is None:
        return
    state = st.session_state
    state.setdefault("turns", [])
    choice = settings("ask")
    st.title(say("name"))
    st.write(say("intro"))
    st.caption(say("caution"))
    asked = st.chat_input(say("placeholder"), key="question")
    if not asked and not state.turns and not state.get("link_used"):
        asked = st.query_params.get("q")
    typed = bool(asked)
    if not asked:
        asked = state.pop("next_question", None)
    if asked:
        state.link_used = True
        # A question that was offered is whole; only one that was typed may lean on the one before.
        before = state.turns[-1].job.question if state.turns and typed else None
        started = start(asked, [choice], before=before)
        for turn in started:
            turn.job.wait_for_text(QUICK_SECONDS)
            turn.job.wait(WHOLE_SECONDS)
        state.turns += started
    if not state.turns:
        _examples()
    for number, turn in enumerate(state.turns):
        newest = number == len(state.turns) - 1
        with st.container(key="newest" if newest else f"turn{number}"), st.chat_message("user"):
            st.html(block(turn.asked[:2000]))
        with st.chat_message("assistant"):
            if turn.job.question != turn.asked:
                st.caption(label(say("followed", question=turn.job.question)))
            if turn.job.over:
                _finished(number, turn)
            else:
                _running(number)
    if state.turns:
        in_view("newest", len(state.turns), block="start")
    if state.turns and st.button(say("clear"), key="clear"):
        for turn in state.turns:
            turn.job.cancel()
        state.turns = []
        state.pop("opened", None)
        state.pop("thanked", None)
        st.query_params.pop("q", None)
        st.rerun()


def _ask_next(question: str) -> None:
    st.session_state.next_question = question


def _examples() -> None:
    st.caption(say("examples"))
    for number in (1, 2, 3):
        text = say(f"example_{number}")
        st.button(label(text), key=f"example{number}", on_click=_ask_next, args=(text,), width="stretch")


@st.fragment(run_every=POLL_SECONDS)
def _running(number: int) -> None:
    turn: Turn = st.session_state.turns[number]
    job, drawn = st.session_state.get("drawn", (None, 0))
    if job is turn.job:  # Drawn before, so that waiting leaves nothing undrawn.
        job.wait_for_news(drawn, PATIENCE_SECONDS)
    st.session_state.drawn = (turn.job, turn.job.events)
    st.caption(progress(turn))
    show_texts(turn.job)
    st.button(say("cancel"), key=f"cancel{number}", on_click=turn.job.cancel)
    if turn.job.over:
        st.rerun()


def _finished(number: int, turn: Turn) -> None:
    if not show_outcome(turn.job) or turn.job.answer is None:
        return
    answer = turn.job.answer
    of_turn, of_part, marker = st.session_state.get("opened", (None, None, 0))
    for place, part in enumerate(answer.parts):
        # Beside its own part, so that on a phone it stands right below what was read.
        beside = (of_turn, of_part) == (number, place)
        left, right = st.columns([3, 2], gap="large") if beside else (st.container(), None)
        with left:
            _part(number, place, part, len(answer.parts), answer.generator)
        if right is not None:
            with right, st.container(border=True, key="example"):
                in_view("example", (number, place, marker), block="nearest")
                show_example(part.hits[marker - 1], part.text)
                if st.button(say("close"), key=f"close{number}"):
                    st.session_state.pop("opened", None)
                    st.rerun()
    if not turn.choice.retrieval:
        st.warning(say("no_retrieval"))
    st.caption(say("speed", first=turn.job.first_word, rate=turn.job.words_a_second))
    _take_away(number, answer)
    _verdict(number, answer)


def _part(number: int, place: int, part: Part, parts: int, generator: str) -> None:
    if parts > 1:
        st.markdown(f"##### {label(say('answer.part_heading', number=place + 1, question=part.text))}")
    if part.abstained:
        st.info(label(part.answer))
        if part.hits:
            st.caption(say("nearest"))
        for hit in part.hits:
            text = f"{hit.question} ({hit.score:.2f})"
            key = f"near{number}-{place}-{hit.rank}"
            st.button(label(text), key=key, on_click=_ask_next, args=(hit.question,))
        _leave(number, place, part, generator)
        return
    if not part.sentences:
        st.html(block(part.answer))
        return
    marker = answer_text(part.sentences, key=f"answer{number}-{place}")
    if marker is not None:
        _open(number, place, marker)
        st.rerun()
    if not all(sentence.supported for sentence in part.sentences):
        st.warning(say("unsupported_some"))
    if part.unsure:
        st.warning(say("answer.unsure", score=nearest_cosine(part.hits)))
    _found(number, place, part)


def _found(number: int, place: int, part: Part) -> None:
    """Names the examples, so that a reader sees how near they are to the question before opening one."""
    cited = {citation.marker for citation in part.citations}
    for hit in part.hits:
        if hit.rank in cited:
            _name(number, place, hit)
    others = [hit for hit in part.hits if hit.rank not in cited]
    if others:
        with st.expander(say("others", count=len(others))):
            for hit in others:
                _name(number, place, hit)


def _name(number: int, place: int, hit: Hit) -> None:
    text = say("found", marker=hit.rank, question=hit.question, words=nearness(hit), score=hit.score)
    key = f"found{number}-{place}-{hit.rank}"
    st.button(label(text), key=key, type="tertiary", width="stretch", on_click=_open, args=(number, place, hit.rank))


def _open(number: int, place: int, marker: int) -> None:
    st.session_state.opened = (number, place, marker)


def _take_away(number: int, answer: Answer) -> None:
    lines = [answer.question, "", answer.text, ""]
    for part in answer.parts:
        for citation in part.citations:
            hit = part.hits[citation.marker - 1]
            lines.append(f"[{citation.marker}] {hit.question} ({hit.score:.2f}, {hit.group.id})")
    text = "\n".join(lines)
    with st.expander(say("keep_answer")):
        st.code(text, language=None, wrap_lines=True)
        st.caption(say("share"))
        st.code(_link(answer.question), language=None, wrap_lines=True)
        st.download_button(say("download"), text, file_name="dobae.txt", mime="text/plain", key=f"download{number}")


def _link(question: str) -> str:
    """The page's own address, as the visitor's browser knows it, with a question to ask."""
    address = urlsplit(st.context.url or "")
    query = urlencode({"lang": language(), "q": question}, quote_via=quote)
    return urlunsplit((address.scheme, address.netloc, address.path, query, ""))


def _leave(number: int, place: int, part: Part, generator: str) -> None:
    """Offers to leave a question that found no answer to the keeper of the base."""
    if _thanked(number, place):
        st.success(say("question_left"))
        return
    try:
        store = feedback()
        st.caption(say("consent_question", days=store.days))
        if st.button(say("leave_question"), key=f"leave{number}-{place}"):
            store.add(
                good=False,
                question=part.text,
                answer=part.answer,
                reason=say("not_answered"),
                generator=generator,
                groups=[],
            )
            _thank(number, place)
    except FeedbackError:
        st.error(say("not_stored"))


def _thanked(number: int, place: int | None = None) -> bool:
    """Returns whether a turn, or a part of it, has been given its verdict."""
    return (number, place) in st.session_state.get("thanked", ())


def _thank(number: int, place: int | None = None) -> None:
    st.session_state.setdefault("thanked", set()).add((number, place))
    st.rerun()


def _verdict(number: int, answer: Answer) -> None:
    if _thanked(number):
        st.success(say("thanks"))
        return
    verdict = st.pills(
        say("helped"),
        list(VERDICTS),
        format_func=lambda name: f":material/{VERDICTS[name]}: {say(name)}",
        key=f"judged{number}",
    )
    if verdict is None:
        return
    try:
        store = feedback()
        with st.form(f"verdict{number}", enter_to_submit=False):
            reason = st.text_area(say("reason"), max_chars=500, height=110)
            st.caption(say("consent", days=store.days))
            sent = st.form_submit_button(say("send"))
        if sent:
            store.add(
                good=verdict == "good",
                question=answer.question,
                answer=answer.text,
                reason=reason,
                generator=answer.generator,
                groups=[citation.group_id for part in answer.parts for citation in part.citations],
            )
            _thank(number)
    except FeedbackError:
        st.error(say("not_stored"))
