"""A file of groups in the layout of DACON 236216, as users bring them."""

import csv
from collections.abc import Sequence
from pathlib import Path

from data.types import QAGroup


def write_dacon_file(path: Path, groups: Sequence[QAGroup]) -> None:
    """Writes `id, 질문_1, ..., category, 답변_1, ...`, with as many columns as the largest group needs."""
    questions = max(len(group.questions) for group in groups)
    answers = max(len(group.answers) for group in groups)
    columns = [f"질문_{number}" for number in range(1, questions + 1)]
    columns += ["category", *(f"답변_{number}" for number in range(1, answers + 1))]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *columns])
        for group in groups:
            blank = [""] * (questions - len(group.questions))
            row = [*group.questions, *blank, group.category, *group.answers]
            writer.writerow([group.id, *row, *[""] * (answers - len(group.answers))])
