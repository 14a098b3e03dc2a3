"""Calibrates, from the knowledge base itself, when the best cosine is too low to answer.

Each stored question is asked twice: with its group present under its other wordings, and with its group removed.
A few dozen everyday questions from other fields are asked as well. Two thresholds follow:

- below `refuse_below` a question is from another field: nothing is answered;
- below `unsure_below` it lies further off than nearly all rewordings of stored questions do: the answer may rest on a
  near miss, and says so.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from index.encoders.base import Vectors
from index.vectors import Positions

SAMPLE = 2_000
"""Questions asked of a large base; the quantiles below need no more."""

_REFUSED_SHARE = 0.03
"""Share of the base's own questions, groups removed, that may fall below `refuse_below`.

Of the starter base's held-out questions 0.43 are refused where no group answers them, 0.77 where they are of another
field, and 0.02 where one answers; at a share of 0.01 they are 0.23, 0.55 and 0.01.
"""

_UNSURE_SHARE = 0.08
"""Share of rewordings of stored questions that fall below `unsure_below`.

With it, of the starter base's held-out questions that no group answers 0.53 are refused or marked unsure, and of those
that one answers 0.04.
"""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds on the best cosine of a question, and what they were read from.

    Attributes:
        refuse_below: Cosine under which a question is refused.
        unsure_below: Cosine under which an answer may rest on a near miss; at least `refuse_below`.
        present_median: Median best cosine with the group present under another wording; None if no group has two.
        absent_median: Median best cosine with the group removed; None in a base of one group.
        foreign_max: Largest best cosine of a question from another field.
        asked: Number of stored questions asked.
    """

    refuse_below: float
    unsure_below: float
    present_median: float | None
    absent_median: float | None
    foreign_max: float
    asked: int


@cache
def foreign_questions() -> tuple[str, ...]:
    """Returns everyday questions from other fields, shipped with the package."""
    text = files("index").joinpath("resources", "foreign_questions.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def calibrate(questions: Vectors, group_of_row: Positions, foreign: Vectors, seed: int = 0) -> Calibration:
    """Chooses the thresholds for one knowledge base.

    Args:
        questions: Unit vectors of the stored questions; shape `(n, dim)`.
        group_of_row: Group number of each row; shape `(n,)`.
        foreign: Unit vectors of `foreign_questions()`; shape `(m, dim)`.
        seed: Seed of the sample taken of a large base.
    """
    rows = np.arange(len(questions))
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(rows, SAMPLE, replace=False))
    present, absent = _best_cosines(questions, group_of_row, rows)
    foreign_best = np.array([float((questions @ vector).max()) for vector in foreign])
    foreign_max = float(foreign_best.max())
    own = absent if absent.size else present
    lowest_own = float(np.quantile(own, _REFUSED_SHARE)) if own.size else 1.0
    # Halfway in the gap between the fields; where they overlap, the base's own questions win.
    refuse = (foreign_max + lowest_own) / 2 if lowest_own > foreign_max else lowest_own
    unsure = max(refuse, float(np.quantile(present, _UNSURE_SHARE))) if present.size else refuse
    return Calibration(
        refuse_below=round(refuse, 4),
        unsure_below=round(unsure, 4),
        present_median=_median(present),
        absent_median=_median(absent),
        foreign_max=round(foreign_max, 4),
        asked=len(rows),
    )


def _best_cosines(questions: Vectors, group_of_row: Positions, rows: Positions) -> tuple[Vectors, Vectors]:
    """Best cosine of each row to other wordings of its group, and to other groups, where there are any."""
    present, absent = [], []
    for start in range(0, len(rows), 256):
        block = rows[start : start + 256]
        cosines = questions[block] @ questions.T
        cosines[np.arange(len(block)), block] = -2.0
        same = group_of_row[block][:, None] == group_of_row[None, :]
        present.append(np.where(same, cosines, -2.0).max(axis=1))
        absent.append(np.where(same, -2.0, cosines).max(axis=1))
    flat_present, flat_absent = np.concatenate(present), np.concatenate(absent)
    return flat_present[flat_present > -2.0], flat_absent[flat_absent > -2.0]


def _median(values: Vectors) -> float | None:
    return round(float(np.median(values)), 4) if values.size else None
