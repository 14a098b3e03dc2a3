"""The run: topics or passages -> questions -> answers -> filters -> journal, in an order that a kill cannot upset.

Each unit (a topic or a passage) is worked on in its own thread up to its answers; verdicts are given in the order of
the units, one after another, because what is kept decides what counts as a duplicate later. Everything paid for is in
the journal before it is used, so that a later run with the same journal asks only what is missing.
"""

import random
from collections import Counter, deque
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from hashlib import sha256

from data.errors import DobaeError, GenerationError
from data.text import comparable
from data.types import QAGroup
from training.augment import prompts
from training.augment.asking import Asker, now
from training.augment.budget import Budget, BudgetSpentError
from training.augment.filters import Filters, Verdict
from training.augment.journal import Journal, Record
from training.augment.passages import Passage
from training.augment.schema import AnswerReply, ChatModel, KeywordReply, QuestionReply

_FRUITLESS_ROUNDS = 2
"""Rounds without a kept group after which a model has nothing more to give."""

_LISTED, _NAMED = 40, 40
"""Most categories put before a model, the commonest of the base, and most characters of one."""


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """How much is asked for.

    Attributes:
        count: Groups wanted; with passages None asks about every passage.
        seed: Seed of the questions shown to the model.
        keywords: Topics asked for at once.
        questions: Questions a topic or passage.
        answers: Answers a question.
        answer_chars: Most characters of an answer.
        shown: Stored questions shown when topics are asked for.
        parallel: Requests sent at the same time.
    """

    count: int | None = 100
    seed: int = 0
    keywords: int = 8
    questions: int = 3
    answers: int = 5
    answer_chars: int = 200
    shown: int = 12
    parallel: int = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stands in the journal after a run.

    Attributes:
        groups: Kept groups with their provenance, as JSON objects, in order.
        rejected: Refusals by reason.
        tokens: Tokens spent over all runs of the journal, in and out.
        stopped: Why the run ended early, or None.
    """

    groups: tuple[Record, ...]
    rejected: Counter[str]
    tokens: tuple[int, int]
    stopped: DobaeError | None

    @property
    def uncategorised(self) -> int:
        """Returns how many groups were given a category that the base does not have, and have none now."""
        return sum("category_given" in group["provenance"] for group in self.groups)


def journal_settings(
    base: Sequence[QAGroup], held_out: Sequence[str], model: str, encoder: str, settings: AugmentSettings
) -> Record:
    """Returns what must stay the same between the runs of one journal; `count` and `parallel` may change."""
    fixed = {name: value for name, value in asdict(settings).items() if name not in {"count", "parallel"}}
    return {
        "model": model,
        "prompts": prompts.prompt_digest(),
        "encoder": encoder,
        "base": _digest(*(text for group in base for text in (group.id, group.category, *group.questions))),
        "held_out": _digest(*held_out),
        **fixed,
    }


def augment(
    base: Sequence[QAGroup],
    passages: Sequence[Passage] | None,
    *,
    chat: ChatModel,
    filters: Filters,
    journal: Journal,
    budget: Budget,
    settings: AugmentSettings,
    encoder: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Grows groups until enough are kept, the passages are read, the budget is spent or the provider fails.

    Args:
        base: What exists; topics lie beside it.
        passages: What to ask about in place of free topics, or None.
        chat: The model.
        filters: Judges candidates; must not yet know the groups of the journal.
        journal: Where the run is recorded, and what it continues.
        budget: Must have been told what the journal's earlier runs spent.
        settings: How much is asked for.
        encoder: Name of the filters' encoder, for the provenance.
        progress: Called with (kept groups or read passages, total).

    Returns:
        Everything kept so far, whatever ended the run.
    """
    filters.add([_group_of(record) for record in journal.accepted()])
    run = _Run(base, chat, filters, journal, budget, settings, encoder, progress or _silent)
    stopped: DobaeError | None = None
    try:
        if passages is None:
            run.topics()
        else:
            run.passages(passages)
    except (BudgetSpentError, GenerationError) as error:
        stopped = error
    return Outcome(tuple(journal.accepted()), journal.rejected(), budget.tokens, stopped)


