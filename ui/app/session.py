"""What one visitor's page remembers, and what the process shares with it."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from data.catalog import LANGUAGE, LANGUAGES, message, speaking
from data.errors import DobaeError, QuestionError
from data.problems import in_words
from data.text import MAX_QUESTION_CHARS
from rag.generators.adapters import NO_ADAPTER
from ui.app.engine import Choice, Engine, models
from ui.app.feedback import FeedbackError, FeedbackStore
from ui.app.follow_up import continued
from ui.app.jobs import Job, Lane, QueueFullError
from ui.app.markup import block, label
from ui.app.once import Once
from ui.app.passphrase import Gate, passphrase_file
from ui.app.runs import Command, adapters
from ui.app.signing_in import keepers, standing

# A select box shows None as nothing chosen.
_SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and how it is being answered.

    Attributes:
        job: The question on its way, together with the one it leans on.
        lane: Where it waits.
        choice: How it is answered.
        asked: The question as typed.
    """

    job: Job
    lane: Lane
    choice: Choice
    asked: str


def _open_engine() -> Engine:
    return Engine(Path(os.environ.get("DOBAE_KB", "kb")))


def _open_feedback() -> FeedbackStore:
    from platformdirs import user_data_path

    path = os.environ.get("DOBAE_FEEDBACK") or user_data_path("dobae") / "feedback.sqlite"
    days = os.environ.get("DOBAE_FEEDBACK_DAYS", "90")
    if not days.isdecimal():
        raise FeedbackError(f"DOBAE_FEEDBACK_DAYS={days!r} is no number of days; set it to one, such as 90")
    return FeedbackStore(Path(path), int(days))


def _open_gate() -> Gate:
    return Gate(passphrase_file())


# Of the process, not of a session, and made by whoever comes first: the server itself, before any visitor.
engine = Once(_open_engine)
feedback = Once(_open_feedback)
gate = Once(_open_gate)


def language() -> str:
    """Returns the language of this page: that of its address, or else of the pages before it."""
    asked = st.query_params.get("lang")
    if asked in LANGUAGES:
        st.session_state.lang = asked
    return str(st.session_state.get("lang", LANGUAGE))


def say(key: str, **values: object) -> str:
    """Returns a text of the page in its language."""
    with speaking(language()):
        return message(key if "." in key else f"app.{key}", **values)


def local_time(when: str | float) -> str:
    """Returns a time for people: its minute where the visitor is, or in UTC where no browser tells.

    Args:
        when: As the history writes it, or in seconds since 1970.
    """
    try:
        zone = ZoneInfo(st.context.timezone or "UTC")
    except (KeyError, ValueError, OSError):  # The browser may send anything.
        zone = ZoneInfo("UTC")
    moment = datetime.fromisoformat(when) if isinstance(when, str) else datetime.fromtimestamp(when, UTC)
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def settings(page: str) -> Choice:
    """Draws the side panel of a page and returns what was chosen."""
    state = st.session_state
    # Streamlit forgets a field on another page, and shows a choice in the language it was made in.
    elsewhere = state.get("chosen_in") != (page, language())
    state.chosen_in = (page, language())
    for name, value in _chosen().items():
        if elsewhere or name not in state:
            state[name] = value
    with st.sidebar:
        st.subheader(say("settings"))
        # Buttons, not a list that opens: a browser is slow to prepare the first of those (docs/results.md).
        st.pills(
            say("generator"),
            ["extractive", *models()],
            format_func=lambda spec: say("extractive") if spec == "extractive" else spec,
            required=True,
            key="generator",
        )
        generator: str = state.generator
        quoting = generator == "extractive"
        adapter, retrieval = _SHIPPED, True
        if not quoting:
            offered = [_SHIPPED, NO_ADAPTER, *(map(str, adapters(generator)) if _is_keeper() else ())]
            if state.get("adapter") not in offered:
                state.adapter = _SHIPPED
            adapter = st.selectbox(say("adapter"), offered, format_func=_adapter_name, key="adapter")
            choose(adapter=adapter)
            if page == "ask":  # To compare is to see both.
                retrieval = st.toggle(say("retrieval"), help=say("retrieval_help"), key="retrieval")
                choose(retrieval=retrieval)
        top_k = st.slider(say("top_k"), 1, 10, key="top_k")
    choose(generator=generator, top_k=top_k)
    return Choice(generator, None if adapter == _SHIPPED else adapter, retrieval, top_k)


def choose(**settings: object) -> None:
    """Chooses in the side panel, on this page or another."""
    _chosen().update(settings)


def _chosen() -> dict[str, Any]:
    kept: dict[str, Any] = st.session_state.setdefault(
        "chosen", {"generator": "extractive", "retrieval": True, "top_k": 3}
    )
    return kept


def _is_keeper() -> bool:
    """Returns whether the keeper asks: each adapter loads a model of its own, which visitors must not."""
    if keepers():
        return standing(st.user.to_dict(), time.time()) == "keeper"
    return st.session_state.get("keeper") is not None


def _adapter_name(adapter: str) -> str:
    if adapter == _SHIPPED:
        return say("adapter_default")
    return say("adapter_none") if adapter == NO_ADAPTER else Path(adapter).parent.name


def answerer(choice: Choice) -> str:
    """Returns the model that answers and its adapter, as the side panel calls them; "" where no model does."""
    if choice.generator == "extractive":
        return ""
    return f"{choice.generator} · {_adapter_name(choice.adapter or _SHIPPED)}"


def start(question: str, choices: Sequence[Choice], *, before: str | None = None) -> list[Turn]:
    """Queues a question once for each choice; a full queue is said on the page.

    Args:
        question: As typed.
        choices: How to answer it.
        before: The question answered before it, on which it may lean.
    """
    whole = continued(question, before)
    turns: list[Turn] = []
    try:
        for choice in choices:
            turns.append(Turn(*engine().ask(whole, choice, language()), choice, question))  # noqa: PERF401 - a full queue keeps the turns before it
    except QueueFullError:
        for turn in turns:
            turn.job.cancel()
        st.warning(say("busy"))
        st.html(block(question))
        return []
    return turns


def progress(turn: Turn) -> str:
    """Says where a question is on its way."""
    ahead = turn.lane.ahead(turn.job)
    if ahead is not None:
        return say("waiting", ahead=ahead) if ahead else say("waiting_next")
    begun = any(text for _, text in turn.job.texts())
    return say("working" if begun or turn.choice.generator == "extractive" else "preparing")


def show_texts(job: Job) -> None:
    """Draws what there is so far of an answer, a part below another."""
    texts = job.texts()
    for question, text in texts:
        if len(texts) > 1:
            st.markdown(f"**{label(question)}**")
        st.html(block(text))


def show_outcome(job: Job) -> bool:
    """Says why a finished job has no answer; returns whether it has one."""
    if job.cancelled:
        st.info(say("cancelled"))
    elif isinstance(job.error, QuestionError):
        st.warning(say("question_bad", limit=f"{MAX_QUESTION_CHARS:,}"))
    elif isinstance(job.error, DobaeError):
        st.error(say("failed", reason=label(in_words(job.error, say))))
    elif job.error is not None:
        st.error(say("broken"))
    return job.answer is not None


def show_failure(run: Command) -> None:
    """Says why a run beside the page failed, and where all that it said lies."""
    st.error(label(in_words(run.error, say)))
    st.caption(label(say("run_log", path=run.log)))
