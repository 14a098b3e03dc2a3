import json
from pathlib import Path

import pytest

from data.errors import DuplicateGroupError, FileFormatError, InputError
from data.readers import read_all, read_groups
from data.types import QAGroup
from data.writers import write_groups_jsonl, write_rejects
from tests.dacon_file import write_dacon_file
from tests.privileges import unprivileged

DACON = (
    "id,질문_1,질문_2,category,답변_1,답변_2\n"
    "T1,몰딩이 뭐야?,몰딩은 무엇인가요?,마감재,테두리 장식입니다.,이음매를 가립니다.\n"
)


def _file(folder: Path, content: str | bytes, name: str = "qa.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_dacon_layout_reads_alike_in_every_encoding(tmp_path: Path, encoding: str, newline: str) -> None:
    result = read_groups(_file(tmp_path, DACON.replace("\n", newline).encode(encoding)))
    assert result.groups == (
        QAGroup(
            "T1",
            ("몰딩이 뭐야?", "몰딩은 무엇인가요?"),
            ("테두리 장식입니다.", "이음매를 가립니다."),
            "마감재",
            "qa.csv",
        ),
    )
    assert result.rejects == ()


@pytest.mark.parametrize("header", ["question,answer", "Q,A", "질문,답변", "Question,Answer"])
def test_plain_layouts_read_alike(tmp_path: Path, header: str) -> None:
    group = read_groups(_file(tmp_path, f"{header}\n몰딩이 뭐야?,테두리 장식입니다.\n")).groups[0]
    assert (group.questions, group.answers) == (("몰딩이 뭐야?",), ("테두리 장식입니다.",))
    assert group.id.startswith("qa-")


def test_rows_of_one_question_become_one_group(tmp_path: Path) -> None:
    rows = "question,answer\n몰딩이 뭐야?,장식입니다.\n풀이 뭐야?,접착제입니다.\n몰딩이 뭐야,가림판입니다.\n"
    result = read_groups(_file(tmp_path, rows))
    assert [group.answers for group in result.groups] == [("장식입니다.", "가림판입니다."), ("접착제입니다.",)]
    assert "merged" in result.notes[0]


def test_a_cross_product_of_questions_and_answers_becomes_its_groups_again(tmp_path: Path) -> None:
    pairs = [f"질문{q}번은 뭐야?,{q} 묶음의 답변 {a}입니다." for q in range(4) for a in range(5)]
    pairs += [f"질문{q}번은 무엇인가요?,{q} 묶음의 답변 {a}입니다." for q in range(4) for a in range(5)]
    result = read_groups(_file(tmp_path, "question,answer\n" + "\n".join(pairs)))
    assert [(len(group.questions), len(group.answers)) for group in result.groups] == [(2, 5)] * 4


def test_questions_that_share_one_short_answer_stay_apart(tmp_path: Path) -> None:
    result = read_groups(_file(tmp_path, "question,answer\n덧방 되나요?,네.\n셀프 도배 되나요?,네.\n"))
    assert len(result.groups) == 2


def test_ids_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    first = read_groups(_file(tmp_path, "question,answer\nA?,가.\nB?,나.\n")).groups
    second = read_groups(_file(tmp_path, "question,answer\nB?,나.\nA?,가.\n")).groups
    assert {group.id for group in first} == {group.id for group in second}


def test_json_lines_round_trip_every_field(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    path = tmp_path / "groups.jsonl"
    write_groups_jsonl(path, groups)
    read = read_groups(path).groups
    assert [(g.id, g.questions, g.answers, g.category) for g in read] == [
        (g.id, g.questions, g.answers, g.category) for g in groups
    ]


def test_csv_round_trips_groups_of_unequal_size(tmp_path: Path, groups: tuple[QAGroup, ...]) -> None:
    path = tmp_path / "groups.csv"
    write_dacon_file(path, groups)
    read = read_groups(path).groups
    assert [(g.id, g.questions, g.answers, g.category) for g in read] == [
        (g.id, g.questions, g.answers, g.category) for g in groups
    ]


def test_unusable_rows_are_rejected_with_line_and_reason(tmp_path: Path) -> None:
    rows = 'question,answer\nA?,"두 줄\n답변"\n,빈 질문\nB?,\nC?,답,남는 칸\n???,답\nD?,좋은 답\n'
    result = read_groups(_file(tmp_path, rows))
    assert [group.questions[0] for group in result.groups] == ["A?", "D?"]
    assert [(reject.line, reject.reason.split(";")[0]) for reject in result.rejects] == [
        (4, "question is empty"),
        (5, "answer is empty"),
        (6, "has 3 cells, the header names 2"),
        (7, "question holds no letter or digit"),
    ]
    target = tmp_path / "rejects.csv"
    write_rejects(target, result.rejects)
    assert target.read_text("utf-8").count("\n") == 5


def test_bad_json_lines_are_rejected_and_good_ones_kept(tmp_path: Path) -> None:
    lines = [
        '{"question": "A?", "answer": "가."}',
        "{broken",
        '["list"]',
        '{"questions": [1], "answers": ["가"]}',
        "{}",
    ]
    result = read_groups(_file(tmp_path, "\n".join(lines), "qa.jsonl"))
    assert len(result.groups) == 1
    assert [reject.line for reject in result.rejects] == [2, 3, 4, 5]


def test_json_that_only_looks_harmless_is_rejected(tmp_path: Path) -> None:
    lines = ['{"question": "A?", "answer": "가."}', "[" * 100_000, '{"question": ' + "1" * 5_000 + "}"]
    result = read_groups(_file(tmp_path, "\n".join(lines), "qa.jsonl"))
    assert [reject.line for reject in result.rejects] == [2, 3]


def test_a_rejected_row_keeps_the_cells_that_the_header_does_not_name(tmp_path: Path) -> None:
    reject = read_groups(_file(tmp_path, "Q,A\nA?,가.\nB?,나,다,라\n")).rejects[0]
    assert json.loads(reject.content) == ["B?", "나", "다", "라"]


def test_rows_without_an_id_that_share_a_pair_are_two_groups(tmp_path: Path) -> None:
    rows = "질문_1,질문_2,답변_1\nA?,B?,가.\nA?,C?,가.\n"
    assert len({group.id for group in read_groups(_file(tmp_path, rows)).groups}) == 2


def test_a_header_in_nfd_and_a_table_of_semicolons_are_understood(tmp_path: Path) -> None:
    import unicodedata

    assert read_groups(_file(tmp_path, unicodedata.normalize("NFD", DACON))).groups[0].id == "T1"
    with pytest.raises(FileFormatError, match="semicolons"):
        read_groups(_file(tmp_path, "question;answer\nA?;가.\n"))


def test_repairs_are_said(tmp_path: Path) -> None:
    notes = read_groups(_file(tmp_path, 'Q,A\n"몰딩?"" ",`답`\n')).notes
    assert notes == ("qa.csv: 1 texts were freed of back-ticks", "qa.csv: 1 texts were freed of stray quotation marks")


def test_columns_and_keys_that_are_not_read_are_said(tmp_path: Path) -> None:
    assert read_groups(_file(tmp_path, "Q,A,비고,분류,카테고리\n몰딩?,답,메모,가,나\n")).notes == (
        "qa.csv: columns not read: 비고, 분류",
    )
    assert read_groups(_file(tmp_path, DACON)).notes == ()
    line = '{"question": "몰딩?", "answer": "답", "memo": 1}\n'
    assert read_groups(_file(tmp_path, line, "qa.jsonl")).notes == ("qa.jsonl: keys not read: memo",)


def test_facts_of_a_record_are_texts(tmp_path: Path) -> None:
    lines = [
        '{"question": "A?", "answer": "답", "id": 7}',
        '{"question": "B?", "answer": "답", "category": ["가", "나"]}',
    ]
    result = read_groups(_file(tmp_path, "\n".join(lines), "qa.jsonl"))
    assert [group.id for group in result.groups] == ["7"]
    assert [reject.reason for reject in result.rejects] == ["'category' must be a string"]


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "qa.csv", "empty"),
        (b"\xef\xbb\xbf \n", "qa.csv", "no header"),
        ("질문,대답\nA,B\n", "qa.csv", "found: 질문, 대답"),
        ('"질\n문",대답\nA,B\n', "qa.csv", "found: 질 문, 대답"),
        (f"질문_{'9' * 5000},답변_1\nA,B\n", "qa.csv", "needs columns"),
        ('Q,A\n"A?,가.\nB?,나.\n', "qa.csv", "line 2: broken CSV quoting"),
        ('Q,A\n"A"x,가.\n', "qa.csv", "line 2: broken CSV quoting"),
        (f"Q,A\nA?,{'가' * 1_000_001}\n", "qa.csv", "line 2: a cell has more than 1,000,000 characters; shorten it"),
        ("Q,A\n가,나\n".encode("utf-16"), "qa.csv", "UTF-16"),
        (b"Q,A\n\xff\xff\x81,b\n", "qa.csv", "line 2: is neither UTF-8 nor CP949"),
        (b"PK\x03\x04\x00\x00", "qa.csv", "not a text file"),
        ("Q,A\n,\n", "qa.csv", "no usable row"),
        ("Q,A\n,가\n", "qa.csv", "line 2: question is empty"),
        ("Q,Q,A\n", "qa.csv", "twice"),
        (f"Q,A\n{'벽' * 2_001},가.\n", "qa.csv", "question has 2,001 characters; shorten it to at most 2,000"),
        (f"Q,A\n벽?,{'가' * 20_001}\n", "qa.csv", "answer has 20,001 characters; shorten it to at most 20,000"),
        ("Q,A\n😀,🎉\n", "qa.csv", "question holds no letter or digit"),
        ("{}\n", "qa.jsonl", "no usable row"),
    ],
)
def test_unusable_files_are_refused_in_one_line(tmp_path: Path, content: str | bytes, name: str, words: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        read_groups(_file(tmp_path, content, name))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no such file"):
        read_groups(tmp_path / "no.csv")
    with pytest.raises(FileFormatError, match="directory"):
        read_groups(tmp_path)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, DACON)
    path.chmod(0)
    with unprivileged(), pytest.raises(FileFormatError, match=r"cannot be read \(Permission denied\); check its perm"):
        read_groups(path)


