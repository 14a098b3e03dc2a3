"""What a candidate must pass before it is kept. Every refusal has one reason, so that reasons can be counted.

An answer that is unusable by itself is dropped; a group that keeps too few answers is refused for the reason that
cost it the most.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.split import NEAR_DUPLICATE
from data.text import clean_text, comparable
from data.types import QAGroup
from index.audit.polarity import clashes_in
from index.encoders.base import Encoder
from index.korean import word_heads
from index.threads import one_thread
from training.augment.known import KnownQuestions
from training.augment.thresholds import Thresholds, mean_cosines_to_others

REASONS = (
    *("language", "length", "artefact", "duplicate_base", "duplicate_candidate", "leakage"),
    *("agreement", "answerability", "polarity", "grounding", "unanswered", "bad_json", "refused"),
)
"""Every reason for which a candidate, or a reply that should have held candidates, is refused."""

LEAKAGE = 0.5
"""Jaccard similarity of trigrams from which a question tells of a held-out one; stricter than between groups."""

_STRANGERS, _ENOUGH_STRANGERS = 60, 20
"""Answers of the base that a candidate's own are held against, and from how many on that means something."""

_ARTEFACT = re.compile(
    r"AI\s*(?:언어\s*)?모델|인공지능|https?://|www\.|<[^>]{1,80}>|\*\*|^#+ |```|답변\s?\d\s?[::]|</?자료>|�"
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """Bars that need no encoder.

    Attributes:
        hangul: Least share of Hangul among the letters.
        question_chars: Least and most characters of a question.
        answer_chars: Least and most characters of an answer.
        min_answers: Answers a group must keep.
        grounding: Least share of an answer's words whose heads stand in its passage.
        nearer_strangers: Most of the base's answers, as a share, that may lie nearer to a question than its own do.
    """

    hangul: float = 0.7
    question_chars: tuple[int, int] = (6, 200)
    answer_chars: tuple[int, int] = (15, 200)
    min_answers: int = 3
    grounding: float = 0.35
    nearer_strangers: float = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate is kept.

    Attributes:
        group: The group with what remains of it, or None.
        reason: One of `REASONS`, or empty.
        detail: What was found.
        dropped: Answers left out of a kept group.
        agreement: Mean cosine among the kept answers.
        answerability: Mean cosine of the questions to the kept answers.
    """

    group: QAGroup | None
    reason: str = ""
    detail: str = ""
    dropped: int = 0
    agreement: float = 0.0
    answerability: float = 0.0


class Filters:
    """The filters with what they compare against: the base, the held-out questions, and what was kept so far."""

    def __init__(
        self,
        base: Sequence[QAGroup],
        held_out: Sequence[str],
        encoder: Encoder,
        thresholds: Thresholds,
        settings: FilterSettings | None = None,
    ) -> None:
        self._encoder = encoder
        self._thresholds = thresholds
        self._settings = settings or FilterSettings()
        questions = [question for group in base for question in group.questions]
        self._base = KnownQuestions(encoder, questions)
        self._held_out = KnownQuestions(encoder, held_out)
        self._kept = KnownQuestions(encoder, ())
        some = base[:: max(1, len(base) // _STRANGERS)]
        with one_thread():
            strange = [encoder.encode_passages([group.answers[0]]) for group in some]
        self._strangers = np.concatenate(strange) if len(strange) >= _ENOUGH_STRANGERS else None

    def add(self, groups: Sequence[QAGroup]) -> None:
        """Remembers kept groups, so that later candidates do not repeat them."""
        self._kept.add([question for group in groups for question in group.questions])

    def check(self, group: QAGroup, passage: str = "") -> Verdict:
        """Judges a candidate; the caller remembers a kept one by `add`.

        Args:
            group: The candidate as the model wrote it.
            passage: What its answers must rest on, or empty.
        """
        questions = _distinct(group.questions)
        problem = self._question_problem(questions) or self._repeats(questions)
        if problem:
            return Verdict(None, *problem)
        answers, lost = self._usable_answers(group.answers, passage)
        if len(answers) < self._settings.min_answers:
            reason = lost.most_common(1)[0][0] if lost else "unanswered"
            return Verdict(None, reason, f"{len(answers)} of {len(group.answers)} answers are usable ({dict(lost)})")
        usable = replace(group, questions=questions, answers=answers)
        if clash := next(clashes_in(usable), None):
            return Verdict(None, "polarity", f"{clash.evidence.seen[0].key}: {clash.text[:80]}")
        return self._compared(usable, len(group.answers) - len(answers))

    def _question_problem(self, questions: tuple[str, ...]) -> tuple[str, str] | None:
        least, most = self._settings.question_chars
        if not questions:
            return "length", "no question"
        for question in questions:
            if hangul_share(question) < self._settings.hangul:
                return "language", question[:80]
            if not least <= len(question) <= most:
                return "length", f"question of {len(question)} characters"
            if _ARTEFACT.search(question):
                return "artefact", question[:80]
        return None

    def _repeats(self, questions: tuple[str, ...]) -> tuple[str, str] | None:
        with one_thread():
            vectors = self._encoder.encode_queries(questions)
        for known, reason, jaccard in (
            (self._held_out, "leakage", LEAKAGE),
            (self._base, "duplicate_base", NEAR_DUPLICATE),
            (self._kept, "duplicate_candidate", NEAR_DUPLICATE),
        ):
            for question, vector in zip(questions, vectors, strict=True):
                if twin := known.twin(question, vector, jaccard=jaccard, cosine=self._thresholds.duplicate):
                    return reason, f"{question[:60]} = {twin[:60]}"
        return None

    def _usable_answers(self, raw: Sequence[str], passage: str) -> tuple[tuple[str, ...], Counter[str]]:
        least, most = self._settings.answer_chars
        lost: Counter[str] = Counter()
        kept: list[str] = []
        for answer in _distinct(raw, keep_lines=True):
            if hangul_share(answer) < self._settings.hangul:
                lost["language"] += 1
            elif not least <= len(answer) <= most:
                lost["length"] += 1
            elif _ARTEFACT.search(answer):
                lost["artefact"] += 1
            elif passage and not self._rests_on(answer, passage):
                lost["grounding"] += 1
            else:
                kept.append(answer)
        if not kept or len(kept) < self._settings.min_answers:
            return tuple(kept), lost
        with one_thread():
            vectors = self._encoder.encode_passages(kept)
        agree = mean_cosines_to_others(vectors) >= self._thresholds.agreement
        lost["agreement"] += int((~agree).sum())
        return tuple(answer for answer, keep in zip(kept, agree, strict=True) if keep), +lost

    def _rests_on(self, answer: str, passage: str) -> bool:
        numbers = set(_NUMBER.findall(passage))
        if any(number not in numbers for number in _NUMBER.findall(answer)):
            return False
        heads, known = word_heads(answer), set(word_heads(passage))
        return sum(head in known for head in heads) >= self._settings.grounding * len(heads)

    def _compared(self, group: QAGroup, dropped: int) -> Verdict:
        with one_thread():
            questions = self._encoder.encode_queries(group.questions)
            answers = self._encoder.encode_passages(group.answers)
        nearness = (questions @ answers.T).mean(axis=1)
        agreement = float(mean_cosines_to_others(answers).mean())
        if float(nearness.min()) < self._thresholds.answerability:
            worst = group.questions[int(nearness.argmin())]
            return Verdict(None, "answerability", f"{nearness.min():.3f}: {worst[:80]}")
        if self._strangers is not None:
            nearer = (questions @ self._strangers.T > nearness[:, None]).mean(axis=1)
            if float(nearer.max()) > self._settings.nearer_strangers:
                worst = group.questions[int(nearer.argmax())]
                return Verdict(None, "answerability", f"{nearer.max():.0%} of other answers are nearer: {worst[:80]}")
        return Verdict(
            group, dropped=dropped, agreement=round(agreement, 4), answerability=round(float(nearness.mean()), 4)
        )


def hangul_share(text: str) -> float:
    """Returns the share of Hangul among a text's letters, in [0, 1]; 0 without letters."""
    letters = [char for char in text if char.isalpha()]
    return sum("가" <= char <= "힣" for char in letters) / len(letters) if letters else 0.0


def _distinct(raw: Sequence[str], *, keep_lines: bool = False) -> tuple[str, ...]:
    texts: dict[str, str] = {}
    for text in raw:
        cleaned = clean_text(text, keep_lines=keep_lines).text
        if cleaned:
            texts.setdefault(comparable(cleaned), cleaned)
    return tuple(texts.values())