@dataclass(frozen=True, slots=True)
class _Candidate:
    task: str
    questions: tuple[str, ...]
    category: str
    answers: tuple[str, ...] | None
    problem: str = ""


@dataclass(slots=True)
class _Unit:
    """A topic or a passage and, once worked on, its candidates."""

    task: str
    topic: str
    passage: Passage | None = None
    candidates: list[_Candidate] = field(default_factory=list)
    stopped: DobaeError | None = None


class _Run:
    def __init__(
        self,
        base: Sequence[QAGroup],
        chat: ChatModel,
        filters: Filters,
        journal: Journal,
        budget: Budget,
        settings: AugmentSettings,
        encoder: str,
        progress: Callable[[int, int], None],
    ) -> None:
        self._known = [question for group in base for question in group.questions]
        counted = Counter(group.category for group in base if comparable(group.category))
        self._listed = [name for name, _ in counted.most_common() if len(name) <= _NAMED][:_LISTED]
        self._categories = {comparable(name): name for name in reversed(counted)}
        self._chat = chat
        self._filters = filters
        self._asker = Asker(chat, journal, budget)
        self._journal = journal
        self._settings = settings
        self._encoder = encoder
        self._progress = progress
        # What earlier runs have kept counts, also where it lies behind something that they could not use.
        self.kept = sum(1 for _ in journal.accepted())
        self._met = 0  # kept groups passed by in this run, of earlier runs too

    # ---- units -----------------------------------------------------------------------------------------------------

    def topics(self) -> None:
        wanted = self._settings.count or 0
        used: dict[str, None] = {}
        fruitless = number = 0
        while self.kept < wanted and fruitless < _FRUITLESS_ROUNDS:
            before = self._met
            chance = random.Random(f"{self._settings.seed}/{number}")  # noqa: S311 - reproducible, not secret
            shown = chance.sample(self._known, min(self._settings.shown, len(self._known)))
            messages = prompts.keyword_messages(shown, [*used][-60:], self._settings.keywords)
            reply, _ = self._asker.ask(f"r{number}/keywords", messages, KeywordReply)
            units = self._fresh(number, reply.keywords if reply else [], used)
            used.update(dict.fromkeys(unit.topic for unit in units))
            for unit in self._worked(units):
                self._judge(unit, wanted)
                self._progress(min(self.kept, wanted), wanted)
                if self.kept >= wanted:
                    break
            fruitless = fruitless + 1 if self._met == before else 0
            number += 1

    def _fresh(self, number: int, topics: Sequence[str], used: Container[str]) -> list[_Unit]:
        """Makes units of new topics; a topic keeps its place whatever else is new, and what was begun is gone on with.

        A round that was unusable and is asked again brings topics that later rounds have worked on already.
        """
        units = [_Unit(f"r{number}/{place}", topic) for place, topic in enumerate(dict.fromkeys(topics))]
        begun = self._journal.replies
        fresh = [unit for unit in units if unit.topic not in used or f"{unit.task}/questions" in begun]
        return fresh[: self._settings.keywords]

    def passages(self, passages: Sequence[Passage]) -> None:
        units = [] if self._enough() else [_Unit(f"p{passage.key}", "", passage) for passage in passages]
        for done, unit in enumerate(self._worked(units), 1):
            self._judge(unit, self._settings.count)
            self._progress(done, len(units))
            if self._enough():
                return

    def _enough(self) -> bool:
        return self._settings.count is not None and self.kept >= self._settings.count

    def _worked(self, units: Sequence[_Unit]) -> Iterator[_Unit]:
        """Works on a few units at a time and yields them in order; a stop is raised after what was done before it."""
        waiting: deque[Future[_Unit]] = deque()
        todo = iter(units)
        pool = ThreadPoolExecutor(self._settings.parallel, thread_name_prefix="augment")
        try:
            while True:
                while len(waiting) < self._settings.parallel and (unit := next(todo, None)):
                    waiting.append(pool.submit(self._work, unit))
                if not waiting:
                    return
                done = waiting.popleft().result()
                yield done
                if done.stopped:
                    # What later units have got is on record, and judged in its turn when the run goes on.
                    raise done.stopped
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, unit: _Unit) -> _Unit:
        """Asks everything about one unit; runs in a thread."""
        settings = self._settings
        passage = unit.passage.text if unit.passage else ""
        try:
            if unit.passage:
                messages = prompts.passage_keyword_messages(passage, settings.questions)
                words, problem = self._asker.ask(f"{unit.task}/keywords", messages, KeywordReply)
                unit.topic = ", ".join(words.keywords[: settings.keywords]) if words else ""
                if words is None:
                    unit.candidates.append(_Candidate(f"{unit.task}/keywords", (), "", None, problem))
                    return unit
            messages = prompts.question_messages(unit.topic, settings.questions, passage, self._listed)
            reply, problem = self._asker.ask(f"{unit.task}/questions", messages, QuestionReply)
            if reply is None:
                unit.candidates.append(_Candidate(f"{unit.task}/questions", (), "", None, problem))
                return unit
            for place, item in enumerate(reply.items[: settings.questions]):
                asked = item.questions[-1] if item.questions else ""
                messages = prompts.answer_messages(asked, settings.answers, settings.answer_chars, passage)
                task = f"{unit.task}/{place}"
                answers, problem = self._asker.ask(task, messages, AnswerReply)
                written = tuple(answers.answers[: settings.answers]) if answers else None
                unit.candidates.append(_Candidate(task, tuple(item.questions), item.category, written, problem))
        except (BudgetSpentError, GenerationError) as error:
            unit.stopped = error
        return unit

    # ---- judging ---------------------------------------------------------------------------------------------------

    def _judge(self, unit: _Unit, wanted: int | None) -> None:
        for candidate in unit.candidates:
            if wanted is not None and self.kept >= wanted:
                return
            record = self._journal.verdicts.get(candidate.task)
            if record is None:
                record = self._judged(candidate, unit)
                self._journal.add_verdict(record)
                if record["accepted"]:
                    self._filters.add([_group_of(record["group"])])
                    self.kept += 1
            self._met += record["accepted"]

    def _judged(self, candidate: _Candidate, unit: _Unit) -> Record:
        if candidate.answers is None:
            return _refusal(candidate, candidate.problem, "")
        if not candidate.answers:
            return _refusal(candidate, "unanswered", "")
        passage = unit.passage
        digest = _digest(*candidate.questions, *candidate.answers)
        group = QAGroup(
            id=f"aug-{digest[:10]}",
            questions=candidate.questions,
            answers=candidate.answers,
            category=self._categories.get(comparable(candidate.category), ""),
            source=passage.source if passage else f"augment:{self._chat.name}",
        )
        verdict = self._filters.check(group, passage.text if passage else "")
        if verdict.group is None:
            return _refusal(candidate, verdict.reason, verdict.detail)
        row = asdict(verdict.group) | {
            "questions": list(verdict.group.questions),
            "answers": list(verdict.group.answers),
            "provenance": self._provenance(candidate, unit, verdict),
        }
        return {"task": candidate.task, "accepted": True, "group": row}

    def _provenance(self, candidate: _Candidate, unit: _Unit, verdict: Verdict) -> Record:
        provenance: Record = {
            "model": self._chat.name,
            "prompt_version": prompts.PROMPT_VERSION,
            "prompt_digest": prompts.prompt_digest(),
            "seed": self._settings.seed,
            "time": now(),
            "task": candidate.task,
            "topic": unit.topic,
            "encoder": self._encoder,
            "agreement": verdict.agreement,
            "answerability": verdict.answerability,
            "dropped_answers": verdict.dropped,
            "approved": False,
        }
        if candidate.category and comparable(candidate.category) not in self._categories:
            provenance["category_given"] = candidate.category
        if unit.passage:
            provenance["passage"] = asdict(unit.passage)
        return provenance


def _refusal(candidate: _Candidate, reason: str, detail: str) -> Record:
    return {
        "task": candidate.task,
        "accepted": False,
        "reason": reason,
        "detail": detail,
        "questions": list(candidate.questions),
    }


def _silent(_done: int, _total: int) -> None:
    """Shows no progress."""


def _group_of(row: Record) -> QAGroup:
    return QAGroup(row["id"], tuple(row["questions"]), tuple(row["answers"]), row["category"], row["source"])


def _digest(*texts: str) -> str:
    return sha256("\x1f".join(texts).encode()).hexdigest()[:16]
