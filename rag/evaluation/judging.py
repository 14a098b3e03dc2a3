"""How far the support judge can be trusted: its agreement with sentences labelled by hand.

The labelled sentences are ours, written about answers of the starter base: copies, rewordings, free paraphrases,
changed numbers, negations and opposites, mixtures, additions, sentences about something else. The judge was tuned on
every other one of each kind; what counts is the other half.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.errors import FileFormatError
from data.tables import read_text
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
    """How the judge and the labels agree on some sentences.

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
    accuracy: float
    kappa: float
    precision: float
    recall: float
    by_kind: dict[str, tuple[int, int]]

    def to_json(self) -> dict[str, Any]:
        """Returns the agreement as JSON values."""
        return asdict(self)

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
    right = [verdict == label.supported for verdict, label in zip(judged, labels, strict=True)]
    total = len(labels)
    accuracy = sum(right) / total
    said, true = sum(judged) / total, sum(label.supported for label in labels) / total
    by_chance = said * true + (1 - said) * (1 - true)
    both = sum(verdict and label.supported for verdict, label in zip(judged, labels, strict=True))
    by_kind: dict[str, tuple[int, int]] = {}
    for label, agrees in zip(labels, right, strict=True):
        done, of = by_kind.get(label.kind, (0, 0))
        by_kind[label.kind] = (done + agrees, of + 1)
    return Agreement(
        name,
        total,
        round(accuracy, 4),
        round((accuracy - by_chance) / (1 - by_chance), 4) if by_chance < 1 else 1.0,
        round(both / sum(judged), 4) if any(judged) else 0.0,
        round(both / sum(label.supported for label in labels), 4) if true else 0.0,
        by_kind,
    )
