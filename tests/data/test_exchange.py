import io
import json
import os
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import workbooks
from data.digest import group_digest
from data.errors import InputError
from data.exact import neutralised, restored
from data.exchange import FORMATS, export_groups
from data.groups import group_problem
from data.readers import read_groups
from data.text import unfit_character
from data.types import QAGroup

HOSTILE = (
    QAGroup(
        "=1+1", ('=HYPERLINK("http://x")?', "+82 번호?"), ("-1도", "@SUM(A1)", "'=따옴표", "''둘"), "=분류", "@출처"
    ),
    QAGroup('쉼표,와"따옴표', (" 앞뒤 공백 ?", "줄\n바꿈?"), ("\t탭", "\n줄", "_x000D_ 모양", "`백틱`", "＝전각")),
    QAGroup(
        "007",
        ("007", "1e5"),
        ("3.10", "TRUE", "2026-01-02", "nan", "#N/A", "e\u0301 분해", "\u200b안 보임"),
        " ",
        "x",
    ),
)

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: not unfit_character(text)
)
groups = st.lists(
    st.builds(
        QAGroup,
        id=texts.filter(lambda text: text.strip() == text),
        questions=st.lists(texts, min_size=1, max_size=3, unique=True).map(tuple),
        answers=st.lists(texts, min_size=1, max_size=3, unique=True).map(tuple),
        category=st.just("") | texts,
        source=st.just("") | texts,
    ).filter(lambda group: not group_problem(group)),
    min_size=1,
    max_size=4,
    unique_by=lambda group: group.id,
)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_field_comes_back_letter_for_letter(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    export_groups(path, HOSTILE)
    assert read_groups(path).groups == HOSTILE
    assert read_groups(path).notes == ()


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_export_may_be_read_by_those_whom_the_umask_lets(tmp_path: Path, suffix: str) -> None:
    before = os.umask(0o077)
    try:
        export_groups(tmp_path / f"out{suffix}", HOSTILE)
    finally:
        os.umask(before)
    assert (tmp_path / f"out{suffix}").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("suffix", FORMATS)
@given(groups=groups)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_group_comes_back_letter_for_letter(tmp_path: Path, suffix: str, groups: list[QAGroup]) -> None:
    path = tmp_path / f"out{suffix}"
    export_groups(path, groups)
    assert list(read_groups(path).groups) == groups


@given(st.text())
def test_neutralising_is_taken_back(text: str) -> None:
    assert restored(neutralised(text)) == text
    assert neutralised(text)[:1] not in tuple("=+-@\t＝＋－＠")


def test_no_cell_of_an_export_begins_a_formula(tmp_path: Path) -> None:
    import csv

    import openpyxl

    export_groups(tmp_path / "out.csv", HOSTILE)
    export_groups(tmp_path / "out.xlsx", HOSTILE)
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0]
    cells += [cell.value for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None} == {"s"}
    assert [cell for cell in cells if cell.startswith(tuple("=+-@"))] == []


