"""`dobae data audit` and `dobae data fix`, as a user types them, with the fake encoder."""

import csv
import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from data.errors import DobaeError, InputError
from data.readers import read_groups
from data.workbooks import write_workbook
from index.encoders.base import HashEncoder
from ui.cli.data_commands import app
from ui.cli.split_command import split

MERITS = "합지는 값이 싸고 시공이 쉽다는 장점이 있습니다."
TABLE = f"""\
id,질문_1,질문_2,category,답변_1,답변_2,메모
a,합지의 장점이 뭐야?,합지의 단점은 무엇인가요?,마감재,{MERITS},합지의 장점은 값입니다.`,=1+1
b,풀 값은 얼마야?,풀 가격을 알려주세요.,기타,오천 원입니다.,한 봉에 오천 원쯤 합니다.,
b2,빈 질문뿐입니다?,,기타,,,답이 없음
"""


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.encoders.base.make_encoder", lambda settings: HashEncoder())


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "qa.csv"
    path.write_text(TABLE, "utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def audited(table: Path) -> list[dict[str, str]]:
    result = run("audit", table, "--out", table.parent / "audit")
    assert result.exception is None, result.output
    with (table.parent / "audit" / "suspects.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def listed(table: Path, rows: list[dict[str, str]]) -> Path:
    path = table.parent / "accepted.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["group_id", "reason", "field", "evidence", "suggestion", "accept"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def refused(table: Path, rows: list[dict[str, str]], match: str, out: Path | None = None) -> None:
    """The command stops with one line and writes nothing."""
    target = out or table.parent / "new.csv"
    before = {path: path.read_bytes() for path in table.parent.iterdir() if path.is_file()}
    accepted = listed(table, rows)
    before[accepted] = accepted.read_bytes()
    with pytest.raises(DobaeError, match=match) as caught:
        raise run("fix", table, "--apply", accepted, "--out", target).exception or AssertionError("was accepted")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert {path: path.read_bytes() for path in table.parent.iterdir() if path.is_file()} == before


def test_audit_writes_three_files_and_leaves_the_audited_one(table: Path) -> None:
    rows = audited(table)
    assert {path.name for path in (table.parent / "audit").iterdir()} >= {"audit.json", "audit.html", "suspects.csv"}
    assert table.read_text("utf-8") == TABLE
    assert [(row["group_id"], row["reason"], row["accept"]) for row in rows] == [
        ("a", "artefact", ""),
        ("a", "polarity", ""),
    ]


def test_audit_prints_json_alone(table: Path) -> None:
    result = run("audit", table, "--out", table.parent / "audit", "--json")
    facts = json.loads(result.stdout)
    assert (facts["groups"], facts["rejected"], facts["suspected_groups"]) == (2, 1, 1)
    assert facts["reasons"] == {"artefact": 1, "polarity": 1}


def test_bad_input_to_audit_is_one_line(table: Path, tmp_path: Path) -> None:
    for arguments in (
        ("audit", tmp_path / "none.csv", "--out", tmp_path / "x"),
        ("audit", table, "--out", table),
        ("audit", table, "--out", tmp_path / "x", "--against", table),
        ("audit", table, "--out", tmp_path / "x", "--against", tmp_path / "none.csv"),
        ("audit", table, "--out", tmp_path / "x", "--tokenizer", str(tmp_path / "none")),
    ):
        error = run(*arguments).exception
        assert isinstance(error, InputError), arguments
        assert "\n" not in str(error)
    assert not (tmp_path / "x" / "suspects.csv").exists()


@pytest.mark.parametrize("word", ["yes", "Y", "1", "예", "○", "V"])
def test_accepted_rows_are_applied_and_all_else_is_copied(table: Path, word: str) -> None:
    rows = audited(table)
    rows[1]["accept"] = word
    new = table.parent / "new.csv"
    result = run("fix", table, "--apply", listed(table, rows), "--out", new, "--json")
    assert result.exception is None, result.output
    assert json.loads(result.stdout)["actions"] == {"replace": 1}
    assert new.read_text("utf-8") == TABLE.replace("합지의 단점은", "합지의 장점은")
    assert table.read_text("utf-8") == TABLE
    log = (table.parent / "new.changes.csv").read_text("utf-8-sig").splitlines()
    assert log[1] == "a,질문_2,replace,합지의 단점은 무엇인가요?,합지의 장점은 무엇인가요?,polarity,2,3"
    assert len(log) == 2


def test_a_person_may_write_another_mend(table: Path) -> None:
    rows = audited(table)
    rows[0] |= {"accept": "y", "suggestion": "delete"}
    rows[1] |= {"accept": "y", "suggestion": "replace: 합지의 좋은 점은?"}
    new = table.parent / "new.csv"
    assert run("fix", table, "--apply", listed(table, rows), "--out", new).exception is None
    group = read_groups(new).groups[0]
    assert group.questions == ("합지의 장점이 뭐야?", "합지의 좋은 점은?")
    assert group.answers == (MERITS,)


def test_a_group_can_be_deleted(table: Path) -> None:
    rows = [audited(table)[1] | {"suggestion": "delete group", "accept": "yes"}]
    new = table.parent / "new.csv"
    assert run("fix", table, "--apply", listed(table, rows), "--out", new).exception is None
    assert [group.id for group in read_groups(new).groups] == ["b"]
    assert "빈 질문뿐입니다?" in new.read_text("utf-8")


def test_what_cannot_be_applied_stops_everything(table: Path) -> None:
    good = audited(table)[1] | {"accept": "yes"}
    refused(table, [good, good | {"group_id": "zz"}], "no group 'zz'")
    refused(table, [good, good | {"field": "질문_9 #00000000"}], "no field")
    refused(table, [good | {"suggestion": ""}], "cannot be applied")
    refused(table, [good | {"suggestion": "better"}], "cannot be applied")
    refused(table, [good | {"suggestion": "replace: ``"}], "no new text")
    refused(table, [good, good | {"suggestion": "delete"}], "differently")
    refused(table, [good, good | {"suggestion": "delete group"}], "both deleted and mended")
    refused(table, [good | {"accept": "maybe"}], "neither|write yes")
    refused(table, [good | {"accept": ""}], "no row is accepted")
    refused(table, [good | {"accept": "X"}], "no row is accepted")
    refused(table, [good], "exists already", out=table)
    refused(table, [good], "must end like", out=table.parent / "new.jsonl")


def test_a_mend_of_a_text_that_has_changed_is_stale(table: Path) -> None:
    good = audited(table)[1] | {"accept": "yes"}
    table.write_text(TABLE.replace("합지의 단점은 무엇인가요?", "합지의 단점은요?"), "utf-8")
    refused(table, [good], "changed since the audit")


def test_the_last_question_or_answer_cannot_be_deleted(tmp_path: Path) -> None:
    table = tmp_path / "qa.csv"
    table.write_text("id,질문_1,답변_1\na,벽지 값`은?,삼만 원\n", "utf-8")
    rows = [audited(table)[0] | {"accept": "yes", "suggestion": "delete"}]
    refused(table, rows, "without a question")


def test_a_row_that_would_lose_cells_is_mended_first(table: Path) -> None:
    good = audited(table)[1] | {"accept": "yes"}
    table.write_text(TABLE + "c,하나,둘,셋,넷,다섯,여섯,일곱\n", "utf-8")
    refused(table, [good], "line 5")


def test_plain_tables_and_json_lines_are_mended_in_their_own_format(tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"
    plain.write_text("question,answer\n합지의 단점이 뭐야?,합지는 싸다는 장점이 있습니다\n풀은?,오천 원\n", "utf-8")
    lines = tmp_path / "qa.jsonl"
    other = '{"id":"z",  "question": "풀은?", "answer": "오천 원"}'
    lines.write_text(
        '{"id": "j", "questions": ["합지의 단점이 뭐야?"], "answers": ["합지는 싸다는 장점이 있습니다"], "extra": 1}\n'
        f"{other}\nnot json\n",
        "utf-8",
    )
    for path in (plain, lines):
        rows = [row | {"accept": "yes"} for row in audited(path) if row["reason"] == "polarity"]
        new = tmp_path / f"{path.stem}-new{path.suffix}"
        result = run("fix", path, "--apply", listed(path, rows), "--out", new)
        assert result.exception is None, result.exception
        assert read_groups(new).groups[0].questions == ("합지의 장점이 뭐야?",)
    assert (tmp_path / "qa-new.jsonl").read_text("utf-8").splitlines()[1:] == [other, "not json"]
    assert '"extra": 1' in (tmp_path / "qa-new.jsonl").read_text("utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("inner", ["\n", "\r\n"])
def test_a_mark_and_line_ends_are_kept(tmp_path: Path, encoding: str, inner: str) -> None:
    table = tmp_path / "qa.csv"
    text = TABLE.replace("오천 원입니다.", f'"오천 원입니다.{inner}더 들 수도 있습니다."')
    # Rows end as Windows ends them; a spreadsheet breaks a cell with a line feed alone.
    written = text.replace("\r\n", "\n").replace("\n", "\r\n").replace("입니다.\r\n더", f"입니다.{inner}더")
    table.write_bytes(written.encode(encoding))
    rows = audited(table)
    rows[1]["accept"] = "yes"
    new = tmp_path / "new.csv"
    result = run("fix", table, "--apply", listed(table, rows), "--out", new)
    assert result.exception is None, result.exception
    assert new.read_bytes() == written.replace("합지의 단점은", "합지의 장점은").encode(encoding)


def test_line_ends_of_json_lines_are_kept(tmp_path: Path) -> None:
    lines = tmp_path / "qa.jsonl"
    record = '{"questions": ["합지의 단점이 뭐야?"], "answers": ["합지는 싸다는 장점이 있습니다"]}'
    other = '{"question": "풀은?", "answer": "오천 원"}'
    lines.write_bytes(f"\ufeff{record}\r\n{other}\r\n".encode())
    rows = [row | {"accept": "yes"} for row in audited(lines) if row["reason"] == "polarity"]
    new = tmp_path / "new.jsonl"
    assert run("fix", lines, "--apply", listed(lines, rows), "--out", new).exception is None
    assert new.read_bytes() == f"\ufeff{record.replace('단점', '장점')}\r\n{other}\r\n".encode()


def test_a_mended_cp949_file_is_utf8_with_a_mark_and_says_so(table: Path) -> None:
    table.write_bytes(TABLE.encode("cp949"))
    rows = audited(table)
    rows[1]["accept"] = "yes"
    new = table.parent / "new.csv"
    result = run("fix", table, "--apply", listed(table, rows), "--out", new)
    assert f"{new}: is in UTF-8 with a byte-order mark; qa.csv is in CP949" in result.stderr
    assert new.read_bytes() == TABLE.replace("합지의 단점은", "합지의 장점은").encode("utf-8-sig")


def test_a_workbook_is_audited_and_its_mends_are_written_as_csv(tmp_path: Path) -> None:
    book = tmp_path / "qa.xlsx"
    write_workbook(book, list(csv.reader(TABLE.splitlines())))
    rows = audited(book)
    rows[1]["accept"] = "yes"
    accepted = listed(book, rows)
    refused(book, rows, "name a .csv file", out=tmp_path / "new.xlsx")
    new = tmp_path / "new.csv"
    assert run("fix", book, "--apply", accepted, "--out", new).exception is None
    assert list(csv.reader(new.read_text("utf-8-sig").splitlines())) == list(
        csv.reader(TABLE.replace("합지의 단점은", "합지의 장점은").splitlines())
    )


def test_audit_names_the_first_rejected_row_and_the_whole_next_command(tmp_path: Path) -> None:
    table = tmp_path / "질문 답변.csv"
    table.write_text(TABLE, "utf-8")
    result = run("audit", table, "--out", tmp_path / "audit")
    assert "1 rows cannot be used; first: 질문 답변.csv, line 4: answer is empty" in result.stderr
    command = shlex.split(result.stdout.splitlines()[-1].partition("then: ")[2])
    assert command[:3] == ["dobae", "data", "fix"]
    suspects = tmp_path / "audit" / "suspects.csv"
    suspects.write_text(suspects.read_text("utf-8-sig").replace(",\n", ",yes\n", 3), "utf-8")
    assert run(*command[2:]).exception is None
    assert (tmp_path / "질문 답변.mended.csv").exists()


def test_nothing_found_asks_for_no_mend(tmp_path: Path) -> None:
    table = tmp_path / "qa.csv"
    table.write_text("id,질문_1,답변_1\na,벽지 값은?,삼만 원입니다.\n", "utf-8")
    assert "fix" not in run("audit", table, "--out", tmp_path / "audit").stdout


@pytest.mark.parametrize("share", [0, 1, -0.1])
def test_a_share_out_of_range_is_named_by_its_option(table: Path, share: float) -> None:
    with pytest.raises(InputError, match=f"^--held-out is {share}; it must lie between 0 and 1"):
        split(table, table.parent / "split", held_out=share)
