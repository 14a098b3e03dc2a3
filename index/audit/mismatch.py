"""Questions and answers that do not belong together, by the encoder.

What counts is a margin: how much nearer an answer lies to its own question than to the nearest question of any other
group. A margin far below what is usual in the file says that the pair was mixed up, in whatever field it is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from index.audit.agreement import FAR, Agreement
from index.audit.embedding import AuditVectors
from index.audit.evidence import Evidence
from index.audit.findings import Finding, robust_z, shortened
from index.audit.raw import RawFile
from index.encoders.base import Progress, Vectors

_NEAREST = 12
"""Rows looked at to find a question of another group: more than any group's own questions usually fill."""


class Margins(NamedTuple):
    """For each question row: its margin, and the row of the other group's question that lies nearest."""

    margins: list[float]
    nearest: list[int]


def question_margins(measured: Sequence[Agreement], medoids: Vectors, vectors: AuditVectors) -> Margins:
    """Measures every question against its group's medoid answer; `medoids` has shape `(groups, dim)`."""
    margins, nearest = [], []
    found = [_nearest_other(vectors, medoids[item.group], item.group) for item in measured]
    for row, owner in enumerate(vectors.owners):
        other, similarity = found[owner]
        margins.append(float(vectors.questions[row] @ medoids[owner]) - similarity)
        nearest.append(other)
    return Margins(margins, nearest)


def encode_medoids(
    file: RawFile, measured: Sequence[Agreement], vectors: AuditVectors, progress: Progress | None = None
) -> Vectors:
    """Encodes each group's medoid answer; shape `(groups, dim)`."""
    return vectors.of_answers([file.result.groups[item.group].answers[item.medoid] for item in measured], progress)


def find_mismatched_questions(file: RawFile, vectors: AuditVectors, margins: Margins) -> list[Finding]:
    """Reports questions that their group's answers fit far less than is usual, and less than another question."""
    findings = []
    for row, z in enumerate(robust_z(margins.margins)):
        if z > -FAR or margins.margins[row] >= 0:
            continue
        group = file.result.groups[vectors.owners[row]]
        other = margins.nearest[row]
        findings.append(
            Finding(
                group.id,
                "question_answer_mismatch",
                file.field_of(group.id, "question", vectors.texts[row]),
                Evidence.of(
                    "mismatch",
                    *(shortened(text, 80) for text in (vectors.texts[row], vectors.texts[other], group.answers[0])),
                    group=file.result.groups[vectors.owners[other]].id,
                ),
                extremity=float(-z),
            )
        )
    return findings


def find_outlying_answers(
    file: RawFile,
    doubts: Sequence[tuple[int, int, float]],
    medoids: Vectors,
    vectors: AuditVectors,
    progress: Progress | None = None,
) -> list[Finding]:
    """Reports answers that share few letters with their siblings and also lie far from their own questions.

    Either sign alone is weak: a good short answer is worded freely, a good long one wanders from the question. Their
    mean must be unusual.

    Args:
        file: The audited file.
        doubts: From `agreement.answers_in_doubt`.
        medoids: Vectors of the groups' medoid answers, against which "far" is measured.
        vectors: Of all questions.
        progress: Told how many answers are encoded.
    """
    if not doubts:
        return []
    groups = file.result.groups
    usual = np.array([_to_own(vectors, medoid, number) for number, medoid in enumerate(medoids)])
    encoded = vectors.of_answers([groups[group].answers[position] for group, position, _ in doubts], progress)
    own = np.array([_to_own(vectors, row, group) for row, (group, _, _) in zip(encoded, doubts, strict=True)])
    # Doubted answers are judged by the spread of typical ones, so that many bad answers cannot hide one another.
    fits = robust_z(np.concatenate([usual, own]).tolist())[len(usual) :]
    findings = []
    for (number, position, doubt), fit, similarity in zip(doubts, fits, own, strict=True):
        extremity = (doubt - fit) / 2
        if extremity < FAR:
            continue
        group, answer = groups[number], groups[number].answers[position]
        findings.append(
            Finding(
                group.id,
                "answer_outlier",
                file.field_of(group.id, "answer", answer),
                Evidence.of(
                    "answer_outlier",
                    shortened(answer, 100),
                    shortened(group.questions[0], 80),
                    score=float(similarity),
                ),
                extremity=float(extremity),
            )
        )
    return findings


def _to_own(vectors: AuditVectors, answer: Vectors, group: int) -> float:
    rows = vectors.rows_of(group)
    return float((vectors.questions[rows.start : rows.stop] @ answer).max())


def _nearest_other(vectors: AuditVectors, answer: Vectors, group: int) -> tuple[int, float]:
    """The nearest question of another group, its row and cosine; of a lone group, its own worst at cosine -1."""
    limit = _NEAREST
    while True:
        found = vectors.index.search(answer, limit)
        for position, similarity in zip(found.positions.tolist(), found.cosines.tolist(), strict=True):
            if vectors.owners[position] != group:
                return position, float(similarity)
        if limit >= vectors.index.size:
            return vectors.rows_of(group).start, -1.0
        limit *= 4