def test_one_id_for_two_contents_is_refused_and_a_repeated_row_is_read_once(tmp_path: Path) -> None:
    row = DACON.splitlines()[1]
    again = read_groups(_file(tmp_path, f"{DACON}{row}\n"))
    assert len(again.groups) == 1
    assert "repeated" in again.notes[0]
    with pytest.raises(DuplicateGroupError, match=r"line 3: id 'T1' already stands in .*line 2"):
        read_groups(_file(tmp_path, f"{DACON}{row.replace('장식', '부재')}\n"))
    with pytest.raises(DuplicateGroupError, match="line 3: id '1'"):
        read_groups(_file(tmp_path, "id,question,answer\n1,A?,가.\n1,B?,나.\n"))


def test_one_id_for_two_contents_is_refused_across_files(tmp_path: Path) -> None:
    first = _file(tmp_path, DACON)
    same = _file(tmp_path, DACON, "same.csv")
    other = _file(tmp_path, DACON.replace("장식", "부재"), "other.csv")
    assert len(read_all([first, same]).groups) == 1
    with pytest.raises(DuplicateGroupError, match=r"other\.csv"):
        read_all([first, other])


def test_a_record_that_is_too_deep_in_types_is_an_input_error(tmp_path: Path) -> None:
    path = _file(tmp_path, json.dumps({"questions": "A?", "answers": {"no": "list"}}), "qa.jsonl")
    with pytest.raises(InputError):
        read_groups(path)


def test_what_nobody_has_approved_is_rejected_where_that_is_asked_for(tmp_path: Path) -> None:
    lines = tmp_path / "grown.jsonl"
    records = [
        {"questions": [f"{n}번?"], "answers": ["답"], "provenance": provenance}
        for n, provenance in enumerate(({"approved": False}, {"approved": True}, {"registers": []}, "text"))
    ]
    lines.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
    queue = tmp_path / "review.csv"
    queue.write_text(
        'accept,질문_1,답변_1,provenance\ny,하나?,답,"{""approved"": false}"\n,둘?,답,{}\n,셋?,답,{\n', "utf-8"
    )
    plain = tmp_path / "plain.csv"
    plain.write_text('질문,답변,provenance\n하나?,답,"{""approved"": false}"\n둘?,답,\n', "utf-8")
    for path, line, kept in ((lines, 1, 3), (queue, 2, 2), (plain, 2, 1)):
        result = read_groups(path, approved_only=True)
        assert len(result.groups) == kept
        assert [(reject.line, reject.reason[:36]) for reject in result.rejects] == [
            (line, "nobody has approved this group yet; ")
        ]
        assert len(read_all([path], approved_only=True).groups) == kept
        assert read_groups(path).rejects == ()
