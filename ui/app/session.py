"""What one visitor's page remembers, and what the process shares with it."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from data.catalog import LANGUAGE, LANGUAGES, message, speaking
from data.errors import DobaeError, QuestionError
from data.text import MAX_QUESTION_CHARS
from rag.generators.adapters import NO_ADAPTER
from ui.app.engine import Choice, Engine, models
from ui.app.feedback import FeedbackError, FeedbackStore
from ui.app.follow_up import continued
from ui.app.jobs import Job, Lane, QueueFullError
from ui.app.markup import block, label
from ui.app.once import Once
from ui.app.passphrase import Gate, passphrase_file
from ui.app.problems import in_words
from ui.app.runs import adapters
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


def settings() -> Choice:
    """Draws the side panel and returns what was chosen."""
    with st.sidebar:
        st.subheader(say("settings"))
        generator = st.selectbox(
            say("generator"),
            ["extractive", *models()],
            format_func=lambda spec: say("extractive") if spec == "extractive" else spec,
            key="generator",
        )
        quoting = generator == "extractive"
        adapter, retrieval = _SHIPPED, True
        if not quoting:
            adapter = st.selectbox(
                say("adapter"),
                [_SHIPPED, NO_ADAPTER, *(map(str, adapters(generator)) if _is_keeper() else ())],
                format_func=_adapter_name,
                key="adapter",
            )
            retrieval = st.toggle(say("retrieval"), value=True, help=say("retrieval_help"), key="retrieval")
        top_k = st.slider(say("top_k"), 1, 10, 3, key="top_k")
        st.caption(say("caution"))
    return Choice(generator, None if adapter == _SHIPPED else adapter, retrieval, top_k)


def _is_keeper() -> bool:
    """Returns whether the keeper asks: each adapter loads a model of its own, which visitors must not."""
    if keepers():
        return standing(st.user.to_dict(), time.time()) == "keeper"
    return st.session_state.get("keeper") is not None


def _adapter_name(adapter: str) -> str:
    if adapter == _SHIPPED:
        return say("adapter_default")
    return say("adapter_none") if adapter == NO_ADAPTER else Path(adapter).parent.name


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
