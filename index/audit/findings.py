"""What an analyser finds, and which findings become suspects.

A finding is *certain* when a rule can be pointed at (a repeated text, a back-tick, opposite polarity) and *graded*
when it is only far from what is usual in this file. Graded findings fill what the certain ones leave of a budget, the
most extreme first: a list of suspects nobody can read to its end mends nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from index.audit.evidence import Evidence

Reason = Literal[
    "artefact",
    "duplicate_inside",
    "duplicate_across",
    "polarity",
    "answer_outlier",
    "answers_disagree",
    "question_answer_mismatch",
    "leakage",
]
Floats = npt.NDArray[np.float64]

SUSPECT_BUDGET = 0.15
"""Share of all groups that graded findings may fill up to."""

FEWEST_FOR_SPREAD = 20
"""Values below which "far from the usual" means nothing."""

_MAD_TO_SIGMA = 1.4826
"""Makes the median absolute deviation estimate a normal distribution's standard deviation."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that looks wrong.

    Attributes:
        group_id: The group it concerns.
        reason: Which analyser says so.
        field: The text concerned, as a `Cell.field` of `index.audit.raw`, or the whole group's.
        evidence: What was seen.
        suggestion: A mend as `index.audit.fixing` reads it; empty where a person must think of one.
        extremity: None for a certain finding; otherwise how far from usual, in robust standard deviations.
    """

    group_id: str
    reason: Reason
    field: str
    evidence: Evidence
    suggestion: str = ""
    extremity: float | None = None


@dataclass(frozen=True, slots=True)
class Suspects:
    """The findings put before a person, and how many graded ones the budget left out."""

    findings: tuple[Finding, ...]
    left_out: int

    @property
    def group_ids(self) -> frozenset[str]:
        """Returns the ids of all suspected groups."""
        return frozenset(finding.group_id for finding in self.findings)


def choose_suspects(findings: Sequence[Finding], groups: int, budget: float = SUSPECT_BUDGET) -> Suspects:
    """Keeps every certain finding, and graded ones while the suspected groups stay within the budget.

    Args:
        findings: From all analysers.
        groups: Number of groups audited.
        budget: Largest share of suspected groups that graded findings may lead to.
    """
    kept = [finding for finding in findings if finding.extremity is None]
    suspected = {finding.group_id for finding in kept}
    graded = sorted(
        (finding for finding in findings if finding.extremity is not None),
        key=lambda finding: -(finding.extremity or 0.0),
    )
    limit = int(budget * groups)
    left_out = 0
    for finding in graded:
        if finding.group_id in suspected or len(suspected) < limit:
            suspected.add(finding.group_id)
            kept.append(finding)
        else:
            left_out += 1
    return Suspects(tuple(kept), left_out)


def robust_z(values: Iterable[float]) -> Floats:
    """Returns each value's distance from the median in robust standard deviations; zeros where nothing varies.

    With fewer than `FEWEST_FOR_SPREAD` values all are zero: a handful shows no spread to be far from.
    """
    array = np.asarray(list(values), dtype=np.float64)
    if len(array) < FEWEST_FOR_SPREAD:
        return np.zeros(len(array))
    centre = np.median(array)
    spread = _MAD_TO_SIGMA * float(np.median(np.abs(array - centre)))
    if spread < 1e-9:
        return np.zeros(len(array))
    scores: Floats = (array - centre) / spread
    return scores


def shortened(text: str, limit: int = 120) -> str:
    """Puts a text on one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
