"""A DACON 236216 submission: the questions in their order, each answer as a vector of 512 numbers.

Knows nothing about how the answers were made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import FileFormatError, InputError, QuestionError
from data.readers import ID_COLUMNS, QUESTION_COLUMNS
from data.tables import read_text, rows_of_csv
from data.text import check_question
from data.writers import write_atomically
from index.encoders.base import Progress
from rag.evaluation.metric_encoders import DIM, MetricEncoder, check_dim


@dataclass(frozen=True, slots=True)
class TestQuestion:
    """One row of the test file."""

    id: str
    question: str

    __test__ = False
    """Not a test, whatever pytest makes of its name."""


def read_test_questions(path: Path) -> list[TestQuestion]:
    """Reads a CSV of `id` and `질문`, every row checked before the first is answered.

    Raises:
        FileFormatError: A column is missing, a row is broken, an id is missing or stands twice.
        QuestionError: A question cannot be asked; names the line.
    """
    header, rows = rows_of_csv(read_text(path), path)
    names = {name.casefold(): name for name in header}
    identifier = next((names[name] for name in ID_COLUMNS if name in names), None)
    column = next((names[name] for name in QUESTION_COLUMNS if name in names), None)
    if identifier is None or column is None:
        raise FileFormatError(f"{path}: needs the columns id and 질문; found: {', '.join(header)}")
    found: dict[str, TestQuestion] = {}
    for row in rows:
        where = f"{path}, line {row.line}"
        if row.problem:
            raise FileFormatError(f"{where}: {row.problem}")
        name = row.cell(identifier).strip()
        if not name or name in found:
            problem = f"id {name!r} stands there twice" if name else "the id is empty"
            raise FileFormatError(f"{where}: {problem}; give each row its own")
        try:
            found[name] = TestQuestion(name, check_question(row.cell(column)))
        except QuestionError as error:
            raise QuestionError(f"{where}: {error}") from None
    if not found:
        raise FileFormatError(f"{path}: holds no question")
    return list(found.values())


def submission_path(out: Path, metric: MetricEncoder, *, allow_proxy: bool) -> Path:
    """Returns the file to write: `out`, or with a proxy, where that is allowed, one whose name says so.

    Raises:
        InputError: The encoder is a proxy and that is not allowed, or does not give 512 dimensions.
    """
    check_dim(metric)
    if not metric.proxy:
        return out
    if not allow_proxy:
        raise InputError(
            f"a submission needs DACON's encoder, and only {metric.name} is here; put "
            "sentence-transformers/distiluse-base-multilingual-cased-v1 into the Hugging Face cache or name its folder "
            "with --metric-encoder, or try the format out with --allow-proxy"
        )
    return out if ".proxy" in out.suffixes else out.with_name(f"{out.stem}.proxy{out.suffix}")


def write_submission(
    path: Path,
    questions: Sequence[TestQuestion],
    answers: Sequence[str],
    metric: MetricEncoder,
    progress: Progress | None = None,
) -> None:
    """Encodes the answers and writes `id, vec_0 ... vec_511`, one row a question, in the order given.

    Args:
        path: The file.
        questions: The test questions.
        answers: Their answers, in the same order, none empty.
        metric: The encoder.
        progress: Told how many answers are encoded.

    Raises:
        InputError: The file cannot be written.
    """
    lines = [",".join(["id", *(f"vec_{number}" for number in range(DIM))])]
    for done, (question, answer) in enumerate(zip(questions, answers, strict=True), 1):
        vector = metric.encoder.encode_passages([answer])[0]
        lines.append(",".join([_cell(question.id), *(f"{float(value):.8g}" for value in vector)]))
        if progress:
            progress(done, len(questions))
    try:
        write_atomically(path, "\n".join(lines) + "\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error


def _cell(text: str) -> str:
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if any(char in text for char in ',"\n') else text