def test_a_row_that_a_person_changed_is_read_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    export_groups(path, HOSTILE[:1])
    path.write_text(path.read_text("utf-8-sig").replace("-1도", "영하  1도`"), "utf-8")
    (group,) = read_groups(path).groups
    assert group.answers[0] == "영하 1도"
    assert group.id == "=1+1"
    assert group_digest(group) != group_digest(HOSTILE[0])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_group_without_a_source_has_none_after_a_person_changed_its_row(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    export_groups(path, [QAGroup("g", ("질문이 있어요?",), ("답변입니다",))])
    path.write_text(path.read_text("utf-8-sig").replace("답변입니다", "고친 답변입니다"), "utf-8")
    assert read_groups(path).groups == (QAGroup("g", ("질문이 있어요?",), ("고친 답변입니다",)),)


def test_a_digest_does_not_carry_in_what_no_base_may_hold(tmp_path: Path) -> None:
    sound = QAGroup("g", ("질문?",), ("답변",))
    forged = [
        replace(sound, id="q", questions=()),
        replace(sound, id="a", answers=()),
        replace(sound, id="l", category="가" * 2_001),
        replace(sound, id="e\x1b[31m", answers=("답\x07",)),
    ]
    path = tmp_path / "forged.jsonl"
    records = [asdict(group) | {"sha256": group_digest(group)} for group in [sound, *forged]]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    result = read_groups(path)
    assert result.groups == (sound, QAGroup("e[31m", ("질문?",), ("답",)))
    assert [(reject.line, reject.reason.split(";")[0]) for reject in result.rejects] == [
        (2, "question is empty"),
        (3, "answer is empty"),
        (4, "category has 2,001 characters"),
    ]


def test_whatever_is_read_a_base_may_hold_and_take_back(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(
        f"id,질문_1,질문_2,답변_1,답변_2\ng,왜 우나요?,???,가\uffff,...\n{'나' * 2_001},왜요?,,답,\n", "utf-8"
    )
    result = read_groups(path)
    assert [group_problem(group) for group in result.groups] == [""]
    assert [reject.reason.split(";")[0] for reject in result.rejects] == ["id has 2,001 characters"]
    export_groups(tmp_path / "out.csv", result.groups)
    assert read_groups(tmp_path / "out.csv") == replace(result, rejects=(), notes=())


def test_what_a_format_cannot_hold_is_refused_not_changed(tmp_path: Path) -> None:
    long = QAGroup("g", ("질문?",), ("가" * 32_768,))
    export_groups(tmp_path / "out.csv", [long])
    with pytest.raises(InputError, match="32,767"):
        export_groups(tmp_path / "out.xlsx", [long])
    wide = QAGroup("g", tuple(f"질문 {number}?" for number in range(300)), ("답",))
    export_groups(tmp_path / "out.csv", [wide])
    assert read_groups(tmp_path / "out.csv").groups == (wide,)
    with pytest.raises(InputError, match=r"305 columns.*\.csv"):
        export_groups(tmp_path / "out.xlsx", [wide])
    control = QAGroup("g", ("질문?",), ("가\r나",))
    for suffix in (".csv", ".xlsx"):
        with pytest.raises(InputError, match=r"U\+000D.*jsonl"):
            export_groups(tmp_path / f"x{suffix}", [control])
        assert not (tmp_path / f"x{suffix}").exists()
    export_groups(tmp_path / "x.jsonl", [control])
    assert read_groups(tmp_path / "x.jsonl").groups == (replace(control, answers=("가\n나",)),)
    with pytest.raises(InputError, match=r"\.jsonl, \.csv, \.xlsx"):
        export_groups(tmp_path / "x.pdf", [long])
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(InputError, match="regular file"):
        export_groups(folder, [long])


def test_formulas_without_a_value_and_further_sheets_are_said(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["질문", "답변", "분류"],
        ["벽지가 울어요", "마르면 펴집니다.", "=A1"],
        ["=A2", "=B2"],
        ["몰딩이 떴어요", "다시 붙입니다.", ""],
    ):
        sheet.append(row)
    book.create_sheet("빈 시트")
    book.create_sheet("지난 질문").append(["질문"])
    book.save(tmp_path / "qa.xlsx")
    result = read_groups(tmp_path / "qa.xlsx")
    assert [group.questions for group in result.groups] == [("몰딩이 떴어요",)]
    assert [(reject.line, reject.reason[:7]) for reject in result.rejects] == [(2, "cell C2"), (3, "cell A3")]
    assert result.notes == ("qa.xlsx: sheets not read: 지난 질문",)


def test_workbooks_of_people_are_read_like_csv(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["id", "question", "answer"],
        [7, "벽지가 뜨면?", "풀을 다시 바릅니다."],
        [None, None, None],
        [8, "값?", 3.0],
    ):
        sheet.append(row)
    book.save(tmp_path / "qa.xlsx")
    groups = read_groups(tmp_path / "qa.xlsx").groups
    assert [(group.id, group.answers) for group in groups] == [("7", ("풀을 다시 바릅니다.",)), ("8", ("3",))]


def _book(parts: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def _good_parts(tmp_path: Path) -> dict[str, bytes]:
    export_groups(tmp_path / "good.xlsx", HOSTILE)
    with zipfile.ZipFile(tmp_path / "good.xlsx") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


SHEET = "xl/worksheets/sheet1.xml"


def test_poisoned_workbooks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = _good_parts(tmp_path)
    plain = good[SHEET][good[SHEET].index(b"<worksheet") :]
    entity = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xxxxxxxx">]>' + plain
    wide = good[SHEET].replace(b"</row>", b'<c r="XFD1" t="n"><v>1</v></c></row>', 1)
    tall = good[SHEET].replace(
        b"</sheetData>", b'<row r="1048576"><c r="A1048576" t="n"><v>1</v></c></row></sheetData>'
    )
    poisoned = {
        "bomb": ({**good, SHEET: good[SHEET] + b" " * (300 << 20)}, "unpacks to"),
        "ratio": ({**good, "xl/extra.xml": b"\0" * (40 << 20)}, "unpacks to"),
        "parts": ({**good, **{f"xl/p{n}.xml": b"" for n in range(2_100)}}, "parts"),
        "traversal": ({**good, "../../evil.xml": b"x"}, "outside"),
        "absolute": ({**good, "/etc/evil.xml": b"x"}, "outside"),
        "backslash": ({**good, "xl\\..\\..\\evil.xml": b"x"}, "outside"),
        "drive": ({**good, "C:evil.xml": b"x"}, "outside"),
        "macro": ({**good, "xl/vbaProject.bin": b"x"}, "macros"),
        "pickle": ({**good, "xl/data.pkl": b"\x80\x04."}, "no table"),
        "entities": ({**good, SHEET: entity}, "entities"),
        "entities in utf-16": ({**good, SHEET: entity.decode().encode("utf-16")}, "entities"),
        "wide": ({**good, SHEET: wide}, "columns"),
        "tall": ({**good, SHEET: tall}, "rows"),
        "no sheet": ({name: part for name, part in good.items() if name != SHEET}, "broken|workbook"),
    }
    for name, (parts, words) in poisoned.items():
        with pytest.raises(InputError, match=words) as caught:
            read_groups(_book(parts, tmp_path / f"{name}.xlsx"))
        assert "\n" not in str(caught.value)
    assert not (tmp_path.parent / "evil.xml").exists()
    monkeypatch.setattr(workbooks, "MAX_FILE_BYTES", 100)
    with pytest.raises(InputError, match="larger"):
        read_groups(tmp_path / "good.xlsx")


def test_a_part_that_lies_about_its_size_gives_no_more_than_it_said(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _good_parts(tmp_path).items():
            archive.writestr(name, content)
        archive.writestr("xl/lie.xml", b" " * (8 << 20))
    true, lie = (8 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little")
    (tmp_path / "lie.xlsx").write_bytes(raw.getvalue().replace(true, lie))
    with pytest.raises(InputError, match="workbook"):
        read_groups(tmp_path / "lie.xlsx")
