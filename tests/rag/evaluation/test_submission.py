"""Submissions keep ids and order, have 512 columns, and say when they are no submission."""

import csv
from pathlib import Path

import numpy as np
import pytest

from data.errors import FileFormatError, InputError, QuestionError
from index.encoders.base import HashEncoder
from rag.evaluation.metric_encoders import MetricEncoder
from rag.evaluation.submission import read_test_questions, submission_path, write_submission

REAL = MetricEncoder(HashEncoder(512), "distiluse", proxy=False)


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_ids_order_and_512_columns_are_kept(tmp_path: Path) -> None:
    test = write(tmp_path / "test.csv", 'id,질문\nTEST_002,벽지가 떠요\n"TEST,001",장판이 울어요\n')
    questions = read_test_questions(test)
    write_submission(tmp_path / "out.csv", questions, ["말리세요.", "누르세요."], REAL)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", *(f"vec_{number}" for number in range(512))]
    assert [row[0] for row in rows[1:]] == ["TEST_002", "TEST,001"]
    vectors = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
    assert vectors == pytest.approx(HashEncoder(512).encode_passages(["말리세요.", "누르세요."]), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("id,문장\n1,벽지\n", FileFormatError, "needs the columns id and 질문"),
        ("id,질문\n1,벽지\n1,장판\n", FileFormatError, "line 3: id '1' stands there twice"),
        ("id,질문\n,벽지\n", FileFormatError, "line 2: the id is empty"),
        ("id,질문\n1,벽지\n2,?\n", QuestionError, "line 3"),
    ],
)
def test_a_broken_test_file_is_refused_with_its_line(
    tmp_path: Path, text: str, error: type[InputError], told: str
) -> None:
    with pytest.raises(error, match=told):
        read_test_questions(write(tmp_path / "test.csv", text))


def test_a_proxy_is_refused_or_named(tmp_path: Path) -> None:
    proxy = MetricEncoder(HashEncoder(512), "USE", proxy=True)
    with pytest.raises(InputError, match="needs DACON's encoder, and only USE is here"):
        submission_path(tmp_path / "s.csv", proxy, allow_proxy=False)
    assert submission_path(tmp_path / "s.csv", proxy, allow_proxy=True).name == "s.proxy.csv"
    assert submission_path(tmp_path / "s.csv", REAL, allow_proxy=True).name == "s.csv"


def test_an_encoder_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gives 64 dimensions"):
        submission_path(tmp_path / "s.csv", MetricEncoder(HashEncoder(), "small", proxy=False), allow_proxy=True)
