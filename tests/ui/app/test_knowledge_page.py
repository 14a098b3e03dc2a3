"""지식베이스, as its keeper uses it."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from data.readers import read_groups
from index.store import GroupStore
from tests.ui.app.conftest import ADDRESS, SECRET, turn_to
from ui.app import feedback_queue, session
from ui.app.passphrase import FREE_TRIES, passphrase_file, set_passphrase


def _groups(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    store = GroupStore(tmp_path / "kb" / "groups.sqlite")
    held = {stored.group.id: stored.group.answers for stored in store.all_groups()}
    store.close()
    return held


def _press(page: AppTest, text: str) -> AppTest:
    next(button for button in page.button if button.label == text).click()
    page.run()
    assert not page.exception
    return page


def _section(page: AppTest, name: str) -> AppTest:
    page.session_state["kb_go"] = name
    page.run()
    assert not page.exception
    return page


def _said(page: AppTest) -> str:
    return " ".join(element.value for element in (*page.success, *page.info, *page.warning, *page.error))


def test_without_a_passphrase_the_page_says_how_to_set_one(page: AppTest) -> None:
    page.run()
    turn_to(page, "knowledge")
    assert page.code[0].value == "dobae ui passphrase"
    assert not page.text_input


def test_wrong_passphrases_are_refused_and_then_not_even_asked(page: AppTest) -> None:
    set_passphrase(passphrase_file(), SECRET)
    page.run()
    turn_to(page, "knowledge")
    for number in range(FREE_TRIES):
        assert "kb_section" not in page.session_state
        page.text_input[1].set_value(f"틀린 암호 {number}")
        _press(page, "들어가기")
    assert "잠시 막아" in _said(page)
    page.text_input[1].set_value(SECRET)
    _press(page, "들어가기")
    assert "잠시 막아" in _said(page)
    assert "kb_section" not in page.session_state


def test_one_who_guesses_does_not_keep_the_keeper_out(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    set_passphrase(passphrase_file(), SECRET)
    page.run()
    turn_to(page, "knowledge")
    monkeypatch.setitem(ADDRESS, "now", "198.51.100.1")
    for number in range(FREE_TRIES):
        page.text_input[1].set_value(f"틀린 암호 {number}")
        _press(page, "들어가기")
    assert "잠시 막아" in _said(page)
    monkeypatch.setitem(ADDRESS, "now", "192.0.2.7")
    page.text_input[1].set_value(SECRET)
    _press(page, "들어가기")
    assert "keeper" in page.session_state


def test_a_new_passphrase_puts_the_keeper_out(entered: AppTest) -> None:
    set_passphrase(passphrase_file(), SECRET + " 둘")
    entered.run()
    assert "암호가 바뀌었습니다" in _said(entered)
    assert "keeper" not in entered.session_state


def test_an_edit_is_in_the_base_and_answers_the_next_question(entered: AppTest, tmp_path: Path) -> None:
    entered.button(key="kb_open g2").click().run()
    entered.text_area(key="edit g2 answer1").set_value("베이킹소다를 푼 물로 닦습니다.")
    _press(entered, "저장")
    assert "저장했습니다" in _said(entered)
    assert _groups(tmp_path)["g2"] == ("베이킹소다를 푼 물로 닦습니다.",)
    assert "김도배" in " ".join(caption.value for caption in entered.caption)
    turn_to(entered, "ask")
    entered.chat_input[0].set_value("곰팡이는 무엇으로 닦나요?").run()
    job = entered.session_state["turns"][0].job
    assert job.wait(30)
    assert "베이킹소다" in job.answer.text


def test_an_edit_does_not_write_over_somebody_elses(entered: AppTest, tmp_path: Path) -> None:
    entered.button(key="kb_open g2").click().run()
    keeping = session.engine().keeping
    group = keeping.group("g2")
    assert group is not None
    keeping.change(group, replace(group, answers=("다른 사람이 고친 답변입니다.",)), "이장판")
    entered.text_area(key="edit g2 answer1").set_value("나중에 저장하려는 답변입니다.")
    _press(entered, "저장")
    assert "다른 사람이 이 사례를 고쳤습니다" in _said(entered)
    _press(entered, "저장")
    assert "다른 사람이 이 사례를 고쳤습니다" in _said(entered)
    assert _groups(tmp_path)["g2"] == ("다른 사람이 고친 답변입니다.",)
    entered.button(key="kb_back").click().run()
    entered.button(key="kb_open g2").click().run()
    assert entered.text_area(key="edit g2 answer1").value == "다른 사람이 고친 답변입니다."
    entered.text_area(key="edit g2 answer1").set_value("나중에 저장하려는 답변입니다.")
    _press(entered, "저장")
    assert _groups(tmp_path)["g2"] == ("나중에 저장하려는 답변입니다.",)


def test_a_category_is_chosen_or_named_or_taken_away(entered: AppTest) -> None:
    def category() -> str:
        group = session.engine().keeping.group("g2")
        assert group is not None
        return group.category

    entered.button(key="kb_open g2").click().run()
    before = category()
    entered.selectbox(key=f"edit g2 category {before}").set_value("마감하자")
    _press(entered, "저장")
    assert category() == "마감하자"
    entered.text_input(key="edit g2 category 마감하자 new").set_value("문과 문틀")
    _press(entered, "저장")
    assert category() == "문과 문틀"
    assert entered.text_input(key="edit g2 category 문과 문틀 new").value == ""
    entered.selectbox(key="edit g2 category 문과 문틀").set_value("")
    _press(entered, "저장")
    assert category() == ""


def test_an_example_is_removed_and_brought_back(entered: AppTest, tmp_path: Path) -> None:
    entered.button(key="kb_open g3").click().run()
    entered.checkbox(key="sure g3").check().run()
    entered.button(key="remove g3").click().run()
    assert "g3" not in _groups(tmp_path)
    _section(entered, "history")
    _press(entered, "개정 2 되돌리기")
    assert "되돌렸습니다" in _said(entered)
    assert "g3" in _groups(tmp_path)


def test_search_finds_by_word_and_by_category(entered: AppTest) -> None:
    def shown() -> set[str]:
        return {button.key.removeprefix("kb_open ") for button in entered.button if "kb_open" in (button.key or "")}

    assert shown() == {"g1", "g2", "g3"}
    entered.selectbox(key="kb_category").set_value("마감하자").run()
    assert shown() == {"g1"}
    entered.selectbox(key="kb_category").set_value(None).run()
    entered.text_input(key="kb_words").set_value("곰팡이 제거제").run()
    assert next(button.key for button in entered.button if "kb_open" in (button.key or "")) == "kb_open g2"
    entered.text_input(key="kb_words").set_value("!!!").run()
    assert "없습니다" in _said(entered)


def test_a_search_is_still_there_after_an_example_was_open(entered: AppTest) -> None:
    entered.text_input(key="kb_words").set_value("벽지").run()
    entered.selectbox(key="kb_category").set_value("마감하자").run()
    entered.button(key="kb_open g1").click().run()
    entered.button(key="kb_back").click().run()
    assert not entered.exception
    assert (entered.text_input(key="kb_words").value, entered.selectbox(key="kb_category").value) == (
        "벽지",
        "마감하자",
    )
    turn_to(entered, "data")
    turn_to(entered, "knowledge")
    assert entered.text_input(key="kb_words").value == "벽지"


def test_the_history_tells_the_time_where_its_reader_is(entered: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(zone: str | None) -> str:
        monkeypatch.setattr(type(st.context), "timezone", property(lambda _: zone))
        _section(entered, "history")
        return str(entered.expander[0].label).replace("\\", "")

    assert "KST" in shown("Asia/Seoul")
    assert "UTC" in shown(None)
    assert "UTC" in shown("../../etc/passwd")
    assert "UTC" in shown("no such place")


def test_a_disliked_answer_becomes_an_example_in_two_clicks(entered: AppTest, tmp_path: Path) -> None:
    session.feedback().add(
        good=False, question="문틀 벽지가 찢어졌어요", answer="모름", reason="답이 없음", generator="x", groups=[]
    )
    _section(entered, "queue")
    _press(entered, "사례로 만들기")
    assert entered.text_area(key="new1 questions").value == "문틀 벽지가 찢어졌어요"
    shown = " ".join(html.proto.body for html in entered.get("html"))
    assert "이유: 답이 없음" in shown  # What the answer must mend is seen while it is written.
    entered.text_area(key="new1 answer1").set_value("같은 무늬를 덧대어 붙입니다.")
    _press(entered, "사례 더하기")
    assert ("같은 무늬를 덧대어 붙입니다.",) in _groups(tmp_path).values()
    assert session.feedback().waiting() == []


def test_the_example_behind_a_disliked_answer_is_one_click_away(entered: AppTest) -> None:
    session.feedback().add(
        good=False,
        question="곰팡이는 뭘로 닦나요",
        answer="모름",
        reason="",
        generator="x",
        groups=["g2", "g2", "removed"],
    )
    _section(entered, "queue")
    assert [button.key for button in entered.button if "kb_mend" in (button.key or "")] == ["kb_mend1 g2"]
    entered.button(key="kb_mend1 g2").click().run()
    assert not entered.exception
    assert entered.text_area(key="edit g2 answer1").value


def test_a_question_from_the_queue_that_was_left_is_not_in_the_next_new_example(entered: AppTest) -> None:
    session.feedback().add(
        good=False, question="문틀 벽지가 찢어졌어요", answer="", reason="", generator="x", groups=[]
    )
    _section(entered, "queue")
    _press(entered, "사례로 만들기")
    _section(entered, "browse")
    _section(entered, "new")
    assert entered.text_area(key="new1 questions").value == ""
    entered.text_area(key="new1 questions").set_value("걸레받이가 떴어요")
    entered.text_area(key="new1 answer1").set_value("접착제로 다시 붙입니다.")
    _press(entered, "사례 더하기")
    assert [waiting.question for waiting in session.feedback().waiting()] == ["문틀 벽지가 찢어졌어요"]


def test_of_a_long_queue_the_newest_are_shown_and_the_others_counted(
    entered: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_queue, "SHOWN", 2)
    for number in range(5):
        question = f"{number}번 벽지가 찢어졌어요"
        session.feedback().add(good=False, question=question, answer="모름", reason="", generator="x", groups=[])
    _section(entered, "queue")
    assert [button.label for button in entered.button].count("사례로 만들기") == 2
    assert "그 밖에 3개" in [caption.value for caption in entered.caption]


def test_what_is_done_leaves_the_queue(entered: AppTest) -> None:
    session.feedback().add(
        good=False, question="문틀 벽지가 찢어졌어요", answer="", reason="", generator="x", groups=[]
    )
    _section(entered, "queue")
    _press(entered, "의견함에서 빼기")
    assert "처리할 의견이 없습니다" in _said(entered)
    assert session.feedback().waiting() == []


def test_an_upload_is_looked_at_again_when_the_base_has_changed(entered: AppTest, tmp_path: Path) -> None:
    _section(entered, "upload")
    table = "질문,답변\n새 질문입니다?,새 답변입니다.\n"
    entered.file_uploader[0].upload("새 사례.csv", table.encode(), "text/csv").run()
    keeping = session.engine().keeping
    group = keeping.group("g2")
    assert group is not None
    keeping.change(group, replace(group, answers=("다른 사람이 고친 답변입니다.",)), "이장판")
    _press(entered, "반영하기")
    assert "다시 살펴보았습니다" in _said(entered)
    assert len(_groups(tmp_path)) == 3
    _press(entered, "반영하기")
    if "kb_task" in entered.session_state:  # Not if it ended before the page was drawn again.
        assert entered.session_state["kb_task"].wait(60)
        entered.run()
    assert len(_groups(tmp_path)) == 4


def test_an_upload_shows_what_it_would_do_and_writes_only_then(entered: AppTest, tmp_path: Path) -> None:
    _section(entered, "upload")
    table = "질문,답변\n새 질문입니다?,새 답변입니다.\n,답만 있습니다\n"
    entered.file_uploader[0].upload("새 사례.csv", table.encode(), "text/csv").run()
    assert not entered.exception
    assert [metric.value for metric in entered.metric] == ["1", "0", "0", "1"]
    assert "질문이 비어 있습니다" in str(entered.table[0].value)
    assert len(_groups(tmp_path)) == 3
    _press(entered, "반영하기")
    if "kb_task" in entered.session_state:  # Not if it ended before the page was drawn again.
        assert entered.session_state["kb_task"].wait(60)
        entered.run()
    assert ("새 답변입니다.",) in _groups(tmp_path).values()


def _bomb() -> bytes:
    """A small file that unpacks to a large one."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (30 << 20))
    return raw.getvalue()


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("빈 파일.csv", b"", "파일이 비어 있습니다"),
        ("가짜.xlsx", b"PK\x03\x04 not really", "엑셀 파일을 열지 못했습니다"),
        ("열이 없음.csv", "이름,나이\n가,1\n".encode(), "질문 열과 답변 열"),
        ("<img src=x onerror=alert(1)>.csv", b"", "파일이 비어 있습니다"),
        ("폭탄.xlsx", _bomb(), "안전하지 않은 파일"),
        ("글.csv", "질문,답변\n가,\n".encode(), "쓸 수 있는 줄이 하나도 없습니다"),
    ],
)
def test_bad_files_are_explained(entered: AppTest, tmp_path: Path, name: str, raw: bytes, said: str) -> None:
    _section(entered, "upload")
    entered.file_uploader[0].upload(name, raw, "text/csv").run()
    assert not entered.exception
    assert said in _said(entered)
    assert len(_groups(tmp_path)) == 3


def test_what_is_downloaded_can_be_read_again(entered: AppTest, tmp_path: Path) -> None:
    _section(entered, "download")
    _press(entered, "파일 준비하기")
    raw = session.engine().keeping.exported(".xlsx")
    path = tmp_path / "back.xlsx"
    path.write_bytes(raw)
    assert {group.id for group in read_groups(path).groups} == {"g1", "g2", "g3"}
