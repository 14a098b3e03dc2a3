"""Questions being answered: queued, watched by place in the queue, cancelled; no page waits in its own thread.

A lane answers for one generator with a few workers, so that a slow model never holds up another generator. Knows
nothing about Streamlit.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic, perf_counter

from data.catalog import speaking
from data.errors import DobaeError
from rag.answer import Answer
from rag.pipeline import AnswerEnded, PartEnded, PartStarted, StreamEvent, TextChunk

MAX_WAITING = 64
"""Questions that may wait in one lane."""
UNSEEN_SECONDS = 120.0
"""A waiting question that nobody has looked after for so long is given up: a hidden page looks once a minute."""

_log = logging.getLogger(__name__)


class QueueFullError(DobaeError):
    """Too many questions are waiting."""

    code = "queue_full"


class Job:
    """One question on its way; written by a worker, read by any thread.

    Attributes:
        question: As typed, together with the one it leans on.
        language: Of the explanations.
        answer: The whole answer, once there is one.
        error: What went wrong; other than a `DobaeError`, a mistake of the program.
    """

    def __init__(self, question: str, language: str, start: Callable[[], Iterator[StreamEvent]]) -> None:
        self.question = question
        self.language = language
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self._start = start
        self._events: list[StreamEvent] = []
        self._cancel = threading.Event()
        self._done = False
        self._news = threading.Condition()
        self._looked = monotonic()
        self._begun = self._first = self._ended = 0.0

    @property
    def done(self) -> bool:
        """Returns whether nothing more will come."""
        return self._done

    @property
    def cancelled(self) -> bool:
        """Returns whether it was cancelled before its answer was whole."""
        return self._cancel.is_set() and self.answer is None

    @property
    def left_alone(self) -> bool:
        """Returns whether its page has gone: nobody has asked for its place for a while."""
        return monotonic() - self._looked > UNSEEN_SECONDS

    def look(self) -> None:
        """Notes that somebody still waits for it."""
        self._looked = monotonic()

    @property
    def over(self) -> bool:
        """Returns whether a reader waits no longer: it is done, or cancelled and only its worker may not know yet."""
        return self.done or self.cancelled

    def cancel(self) -> None:
        """Stops the job before its next chunk; a waiting job never starts."""
        self._cancel.set()
        with self._news:
            self._news.notify_all()

    def wait(self, seconds: float) -> bool:
        """Waits until the job is done, at most `seconds`; returns whether it is."""
        with self._news:
            return self._news.wait_for(lambda: self._done, seconds)

    @property
    def events(self) -> int:
        """Returns how much has come so far, to be given to `wait_for_news`."""
        return len(self._events)

    def wait_for_text(self, seconds: float) -> None:
        """Waits until the first of the text has come or the job is over, at most `seconds`."""
        with self._news:
            self._news.wait_for(lambda: bool(self._first) or self.over, seconds)

    def wait_for_news(self, events: int, seconds: float) -> None:
        """Waits until more than `events` have come or the job is over, at most `seconds`."""
        with self._news:
            self._news.wait_for(lambda: len(self._events) > events or self.over, seconds)

    def texts(self) -> list[tuple[str, str]]:
        """Returns each part's question and its text so far; an ended part's text is final."""
        shown: dict[int, tuple[str, str]] = {}
        for event in list(self._events):
            if isinstance(event, PartStarted):
                shown[event.number] = (event.text, "")
            elif isinstance(event, TextChunk):
                question, text = shown[event.number]
                shown[event.number] = (question, text + event.text)
            elif isinstance(event, PartEnded):
                shown[event.number] = (event.part.text, event.part.answer)
        return list(shown.values())

    @property
    def seconds(self) -> float:
        """Returns the seconds from its start to its end, waiting left out."""
        return max(0.0, self._ended - self._begun)

    @property
    def first_word(self) -> float:
        """Returns the seconds from its start to its first text."""
        return max(0.0, self._first - self._begun)

    @property
    def words_a_second(self) -> float:
        """Returns the words of the answer a second, over the whole time."""
        words = sum(len(text.split()) for _, text in self.texts())
        return words / self.seconds if self.seconds else 0.0

    def run(self) -> None:
        """Answers; called by a worker."""
        self._begun = perf_counter()
        try:
            if not self._cancel.is_set():
                with speaking(self.language):
                    self._answer()
        except DobaeError as error:
            self.error = error
        except Exception as error:
            # A worker outlives every question; the reader is told, the log has the story.
            _log.exception("a question failed inside")
            self.error = error
        finally:
            self._ended = perf_counter()
            with self._news:
                self._done = True
                self._news.notify_all()

    def _answer(self) -> None:
        for event in self._start():
            if self._cancel.is_set():
                break  # The generator computes nothing beyond the chunk asked for last.
            if isinstance(event, TextChunk) and not self._first:
                self._first = perf_counter()
            if isinstance(event, AnswerEnded):
                self.answer = event.answer
            with self._news:
                self._events.append(event)
                self._news.notify_all()


class Lane:
    """The queue in front of one generator.

    Args:
        workers: Questions answered at the same time.
    """

    def __init__(self, workers: int) -> None:
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        for _ in range(workers):
            threading.Thread(target=self._work, daemon=True, name="dobae-lane").start()

    def put(self, job: Job) -> None:
        """Queues a job.

        Raises:
            QueueFullError: Too many are waiting.
        """
        with self._changed:
            for left in [other for other in self._waiting if other.cancelled or other.left_alone]:
                left.cancel()
                self._waiting.remove(left)
                left.run()  # Which, cancelled, only says that it is over.
            if len(self._waiting) >= MAX_WAITING:
                raise QueueFullError(f"{MAX_WAITING} questions are waiting; ask again in a while")
            self._waiting.append(job)
            self._changed.notify()

    def ahead(self, job: Job) -> int | None:
        """Returns how many questions wait before a job, or None when it waits no longer."""
        job.look()
        with self._changed:
            waiting = [other for other in self._waiting if other is job or not other.cancelled]
        return waiting.index(job) if job in waiting else None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                job = self._waiting.popleft()
            if job.left_alone:
                job.cancel()
            job.run()
