"""The support judge against labels made by hand; on the half that it was not tuned on."""

from pathlib import Path

import pytest

from data.errors import FileFormatError
from data.types import QAGroup
from rag.evaluation.judging import LABELS, Label, measure_judge, read_labels
from rag.support import supports


def test_there_are_a_hundred_labels_half_of_them_supported_from_our_own_answers(
    starter_groups: tuple[QAGroup, ...],
) -> None:
    labels = read_labels(LABELS)
    answers = {answer for group in starter_groups for answer in group.answers}
    assert len(labels) == 100
    assert sum(label.supported for label in labels) == 50
    assert all(label.source in answers for label in labels)
    assert {half: sum(label.half == half for label in labels) for half in ("tune", "report")} == {
        "tune": 50,
        "report": 50,
    }


def test_the_judge_agrees_on_the_untouched_half_and_hardly_calls_an_invention_supported() -> None:
    found = {agreement.on: agreement for agreement in measure_judge(read_labels(LABELS))}["report"]
    # Measured 0.76, 0.52 and 0.93; the bounds leave room for another analyser's version.
    assert found.accuracy.value >= 0.7
    assert found.kappa.value >= 0.4
    assert found.precision.value >= 0.85
    assert found.accuracy.low is not None
    assert 0.5 < found.accuracy.low < found.accuracy.value


def test_every_stored_answer_supports_its_own_sentences(starter_groups: tuple[QAGroup, ...]) -> None:
    from data.sentences import split_sentences

    answers = [group.answers[0] for group in starter_groups]
    assert all(supports(sentence, [answer]) for answer in answers for sentence in split_sentences(answer))


def test_kappa_is_zero_by_chance_and_one_in_agreement() -> None:
    source = "벽을 말리세요."
    right = Label("report", "copy", True, source, source)
    wrong = Label("report", "other", False, "김치찌개를 끓이세요.", source)
    assert measure_judge([right, wrong])[-1].kappa.value == 1.0
    mixed = [right, wrong, Label("report", "copy", False, source, source), Label("report", "o", True, "김치", source)]
    assert measure_judge(mixed)[-1].kappa.value == 0.0


def test_a_line_that_is_no_label_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"half": "tune"}\n', "utf-8")
    with pytest.raises(FileFormatError, match="line 1: is not a labelled sentence"):
        read_labels(path)
