"""Questions of this file that another file, such as a test set, asks as well."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data.errors import FileFormatError
from data.queries import read_questions
from data.readers import read_groups
from data.split import near_duplicates
from data.tables import read_text
from data.text import clean_text, comparable
from data.types import QAGroup
from index.audit.embedding import AuditVectors
from index.audit.evidence import Evidence
from index.audit.findings import Finding, shortened
from index.audit.raw import RawFile
from index.audit.similarity import asked_about, trigram_jaccard
from index.encoders.base import Progress
from index.korean import KoreanAnalyzer


@dataclass(frozen=True, slots=True)
class Leak:
    """A question that stands in both files.

    Attributes:
        group_id: Group of the audited file.
        question: Its question.
        other: The other file's question.
        kind: "exact" (but for spaces and marks), "near" (letters, or the same content words) or "encoder".
        score: Trigram similarity in [0, 1]; for "encoder" the cosine.
    """

    group_id: str
    question: str
    other: str
    kind: str
    score: float


def read_other(path: Path) -> list[str]:
    """Reads the distinct questions of a QA file (CSV, XLSX, JSONL) or of a file of questions alone.

    JSON lines need no answers: whatever stands under `question` or `questions` is read.

    Raises:
        FileFormatError: It is neither, or a JSON line holds no question.
        QuestionError: A file of questions holds one that cannot be asked.
    """
    if path.suffix.lower() in {".jsonl", ".ndjson"}:
        return list(dict.fromkeys(_of_json_lines(path)))
    try:
        groups = read_groups(path).groups
    except FileFormatError as error:
        try:
            return list(dict.fromkeys(read_questions(path)))
        except FileFormatError:
            raise error from None
    return list(dict.fromkeys(question for group in groups for question in group.questions))


def _of_json_lines(path: Path) -> Iterator[str]:
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FileFormatError(f"{path}, line {number}: not JSON: {' '.join(str(error).split())}") from None
        value = record.get("questions", record.get("question")) if isinstance(record, dict) else None
        texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
        if not any(text.strip() for text in texts):
            raise FileFormatError(f"{path}, line {number}: holds no question; each line needs question or questions")
        yield from (clean_text(text).text for text in texts if text.strip())


def find_leaks(
    file: RawFile,
    other: list[str],
    vectors: AuditVectors,
    analyzer: KoreanAnalyzer,
    threshold: float,
    progress: Progress | None = None,
) -> list[Leak]:
    """Finds the audited file's questions in another file, each pair once, the surest first.

    Args:
        file: The audited file.
        other: Questions of the other file.
        vectors: Of the audited file's questions.
        analyzer: Says whether two near questions ask about the same.
        threshold: Cosine from which the encoder alone is reported.
        progress: Told how many of `other` are encoded.
    """
    leaks: dict[tuple[str, str], Leak] = {}
    places: dict[str, list[tuple[str, str]]] = {}
    for group in file.result.groups:
        for question in group.questions:
            places.setdefault(comparable(question), []).append((group.id, question))
    for text in other:
        for group_id, question in places.get(comparable(text), []):
            leaks[group_id, text] = Leak(group_id, question, text, "exact", 1.0)
    questions_of = {group.id: group.questions for group in file.result.groups}
    for group_id, text in _near_by_letters(file.result.groups, other):
        if (group_id, text) not in leaks:
            score, question = max((trigram_jaccard(own, text), own) for own in questions_of[group_id])
            leaks[group_id, text] = Leak(group_id, question, text, "near", round(score, 4))
    asked: dict[frozenset[str], int] = {}
    for row, question in enumerate(vectors.texts):
        asked.setdefault(asked_about(analyzer, question), row)
    for text, vector in zip(other, vectors.of_questions(other, progress), strict=True):
        about = asked_about(analyzer, text)
        if about and about in asked:
            question, group = vectors.texts[asked[about]], file.result.groups[vectors.owners[asked[about]]]
            leaks.setdefault(
                (group.id, text),
                Leak(group.id, question, text, "near", round(trigram_jaccard(question, text), 4)),
            )
        found = vectors.index.search(vector, 3)
        for position, similarity in zip(found.positions.tolist(), found.cosines.tolist(), strict=True):
            group = file.result.groups[vectors.owners[position]]
            if similarity < threshold or (group.id, text) in leaks:
                continue
            leaks[group.id, text] = Leak(group.id, vectors.texts[position], text, "encoder", round(similarity, 4))
    order = {"exact": 0, "near": 1, "encoder": 2}
    return sorted(leaks.values(), key=lambda leak: (order[leak.kind], -leak.score, leak.group_id))


def leak_findings(file: RawFile, leaks: list[Leak], other_name: str) -> Iterator[Finding]:
    """Reports a group's surest leak; what the encoder alone finds near stays in the report."""
    reported: set[str] = set()
    for leak in leaks:
        if leak.kind == "encoder" or leak.group_id in reported:
            continue
        reported.add(leak.group_id)
        texts = shortened(leak.question, 80), shortened(leak.other, 80)
        if leak.kind == "exact":
            evidence = Evidence.of("also_stands", *texts, file=other_name)
        else:
            evidence = Evidence.of("nearly_stands", *texts, file=other_name, share=leak.score)
        yield Finding(
            leak.group_id,
            "leakage",
            file.field_of(leak.group_id, "question", leak.question),
            evidence,
            "delete group" if leak.kind == "exact" else "",
        )


def _near_by_letters(groups: tuple[QAGroup, ...], other: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a group's id and a question of the other file; ids are marked so that the two files' cannot meet."""
    ours = [QAGroup(f"a{group.id}", group.questions, group.answers) for group in groups]
    theirs = [QAGroup(f"b{number}", (text,), ("",)) for number, text in enumerate(other)]
    for first, second in near_duplicates([*ours, *theirs]):
        if first[0] == "a" and second[0] == "b":
            yield first[1:], other[int(second[1:])]
