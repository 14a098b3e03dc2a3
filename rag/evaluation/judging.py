"""How far the support judge can be trusted: its agreement with sentences labelled by hand.

The labelled sentences are ours, written about answers of the starter base: copies, rewordings, free paraphrases,
changed numbers, negations and opposites, mixtures, additions, sentences about something else. The judge was tuned on
every other one of each kind; what counts is the other half.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import FileFormatError
from data.tables import read_text
from rag.evaluation.statistics import Floats, Interval, bootstrap_rates
from rag.support import supports

LABELS = Path(__file__).resolve().parent / "resources" / "support_labels.jsonl"


@dataclass(frozen=True, slots=True)
class Label:
    """One sentence and what a person says about it.

    Attributes:
        half: "tune" or "report".
        kind: How it was made.
        supported: Whether the source holds it up.
        sentence: The sentence.
        source: The answer it is judged against.
    """

    half: str
    kind: str
    supported: bool
    sentence: str
    source: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the judge and the labels agree on some sentences; intervals are over the answers these are about.

    Attributes:
        on: Which sentences.
        sentences: How many.
        accuracy: Share judged as labelled.
        kappa: Cohen's kappa: 0 for agreement by chance, 1 for full agreement.
        precision: Share of those judged supported that are.
        recall: Share of the supported that are judged so.
        by_kind: Judged as labelled, and all, of each kind.
    """

    on: str
    sentences: int
    accuracy: Interval
    kappa: Interval
    precision: Interval
    recall: Interval
    by_kind: dict[str, tuple[int, int]]

    def to_json(self) -> dict[str, Any]:
        """Returns the agreement as JSON values."""
        rates = {name: getattr(self, name)._asdict() for name in ("accuracy", "kappa", "precision", "recall")}
        return {"on": self.on, "sentences": self.sentences, **rates, "by_kind": self.by_kind}

    def line(self) -> str:
        """Returns the agreement as one line."""
        kinds = ", ".join(f"{kind} {right}/{total}" for kind, (right, total) in self.by_kind.items())
        return (
            f"{self.on}: {self.sentences} sentences, accuracy {self.accuracy:.3f}, kappa {self.kappa:.3f}, "
            f"precision {self.precision:.3f}, recall {self.recall:.3f} ({kinds})"
        )


def read_labels(path: Path) -> list[Label]:
    """Reads labelled sentences.

    Raises:
        FileFormatError: A line is not one.
    """
    labels = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            label = Label(*(record[key] for key in ("half", "kind", "supported", "sentence", "source")))
        except (ValueError, KeyError, TypeError) as error:
            raise FileFormatError(f"{path}, line {number}: is not a labelled sentence: {error}") from None
        if not isinstance(label.supported, bool):
            raise FileFormatError(f"{path}, line {number}: supported must be true or false")
        labels.append(label)
    return labels


def measure_judge(labels: Sequence[Label]) -> list[Agreement]:
    """Compares the judge with labels: each half on its own, and all."""
    halves = dict.fromkeys(label.half for label in labels)
    parts = [(half, [label for label in labels if label.half == half]) for half in halves]
    return [_agreement(name, part) for name, part in [*parts, ("all", list(labels))]]


def _agreement(name: str, labels: Sequence[Label]) -> Agreement:
    judged = [supports(label.sentence, [label.source]) for label in labels]
    cells = [
        (verdict and label.supported, verdict and not label.supported, label.supported and not verdict)
        for verdict, label in zip(judged, labels, strict=True)
    ]
    counts = np.array([(*cell, not any(cell)) for cell in cells], dtype=np.float64)  # (labels, 4)
    accuracy, kappa, precision, recall = bootstrap_rates(counts, _rates, clusters=[label.source for label in labels])
    by_kind: dict[str, tuple[int, int]] = {}
    for verdict, label in zip(judged, labels, strict=True):
        done, of = by_kind.get(label.kind, (0, 0))
        by_kind[label.kind] = (done + (verdict == label.supported), of + 1)
    return Agreement(name, len(labels), accuracy, kappa, precision, recall, by_kind)


def _rates(counts: Floats) -> Floats:
    """Accuracy, kappa, precision and recall, shape `(m, 4)`, of counts of supported, invented, missed and rejected."""
    right, invented, missed, rejected = counts.T
    total, said, true = counts.sum(axis=1), right + invented, right + missed
    accuracy = (right + rejected) / total
    by_chance = (said * true + (total - said) * (total - true)) / total**2
    return np.stack(
        [
            accuracy,
            np.divide(accuracy - by_chance, 1 - by_chance, out=np.ones_like(accuracy), where=by_chance < 1),
            right / np.maximum(said, 1),
            right / np.maximum(true, 1),
        ],
        axis=1,
    )
