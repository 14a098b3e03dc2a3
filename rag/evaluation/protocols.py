"""Which questions are asked, of which base, and what a right answer is; every protocol checked for leaks.

- paraphrase: the group is in the base, the asked wording is not.
- unseen: the group is in neither the base nor any arm's training data, nor does anything near it stand there.
- compound: two questions in one message, both groups in the base.
- unanswerable: of this field, but no group of the base answers it.
- out_of_domain: of another field.
- noisy: the paraphrase questions, misspelt by rule; drawn in the same order, so that the two pair.

Knows nothing about arms or metrics.
"""

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2s, file_digest
from pathlib import Path
from typing import Literal, NamedTuple

from data.errors import InputError
from data.joining import join_groups
from data.readers import read_groups
from data.settings import project_path
from data.split import NEAR_DUPLICATE, near_duplicates, split_groups
from data.text import comparable
from data.types import QAGroup
from index.audit.similarity import trigram_jaccard
from index.calibration import foreign_questions
from rag.evaluation.config import PROTOCOLS, EvaluationConfig, Protocol, SourceSettings
from rag.evaluation.noise import misspelt_all
from rag.evaluation.question_file import read_questions

FULL, REMOVED = "full", "held_out_removed"
ANSWERABLE: tuple[Protocol, ...] = ("paraphrase", "compound", "noisy")
"""Protocols whose questions the base answers."""

UNANSWERABLE: tuple[Protocol, ...] = ("unanswerable", "out_of_domain")
"""Protocols whose questions should be refused."""


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """One question of one protocol.

    Attributes:
        id: Protocol and a digest of the question and its groups.
        protocol: Name of the protocol.
        question: As it is asked.
        targets: Ids of the groups that answer it, in the order of its parts; empty where none does.
        references: Right answers; empty where none is to be given.
        category: Category of the first target.
        base: Name of the base it is asked of.
        removed: Ids of groups that are not found for this question though they are in its base.
    """

    id: str
    protocol: Protocol
    question: str
    targets: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    category: str = ""
    base: str = FULL
    removed: tuple[str, ...] = ()

    @property
    def in_base(self) -> bool:
        """Whether the groups that answer it are in its base."""
        return bool(self.targets) and self.base == FULL and not self.removed


