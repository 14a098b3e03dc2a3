"""The audit: runs every analyser over one file and gathers what a report needs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import perf_counter

from data.errors import InputError
from index.audit import agreement, duplicates, leakage, mismatch
from index.audit.artefacts import find_artefacts
from index.audit.embedding import AuditVectors
from index.audit.findings import FEWEST_FOR_SPREAD, Finding, Suspects, choose_suspects
from index.audit.lengths import Lengths, lengths, load_token_counter
from index.audit.polarity import find_polarity_clashes
from index.audit.raw import RawFile, read_raw
from index.encoders.base import Encoder, Progress
from index.korean import KoreanAnalyzer, korean_analyzer

_STEP = 1_000
_STEPS = 6


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes:
        file: The audited file.
        sha256: Of the audited file's bytes.
        encoder: Fingerprint of the encoder.
        lengths: Distributions, by text kind and unit.
        repeated_questions: Questions that stand in several groups, with the groups' ids.
        pairs: Groups whose questions nearly agree.
        agreements: How each group's answers agree.
        margins: Of each question, how much nearer its answers lie to it than to any other group's question.
        suspects: What is put before a person.
        leaks: Questions that stand in the other file too; None if no file was given.
        notes: What was not done, and why.
        seconds: Time by step.
    """

    file: RawFile
    sha256: str
    encoder: str
    lengths: tuple[Lengths, ...]
    repeated_questions: tuple[tuple[str, list[str]], ...]
    pairs: tuple[duplicates.NearPair, ...]
    agreements: tuple[agreement.Agreement, ...]
    margins: tuple[float, ...]
    suspects: Suspects
    leaks: tuple[leakage.Leak, ...] | None
    notes: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)


def audit_file(
    path: Path,
    encoder: Encoder,
    folder: Path,
    *,
    against: Path | None = None,
    tokenizer: str | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Audits one QA file; the file is only read.

    Args:
        path: A file that `data.readers.read_groups` reads.
        encoder: For neighbours and for whether questions and answers fit.
        folder: Where vectors are kept for the next audit.
        against: A QA file or a file of questions whose questions must not stand in `path`.
        tokenizer: Hugging Face name or path; tokens are counted only if given.
        progress: Told how much of the whole is done.

    Raises:
        InputError: A file cannot be read, or there is no such tokenizer.
    """
    file = read_raw(path)
    other = leakage.read_other(against) if against else None
    if against and against.resolve() == path.resolve():
        raise InputError(f"{against}: is the audited file itself; name another file with --against")
    steps = _Steps(progress)
    groups = file.result.groups
    analyzer = korean_analyzer()
    measured_lengths, notes = _lengths(file, analyzer, tokenizer, steps.next("lengths"))
    findings: list[Finding] = [*find_artefacts(file.cells), *duplicates.find_inside(file)]
    clashes = list(find_polarity_clashes(file))
    findings += clashes
    vectors = AuditVectors(groups, encoder, folder, steps.next("questions"))
    pairs = duplicates.near_pairs(groups, vectors, analyzer, steps.next("neighbours"))
    findings += duplicates.find_across(file, pairs, {(clash.group_id, clash.field) for clash in clashes})
    measured = agreement.agreements(groups)
    findings += agreement.find_disagreement(file, measured)
    medoids = mismatch.encode_medoids(file, measured, vectors, steps.next("answers"))
    margins = mismatch.question_margins(measured, medoids, vectors)
    findings += mismatch.find_mismatched_questions(file, vectors, margins)
    doubts = agreement.answers_in_doubt(groups, measured)
    findings += mismatch.find_outlying_answers(file, doubts, medoids, vectors, steps.next("doubted answers"))
    leaks = None
    if against is not None and other is not None:
        threshold = duplicates.twin_cosine(groups, vectors)
        leaks = tuple(leakage.find_leaks(file, other, vectors, analyzer, threshold, steps.next("leakage")))
        findings += leakage.leak_findings(file, list(leaks), against.name)
    else:
        notes.append("leakage was not looked for: no other file was given (--against)")
    if len(groups) < FEWEST_FOR_SPREAD:
        notes.append(f"{len(groups)} groups are too few to say what is unusual: only certain findings are reported")
    steps.end()
    return Audit(
        file=file,
        sha256=sha256(path.read_bytes()).hexdigest(),
        encoder=encoder.fingerprint,
        lengths=measured_lengths,
        repeated_questions=tuple(duplicates.exact_across(groups)),
        pairs=tuple(pairs),
        agreements=tuple(measured),
        margins=tuple(margins.margins),
        suspects=choose_suspects(findings, len(groups)),
        leaks=leaks,
        notes=tuple(notes),
        seconds=steps.seconds,
    )


def category_counts(audit: Audit) -> dict[str, int]:
    """Returns the number of groups of each category, the most frequent first; "" where none is named."""
    return dict(Counter(group.category for group in audit.file.result.groups).most_common())


def _lengths(
    file: RawFile, analyzer: KoreanAnalyzer, tokenizer: str | None, progress: Progress
) -> tuple[tuple[Lengths, ...], list[str]]:
    notes: list[str] = []
    count_tokens: Callable[[str], int] | None = load_token_counter(tokenizer) if tokenizer else None
    if count_tokens is None:
        notes.append("tokens were not counted: no tokenizer was chosen (--tokenizer NAME_OR_PATH)")
    texts = {
        "question": [question for group in file.result.groups for question in group.questions],
        "answer": [answer for group in file.result.groups for answer in group.answers],
    }
    total = sum(len(values) for values in texts.values())
    done = 0
    measured = []
    for kind, values in texts.items():
        morphemes, tokens = [], []
        for text in values:
            morphemes.append(len(analyzer.tokens(text)))
            if count_tokens:
                tokens.append(count_tokens(text))
            done += 1
            if done % 64 == 0:
                progress(done, total)
        measured.append(lengths(kind, "characters", [len(text) for text in values]))
        measured.append(lengths(kind, "morphemes", morphemes))
        if count_tokens:
            measured.append(lengths(kind, "tokens", tokens))
    return tuple(measured), notes


class _Steps:
    """Spreads the steps of an audit over one progress bar and takes the time of each."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = 0
        self._name = ""
        self._begun = perf_counter()
        self.seconds: dict[str, float] = {}

    def next(self, name: str) -> Progress:
        self.end()
        self._name = name
        base = self._done
        self._done += 1

        def report(done: int, total: int) -> None:
            if self._progress:
                self._progress(base * _STEP + round(_STEP * done / max(1, total)), _STEPS * _STEP)

        report(0, 1)
        return report

    def end(self) -> None:
        now = perf_counter()
        if self._name:
            self.seconds[self._name] = round(now - self._begun, 2)
        self._begun = now
