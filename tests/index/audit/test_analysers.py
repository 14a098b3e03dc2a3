"""Each analyser finds the one thing planted for it, and nothing in what is sound."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.catalog import message, speaking
from data.errors import FileFormatError, ModelNotFoundError
from data.types import QAGroup
from data.workbooks import write_workbook
from index.audit.agreement import agreements
from index.audit.artefacts import artefacts_of
from index.audit.auditing import Audit
from index.audit.evidence import Evidence
from index.audit.findings import Finding, choose_suspects, robust_z
from index.audit.leakage import read_other
from index.audit.lengths import MOST_BINS, lengths, load_token_counter
from index.audit.polarity import ABILITY, DUTY, MERITS
from index.audit.raw import read_raw

ANSWERS = (
    "합지는 값이 싸고 이음매를 겹쳐 붙이기 쉽다는 장점이 있습니다.",
    "값이 싸고 붙이기 쉬운 것이 합지의 장점입니다.",
    "합지의 장점은 낮은 값과 쉬운 시공입니다.",
)


def _said(audit: Audit) -> None:
    """Every fact has what its sentence names, in both languages."""
    for language in ("ko", "en"):
        with speaking(language):
            assert all(finding.evidence.lines(message)[0] for finding in audit.suspects.findings)


def _found(audit, reason: str) -> dict[str, Finding]:
    return {f"{f.group_id} {f.field.partition(' #')[0]}": f for f in audit.suspects.findings if f.reason == reason}


@pytest.mark.parametrize(
    ("raw", "seen", "mended"),
    [
        ("## 수정된 답변\n바탕을 말린 뒤에 다시 붙입니다.", "editing_note", "바탕을 말린 뒤에 다시 붙입니다."),
        ("바탕을 말린 뒤 붙입니다.`", "backtick", "바탕을 말린 뒤 붙입니다."),
        ('바탕을 말린 뒤 붙입니다."', "quote", "바탕을 말린 뒤 붙입니다."),
        (unicodedata.normalize("NFD", "바탕") + "을 말립니다.", "not_nfc", "바탕을 말립니다."),
        ("바탕을\u200b 말립니다.", "invisible", "바탕을 말립니다."),
        ("벽지".encode().decode("latin-1") + " abc", "wrongly_decoded", "벽지 abc"),
        ("퍼티<br>작업 &amp; 도배", "markup", "퍼티 작업 & 도배"),
        ("인테리어 효ㅕ과를 줍니다.", "lone_letter", "인테리어 효과를 줍니다."),
        ("바탕을 말리고 또한", "cut_off", ""),
        ("저는 AI 언어 모델이라서 모릅니다.", "model_talk", ""),
    ],
)
def test_a_leftover_is_named_and_mended(raw: str, seen: str, mended: str) -> None:
    found = artefacts_of(raw, is_answer=True)
    assert seen in [artefact.seen.key for artefact in found]
    assert all(Evidence((artefact.seen,), ()).in_words(message) for artefact in found)
    assert found[-1].mended == mended


def test_sound_text_has_no_leftover() -> None:
    for text in (
        "수정된 도면을 보고 'ㄱ자' 주방에 맞춥니다.",
        '"초배"는 밑바름입니다.',
        "18~20°C, 3mm < 5mm",
        "ㄱ자와 ㄷ자 몰딩",
    ):
        assert artefacts_of(text, is_answer=True) == []
    assert artefacts_of("벽지가 떠요ㅠㅠ 어케ㅋㅋ해요", is_answer=False) == []


def test_swapped_merits_are_found_with_the_right_word_turned(
    wide: Callable[..., Path], run_audit: Callable[..., Audit]
) -> None:
    audit = run_audit(
        wide(
            [
                ("swapped", ("합지의 장점이 뭐야?", "합지의 단점은 무엇인가요?"), ANSWERS),
                ("both", ("한지의 장점이 뭐야?", "한지의 장점과 단점을 알려주세요."), ANSWERS),
                ("lone", ("직물지의 문제점이 뭐야?",), ANSWERS),
                ("sound", ("비닐의 장점이 뭐야?", "비닐을 쓰면 좋은 점이 뭔가요?", "비닐과 종이의 차이점은?"), ANSWERS),
                ("mixed", ("띠벽지의 장점이 뭐야?",), (ANSWERS[0], "띠벽지의 단점은 먼지입니다.")),
            ]
        )
    )
    found = _found(audit, "polarity")
    assert {place: finding.suggestion for place, finding in found.items()} == {
        "swapped 질문_2": "replace: 합지의 장점은 무엇인가요?",
        "both 질문_2": "replace: 한지의 장점을 알려주세요.",
        "lone 질문_1": "replace: 직물지의 이점이 뭐야?",
    }


def test_ability_and_duty_clash_only_where_a_side_is_taken(
    wide: Callable[..., Path], run_audit: Callable[..., Audit]
) -> None:
    answer = ("바탕이 젖어 있기 때문입니다.",)
    audit = run_audit(
        wide(
            [
                (
                    "can",
                    ("젖은 벽에 도배가 가능한 이유가 뭐야?", "젖은 벽에 도배할 수 없는 이유를 알려주세요."),
                    answer,
                ),
                ("must", ("입주 전에 해야 할 일이 뭐야?", "입주 전에 하지 말아야 할 것이 무엇인가요?"), answer),
                ("yes-no", ("락스를 써도 되나요?", "락스를 쓰면 안 되나요?", "락스 사용이 불가능한가요?"), answer),
            ]
        )
    )
    assert {place.split()[0] for place in _found(audit, "polarity")} == {"can", "must"}
    assert {axis.name for axis in (MERITS, ABILITY, DUTY)} == {"장점/단점", "가능/불가능", "해야/하지 말아야"}


def test_answers_that_say_yes_and_no_are_found(wide: Callable[..., Path], run_audit: Callable[..., Audit]) -> None:
    answers = ("네, 환기하면 됩니다.", "네, 됩니다.", "아니요, 마를 때까지 닫아 둡니다.")
    audit = run_audit(wide([("a", ("창문을 열어도 되나요?",), answers), ("b", ("창문을 왜 여나요?",), answers)]))
    assert set(_found(audit, "polarity")) == {"a 답변_3"}


def test_repeats_inside_a_group_are_found_in_the_raw_cells(
    wide: Callable[..., Path], run_audit: Callable[..., Audit]
) -> None:
    answers = (ANSWERS[0], "다른 답변입니다, 전혀 다른 말이지요.", ANSWERS[0].replace(".", "!"))
    audit = run_audit(wide([("a", ("합지의 값은?", "합지의  값은 ?"), answers), ("b", ("다른 물음?",), ANSWERS)]))
    found = _found(audit, "duplicate_inside")
    assert {place: finding.suggestion for place, finding in found.items()} == {
        "a 질문_2": "delete",
        "a 답변_3": "delete",
    }


def test_the_same_question_in_another_register_is_a_duplicate_and_its_opposite_is_not(
    wide: Callable[..., Path], run_audit: Callable[..., Audit]
) -> None:
    audit = run_audit(
        wide(
            [
                ("a", ("거실 바닥에 까는 강화마루의 장점이 뭐야?",), ("값이 쌉니다.",)),
                ("b", ("거실 바닥에 까는 강화마루의 장점을 알려주세요.",), ("다른 답변이라 사람이 보아야 합니다.",)),
                ("c", ("거실 바닥에 까는 강화마루의 단점이 뭐야?",), ("물에 약합니다.",)),
                ("d", ("거실 바닥에 까는 강화마루의 단점이 뭐야",), ("물에 약합니다!",)),
            ]
        )
    )
    found = _found(audit, "duplicate_across")
    assert {place: finding.suggestion for place, finding in found.items()} == {
        "b 질문_1": "",
        "d 질문_1": "delete group",
    }
    assert [ids for _, ids in audit.repeated_questions] == [["c", "d"]]
    assert [(pair.first, pair.second) for pair in audit.pairs] == [(2, 3), (0, 1)]


def test_an_answer_of_another_group_and_a_swapped_pair_stand_out(
    tmp_path: Path, synthetic, jsonl, run_audit: Callable[..., Audit]
) -> None:
    groups = synthetic(60)
    groups[7] = replace(groups[7], answers=(*groups[7].answers[:4], groups[30].answers[0]))
    groups[11], groups[40] = (
        replace(groups[11], answers=groups[40].answers),
        replace(groups[40], answers=groups[11].answers),
    )
    scattered = tuple(groups[n].answers[1] for n in (1, 2, 3, 4, 5))
    groups[20] = replace(groups[20], answers=scattered)
    audit = run_audit(jsonl(groups))
    # Groups share no words but by planting, so what is planted lies many deviations off and nothing else does.
    assert "s00007 답변_5" in _found(audit, "answer_outlier")
    mismatched = {place.split()[0] for place in _found(audit, "question_answer_mismatch")}
    assert {"s00011", "s00040"} <= mismatched <= {"s00011", "s00040", "s00020"}
    assert {"s00020 group"} <= set(_found(audit, "answers_disagree")) <= {"s00020 group", "s00007 group"}
    _said(audit)


def test_agreement_is_one_for_equal_answers_and_zero_for_strangers() -> None:
    same = QAGroup("a", ("물음?",), ("같은 말입니다", "같은 말입니다!", "같은 말입니다?"))
    other = QAGroup("b", ("물음?",), ("가나다라마", "바사아자차", "카타파하"))
    first, second = agreements([same, other])
    assert first.score == pytest.approx(1.0)
    assert second.score == 0.0


def test_leakage_tells_exact_near_and_distant_questions(
    wide: Callable[..., Path], run_audit: Callable[..., Audit], tmp_path: Path
) -> None:
    path = wide(
        [
            ("exact", ("벽지가 들뜨는 이유가 무엇인가요?",), ("습기 때문입니다.",)),
            ("near", ("벽지 안쪽 곰팡이를 없애는 방법이 뭐야?",), ("닦고 말립니다.",)),
            ("free", ("몰딩 틈은 무엇으로 메우나요?",), ("실리콘을 씁니다.",)),
        ]
    )
    test = tmp_path / "test.csv"
    test.write_text(
        "id,질문\n"
        "1,벽지가 들뜨는 이유가 무엇인가요\n"
        "2,벽지 안쪽 곰팡이를 없애는 방법을 설명해 주세요\n3,타일 줄눈 색은?\n",
        "utf-8",
    )
    audit = run_audit(path, against=test)
    found = _found(audit, "leakage")
    assert {place: finding.suggestion for place, finding in found.items()} == {
        "exact 질문_1": "delete group",
        "near 질문_1": "",
    }
    _said(audit)
    assert audit.leaks is not None
    assert [leak.kind for leak in audit.leaks][:2] == ["exact", "near"]


def test_lengths_count_every_text_once_and_long_ones_in_the_last_bar() -> None:
    measured = lengths("answer", "characters", [*range(1, 100), 5_000])
    assert (measured.count, sum(measured.bars)) == (100, 100)
    assert len(measured.bars) <= MOST_BINS
    assert (measured.smallest, measured.largest, measured.median) == (1, 5_000, 50.5)
    assert measured.bars[-1] == 1
    assert measured.cut


@pytest.mark.parametrize("largest", [0, 1, 5, 23, 24, 25, 36, 47, 48, 200])
def test_even_lengths_make_even_bars(largest: int) -> None:
    measured = lengths("question", "morphemes", list(range(largest + 1)) * 3)
    first, second = measured.edges[:2]
    assert set(measured.bars[:-1]) <= {3 * (second - first)}
    assert sum(measured.bars) == 3 * (largest + 1)
    assert len(measured.bars) <= MOST_BINS
    assert len(measured.edges) == len(measured.bars) + 1
    assert not measured.cut


def test_tokens_are_counted_only_by_a_chosen_tokenizer(
    wide: Callable[..., Path], run_audit: Callable[..., Audit], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wide([("a", ("벽지 값은?",), ("한 롤에 삼만 원입니다.",))])
    without = run_audit(path)
    assert {item.unit for item in without.lengths} == {"characters", "morphemes"}
    assert any("--tokenizer" in note for note in without.notes)
    monkeypatch.setattr("index.audit.auditing.load_token_counter", lambda name: lambda text: len(text.split()))
    tokens = {item.of: item.largest for item in run_audit(path, tokenizer="words").lengths if item.unit == "tokens"}
    assert tokens == {"question": 2, "answer": 4}


def test_a_tokenizer_that_is_not_there_is_named_in_one_line(
    hub_away: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelNotFoundError, match="nor reachable") as unknown:
        load_token_counter("nobody/none-such")
    with pytest.raises(ModelNotFoundError, match=f"^{empty}: is a directory without a tokenizer") as no_tokenizer:
        load_token_counter(str(empty))
    assert hub_away == ["nobody/none-such"]
    assert "\n" not in f"{unknown.value}{no_tokenizer.value}"
    assert caplog.records == []


def test_certain_findings_are_all_kept_and_graded_ones_fill_the_budget() -> None:
    seen = Evidence.of("yes_and_no")
    certain = [Finding(f"c{n}", "polarity", "f", seen) for n in range(3)]
    graded = [Finding(f"g{n}", "answer_outlier", "f", seen, extremity=float(n)) for n in range(10)]
    chosen = choose_suspects([*graded, *certain], groups=40, budget=0.15)
    assert chosen.group_ids == {"c0", "c1", "c2", "g9", "g8", "g7"}
    assert chosen.left_out == 7


def test_spread_needs_enough_values_and_survives_a_flat_file() -> None:
    assert robust_z([0.1, 9.0]).tolist() == [0, 0]
    assert not robust_z([0.5] * 40).any()
    assert robust_z([*np.linspace(0, 1, 40), 50.0])[-1] > 50


def test_cells_are_tied_to_groups_in_every_layout(tmp_path: Path, wide: Callable[..., Path]) -> None:
    plain = tmp_path / "plain.csv"
    plain.write_text("question,answer\n벽지 값?,삼만 원입니다\n벽지 값?,한 롤에 삼만 원\n풀 값?,오천 원`\n", "utf-8")
    lines = tmp_path / "qa.jsonl"
    lines.write_text('{"question": "벽지 값?", "answer": ["삼만 원", "비쌉니다"]}\nnot json\n', "utf-8")
    for path, cells in ((plain, 6), (lines, 3), (wide([("a", ("", "둘째?"), ("답.",))]), 2)):
        file = read_raw(path)
        assert len(file.cells) == cells
        assert set(file.by_group) == {group.id for group in file.result.groups}
    assert [cell.label for cell in read_raw(plain).cells][:4] == ["질문_1", "답변_1", "질문_1", "답변_2"]
    assert read_raw(wide([("a", ("", "둘째?"), ("답.",))])).cells[0].label == "질문_2"


def test_the_other_file_may_be_questions_alone_in_every_format(tmp_path: Path) -> None:
    for name, text in {
        "a.csv": "질문\n벽지 값?\n",
        "b.txt": "벽지 값?\n",
        "c.jsonl": '{"question": "벽지 값?", "kind": "x"}\n',
        "d.csv": "question,answer\n벽지 값?,삼만 원\n",
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
        assert read_other(tmp_path / name) == ["벽지 값?"]
    for table in ([["질문"], ["벽지 값?"]], [["question", "answer"], ["벽지 값?", "삼만 원"]]):
        write_workbook(tmp_path / "e.xlsx", table)
        assert read_other(tmp_path / "e.xlsx") == ["벽지 값?"]
    (tmp_path / "bad.jsonl").write_text('{"text": "벽지 값?"}\n', "utf-8")
    with pytest.raises(FileFormatError, match="line 1"):
        read_other(tmp_path / "bad.jsonl")