class Leak(NamedTuple):
    """A question left out because it would have been answered by what it must not meet."""

    protocol: str
    question: str
    reason: str


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Everything that is asked.

    Attributes:
        questions: In the order of the protocols.
        bases: Groups of each base that is asked.
        available: Sound questions of each protocol, of which the asked ones were drawn.
        leaks: Questions left out.
        files: Digest of each file, by the name the configuration gives it.
        notes: What the readers changed.
        held_out: Number of groups in no base of the unseen protocol.
    """

    questions: tuple[AskedQuestion, ...]
    bases: dict[str, tuple[QAGroup, ...]]
    available: dict[str, int]
    leaks: tuple[Leak, ...]
    files: dict[str, str]
    notes: tuple[str, ...]
    held_out: int


def draw_questions(config: EvaluationConfig, trained: Collection[str] = ()) -> QuestionSet:
    """Draws the questions of a configuration.

    Args:
        config: Files, limits and seeds.
        trained: Ids of groups that some arm was trained on; they are never asked as unseen.

    Raises:
        InputError: A file cannot be used, or a protocol that is wanted has no question.
    """
    source = config.source
    read = read_groups(project_path(source.file))
    split = split_groups(read.groups, held_out=source.held_out, seed=source.split_seed)
    bases = {FULL: _indexed(read.groups, source), REMOVED: _indexed(split.train, source)}
    drawn: list[AskedQuestion] = []
    available: dict[str, int] = {}
    leaks: list[Leak] = []
    for protocol in PROTOCOLS:
        limit = config.limit(protocol)
        if not limit:
            continue
        checker = _LeakCheck(bases, trained)
        # Noisy questions are misspelt and checked after the draw of their paraphrases: one that leaks moves no other.
        stream: Protocol = "paraphrase" if protocol == "noisy" else protocol
        sound = [item for item in _candidates(stream, config, read.groups, split.held_out) if checker.passes(item)]
        chance = random.Random(f"{config.protocols.seed}/{stream}")  # noqa: S311 - a reproducible draw, not a secret
        order = chance.sample(range(len(sound)), len(sound))
        if protocol == "noisy":
            checker = _LeakCheck(bases, trained)
            sound = _misspelt(sound, config.protocols.seed)
            order = [position for position in order if checker.passes(sound[position])]
        if protocol == "unanswerable":  # what its group answered was there for the check alone
            sound = [replace(item, references=()) for item in sound]
        leaks += checker.leaks
        if not order:
            raise InputError(f"protocol {protocol} {_why_none(source, checker)}; set protocols.{protocol} to 0")
        available[protocol] = len(order)
        drawn += [sound[position] for position in sorted(order[:limit])]
    names = dict.fromkeys(name for name in (source.file, source.questions, source.foreign) if name)
    return QuestionSet(
        tuple(drawn),
        {name: groups for name, groups in bases.items() if any(item.base == name for item in drawn)},
        available,
        tuple(leaks),
        {name: _sha256(project_path(name)) for name in names},
        (*read.notes, *([f"{len(read.rejects)} rows rejected"] if read.rejects else [])),
        len(split.held_out),
    )


def _indexed(groups: Iterable[QAGroup], source: SourceSettings) -> tuple[QAGroup, ...]:
    if source.questions:
        return tuple(groups)
    number = source.index_wording
    return tuple(replace(group, questions=(group.questions[:number][-1],)) for group in groups)


def _candidates(
    protocol: Protocol, config: EvaluationConfig, groups: Sequence[QAGroup], held_out: Sequence[QAGroup]
) -> Iterator[AskedQuestion]:
    source = config.source
    written = source.questions and protocol in {"paraphrase", "compound", "unanswerable"}
    if protocol == "out_of_domain":
        yield from (_of(protocol, item.question) for item in read_questions(source.foreign, protocol))
    elif written:
        by_id = {group.id: group for group in groups}
        for item in read_questions(source.questions, protocol):
            missing = [name for name in item.group_ids if name not in by_id]
            if missing:
                raise InputError(f"{item.place}: group {missing[0]} is not in {source.file}")
            yield _of(protocol, item.question, [by_id[name] for name in item.group_ids])
    elif protocol == "compound":
        having = [replace(group, questions=(wording,)) for group, wording in _asked_wordings(groups, source)]
        by_id = {group.id: group for group in groups}
        for joined in join_groups(having, seed=config.protocols.seed).joined:
            yield _of(protocol, joined.question, [by_id[name] for name in joined.group_ids])
    elif protocol == "paraphrase":
        yield from (_of(protocol, wording, [group]) for group, wording in _asked_wordings(groups, source))
    elif protocol == "unseen" and source.unseen == "leave_one_out":
        near: dict[str, set[str]] = {group.id: {group.id} for group in groups}
        for first, second in near_duplicates(groups):
            near[first].add(second)
            near[second].add(first)
        for group, wording in _asked_wordings(groups, source):
            yield replace(_of(protocol, wording, [group]), removed=tuple(sorted(near[group.id])))
    elif protocol == "unseen":
        for group, wording in _asked_wordings(held_out, source):
            yield replace(_of(protocol, wording, [group]), base=REMOVED)
    else:
        for group, wording in _asked_wordings(held_out, source):
            yield replace(_of(protocol, wording, [group]), targets=(), base=REMOVED)


def _why_none(source: SourceSettings, checker: "_LeakCheck") -> str:
    if checker.leaks:
        return (
            f"has no question left: {len(checker.leaks)} were left out, the first because it {checker.leaks[0].reason}"
        )
    if source.questions:
        return f"has no question in {source.questions}, nor a wording {source.ask_wording} in {source.file}"
    return f"has no question: too few groups of {source.file} have a wording {source.ask_wording} (source.ask_wording)"


def _misspelt(plain: Sequence[AskedQuestion], seed: int) -> list[AskedQuestion]:
    texts = misspelt_all([item.question for item in plain], seed)
    return [
        replace(item, id=_id("noisy", text, item.targets), protocol="noisy", question=text)
        for item, text in zip(plain, texts, strict=True)
    ]


def _asked_wordings(groups: Iterable[QAGroup], source: SourceSettings) -> Iterator[tuple[QAGroup, str]]:
    number = source.ask_wording
    return ((group, group.questions[number - 1]) for group in groups if len(group.questions) >= number)


def _of(protocol: Protocol, question: str, groups: Sequence[QAGroup] = ()) -> AskedQuestion:
    targets = tuple(group.id for group in groups)
    return AskedQuestion(
        _id(protocol, question, targets),
        protocol,
        question,
        targets,
        tuple(" ".join(texts) for texts in zip(*(group.answers for group in groups), strict=False)),
        groups[0].category if groups else "",
    )


def _id(protocol: str, question: str, targets: Sequence[str]) -> str:
    digest = blake2s("\x1f".join((question, *targets)).encode(), digest_size=5).hexdigest()
    return f"{protocol}-{digest}"


class _LeakCheck:
    """Tells sound questions from those that meet in the base what they must not.

    Attributes:
        leaks: Those that did not pass.
    """

    def __init__(self, bases: dict[str, tuple[QAGroup, ...]], trained: Collection[str]) -> None:
        self.leaks: list[Leak] = []
        self._passed: set[str] = set()
        self._trained = trained
        self._bases = bases
        self._exact = {name: _owners(groups, "questions") for name, groups in bases.items()}
        self._answers = {name: _owners(groups, "answers") for name, groups in bases.items()}
        self._foreign = {comparable(text) for text in foreign_questions()}

    def passes(self, item: AskedQuestion) -> bool:
        """Says whether a question may be asked, and notes why not."""
        reason = "is asked already" if item.id in self._passed else self._reason(item)
        if reason:
            self.leaks.append(Leak(item.protocol, item.question, reason))
        else:
            self._passed.add(item.id)
        return not reason

    def _reason(self, item: AskedQuestion) -> str:
        removed = set(item.removed)
        if self._exact[item.base].get(comparable(item.question), removed) - removed:
            return "stands in the base word for word"
        if item.in_base:
            return ""
        near = any(
            trigram_jaccard(text, item.question) >= NEAR_DUPLICATE
            for group in self._bases[item.base]
            if group.id not in removed
            for text in group.questions
        )
        if near:
            return "nearly stands in the base"
        if any(self._answers[item.base].get(comparable(text), removed) - removed for text in item.references):
            return "finds its answer in the base"
        if item.protocol == "unseen" and any(name in self._trained for name in item.targets):
            return "is of a group that was trained on"
        if item.protocol == "out_of_domain" and comparable(item.question) in self._foreign:
            return "took part in the calibration"
        return ""


def _owners(groups: Iterable[QAGroup], field: Literal["questions", "answers"]) -> dict[str, set[str]]:
    """Returns the ids of the groups that hold each text, spaces and marks left out."""
    owners: dict[str, set[str]] = {}
    for group in groups:
        for text in getattr(group, field):
            owners.setdefault(comparable(text), set()).add(group.id)
    return owners


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
