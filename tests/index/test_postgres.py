"""Groups in a real PostgreSQL: what holds beyond what the tests of editing and following check over both databases."""

import json
import logging
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import InputError, KnowledgeBaseError
from data.types import QAGroup
from index import migrating
from index import postgres as module
from index.building import build_knowledge_base
from index.database import SqliteDatabase
from index.editing import Editor
from index.encoders.base import HashEncoder
from index.knowledge_base import KnowledgeBase, open_knowledge_base
from index.live import LiveKnowledgeBase
from index.migrating import attach_groups, contents, move_groups
from index.places import FILE_NAME as PLACES_FILE
from index.places import TRUTH_VARIABLE
from index.postgres import PostgresDatabase
from index.retriever import Retriever
from index.store import open_store
from tests.postgres_server import Server

pytestmark = pytest.mark.integration

Groups = tuple[QAGroup, ...]


@pytest.fixture
def truth() -> str:
    return "postgresql"


@pytest.fixture
def base(base_of, groups: Groups) -> KnowledgeBase:
    return base_of(groups)


@pytest.fixture
def address(base: KnowledgeBase) -> str:
    return os.environ[TRUTH_VARIABLE]


def run_sql(address: str, *statements: str) -> None:
    from sqlalchemy import create_engine

    parsed = module.parse_address(address)
    engine = create_engine(parsed.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SET search_path TO {parsed.schema}")
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_groups_and_history_move_there_and_back_unchanged(
    tmp_path: Path, groups: Groups, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb, encoder, address = tmp_path / "kb", HashEncoder(), postgres.new_schema()
    build_knowledge_base(kb, groups, encoder)
    editor = Editor(kb, encoder, author="김도배")
    editor.update([replace(groups[0], category="'; DROP TABLE groups; --%s?", source="😀\t")])
    editor.remove(["g2"])
    live = LiveKnowledgeBase(open_knowledge_base(kb, encoder))
    store = SqliteDatabase(kb / "groups.sqlite")
    with store.reading() as session:
        before = contents(session, "before")
    history = [revision.to_json() for revision in open_store(kb).revisions()]
    monkeypatch.setenv(TRUTH_VARIABLE, address)
    assert move_groups(kb, address)[0] == before
    assert not (kb / "groups.sqlite").exists()
    assert [revision.to_json() for revision in open_store(kb).revisions()] == history
    editor.undo()
    live.current()
    live.settle()
    assert live.current().revision == 4
    assert isinstance(live.current().store.database, PostgresDatabase)
    again = open_store(kb)
    history = [revision.to_json() for revision in again.revisions()]
    move_groups(kb, "sqlite")
    monkeypatch.delenv(TRUTH_VARIABLE)
    assert [revision.to_json() for revision in open_store(kb).revisions()] == history
    assert isinstance(open_store(kb).database, SqliteDatabase)
    assert {hit.group.id for hit in Retriever(open_knowledge_base(kb, encoder)).search("벽지", 9)} == {"g1", "g2", "g3"}


def test_a_target_that_holds_something_is_refused(
    base: KnowledgeBase, address: str, tmp_path: Path, groups: Groups
) -> None:
    build_knowledge_base(tmp_path / "other", groups, base.encoder)
    before = (tmp_path / "other" / "groups.sqlite").read_bytes()
    with pytest.raises(InputError, match="not empty"):
        move_groups(tmp_path / "other", address)
    assert (tmp_path / "other" / "groups.sqlite").read_bytes() == before
    assert not (tmp_path / "other" / PLACES_FILE).exists()
    (base.path / "groups.sqlite").write_bytes(before)
    with pytest.raises(InputError, match="not empty"):
        move_groups(base.path, "sqlite")
    (base.path / "groups.sqlite").unlink()
    with pytest.raises(InputError, match="already"):
        move_groups(base.path, address)


def test_a_copy_that_differs_is_refused_and_the_base_stays(
    tmp_path: Path, groups: Groups, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_knowledge_base(tmp_path / "kb", groups, HashEncoder())
    address, copy = postgres.new_schema(), migrating._copy

    def forgetful(source, target) -> None:
        copy(source, target)
        target.rows("DELETE FROM groups WHERE key = 2")

    monkeypatch.setattr(migrating, "_copy", forgetful)
    with pytest.raises(KnowledgeBaseError, match=r"do not match|differs"):
        move_groups(tmp_path / "kb", address)
    assert not (tmp_path / "kb" / PLACES_FILE).exists()
    assert open_store(tmp_path / "kb").state().groups == 3


def test_another_machine_shares_the_base(base: KnowledgeBase, tmp_path: Path, groups: Groups) -> None:
    there = tmp_path / "there"
    attach_groups(there, base.encoder)
    reader = Retriever(open_knowledge_base(there, base.encoder))
    Editor(base.path, HashEncoder()).add([replace(groups[0], id="late", questions=("장판이 떠요",))])
    assert reader.search("장판이 떠요")[0].group.id == "late"
    Editor(there, HashEncoder()).remove(["late"])
    assert "late" not in {hit.group.id for hit in Retriever(base).search("장판이 떠요", 9)}
    (there / PLACES_FILE).unlink()
    attach_groups(there, base.encoder)
    assert Retriever(open_knowledge_base(there, base.encoder)).base.revision == 3
    with pytest.raises(InputError, match="which a build does not replace"):
        build_knowledge_base(there, groups, base.encoder)


def test_writers_on_other_machines_take_turns_and_are_named(
    base: KnowledgeBase, address: str, tmp_path: Path, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach_groups(tmp_path / "there", base.encoder)
    monkeypatch.setattr(module, "WRITER_SECONDS", 1)
    database = PostgresDatabase(address)
    with database.writing():
        with pytest.raises(KnowledgeBaseError, match=rf"another process .* \(dobae .*process {os.getpid()}, for \d+ s"):
            Editor(tmp_path / "there", base.encoder).remove(["g1"])
        assert Retriever(base).search("벽지")
    monkeypatch.setattr(module, "WRITER_SECONDS", 60)
    failed: list[Exception] = []

    def write(path: Path, name: str) -> None:
        try:
            for number in range(5):
                Editor(path, HashEncoder(), wait=60).add([replace(groups[0], id=f"{name}{number}")])
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(base.path, "here")) for _ in range(1)]
    threads.append(threading.Thread(target=write, args=(tmp_path / "there", "there")))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    store = open_store(base.path)
    store.check()
    assert (store.state().groups, store.state().revision) == (13, 11)


def test_a_reader_sees_one_state_whole_while_another_writes(base: KnowledgeBase, address: str) -> None:
    database = PostgresDatabase(address)
    with database.reading() as session:
        before = session.rows("SELECT count(*) FROM groups")
        Editor(base.path, base.encoder).remove(["g1"])
        assert session.rows("SELECT count(*) FROM groups") == before == [(3,)]
    with pytest.raises(KnowledgeBaseError, match="read-only"), database.reading() as session:
        session.rows("DELETE FROM groups")
    assert open_store(base.path).state().groups == 2


def test_a_transaction_that_fails_leaves_nothing(base: KnowledgeBase, address: str) -> None:
    database = PostgresDatabase(address)

    def fail() -> None:
        with database.writing() as session:
            session.rows("DELETE FROM changes")
            session.rows("DELETE FROM groups")
            session.rows("SELECT 1 / 0")

    with pytest.raises(KnowledgeBaseError, match="nothing was changed"):
        fail()
    store = open_store(base.path)
    store.check()
    assert store.state().groups == 3


def test_a_lost_server_leaves_the_last_revision_and_is_found_again(
    postgres: Server, tmp_path: Path, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, kb = postgres.new_schema(), tmp_path / "kb"
    build_knowledge_base(kb, groups, HashEncoder())
    move_groups(kb, address)
    monkeypatch.setenv(TRUTH_VARIABLE, address)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    said: list[str] = []
    retriever = Retriever(LiveKnowledgeBase(open_knowledge_base(kb, HashEncoder()), say=said.append))
    assert len(retriever.search("벽지", 9)) == 3
    postgres.run("-m", "immediate", "stop")
    assert len(retriever.search("벽지", 9)) == 3
    assert "cannot be reached" in said[0]
    with pytest.raises(KnowledgeBaseError, match=r"cannot be reached.*nothing was changed|cannot be reached") as caught:
        Editor(kb, HashEncoder()).remove(["g1"])
    assert "\n" not in str(caught.value)
    postgres.start()
    Editor(kb, HashEncoder()).remove(["g1"])
    assert {hit.group.id for hit in retriever.search("벽지", 9)} == {"g2", "g3"}
    assert all(postgres.password not in line for line in said)


def test_what_a_stranger_put_there_is_refused(base: KnowledgeBase, address: str) -> None:
    run_sql(address, "CREATE RULE r AS ON INSERT TO groups DO ALSO DELETE FROM changes")
    for call in (
        lambda: open_knowledge_base(base.path, base.encoder),
        lambda: Editor(base.path, base.encoder).remove(["g1"]),
    ):
        with pytest.raises(KnowledgeBaseError, match="'groups' is not as dobae made it"):
            call()


def test_a_row_that_was_changed_by_hand_is_noticed(base: KnowledgeBase, address: str) -> None:
    run_sql(address, "UPDATE groups SET answers = '[\"망가진 답변\"]' WHERE id = 'g2'")
    with pytest.raises(KnowledgeBaseError, match="does not match its digest"):
        open_store(base.path).check()
    with pytest.raises(KnowledgeBaseError, match="does not match its digest"):
        Retriever(open_knowledge_base(base.path, base.encoder)).search("곰팡이는 무엇으로 닦나요?")


def test_no_password_is_in_a_message_a_file_or_a_log(
    base: KnowledgeBase, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password = module.parse_address(address).secret
    assert len(password) == 24
    wrong, unreachable = address.replace(password, "no!word"), address.replace("127.0.0.1:", "127.0.0.1:1")
    messages = []
    for tried, secret in ((wrong, "no!word"), (unreachable, password), (f"x{address}", password)):
        monkeypatch.setenv(TRUTH_VARIABLE, tried)
        with pytest.raises(InputError) as caught:
            open_store(base.path)
        messages.append(str(caught.value))
        assert secret not in messages[-1]
        assert "\n" not in messages[-1]
    assert "password" in messages[0]
    with pytest.raises(InputError, match="cannot be read"):
        PostgresDatabase("postgresql://user:secret@word@host:port/database")
    monkeypatch.setenv(TRUTH_VARIABLE, address)
    Editor(base.path, base.encoder).remove(["g1"])
    open_store(base.path).check()
    files = b"".join(path.read_bytes() for path in base.path.rglob("*") if path.is_file())
    assert password.encode() not in files
    assert password not in caplog.text
    assert password not in repr(open_store(base.path).database.__dict__["_engine"])


def test_a_base_names_no_server_by_itself(base: KnowledgeBase, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUTH_VARIABLE)
    with pytest.raises(KnowledgeBaseError, match=f"set {TRUTH_VARIABLE}"):
        open_knowledge_base(base.path, base.encoder)
    monkeypatch.setenv(TRUTH_VARIABLE, address)
    places = json.loads((base.path / PLACES_FILE).read_text())
    for changed in ({"base": "0" * 32}, {"base": ""}, {"truth": 5}, {"other": "x"}):
        (base.path / PLACES_FILE).write_text(json.dumps(places | changed))
        with pytest.raises(KnowledgeBaseError, match=r"another base|damaged"):
            open_knowledge_base(base.path, base.encoder)


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(KnowledgeBaseError, match=r"pip install '\.\[postgres\]'"):
        PostgresDatabase("postgresql://localhost/x")


def test_the_command_migrates_and_edits(tmp_path: Path, postgres: Server) -> None:
    def dobae(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ui.cli.main", *map(str, arguments)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PGPASSWORD": postgres.password, **more}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)

    source, kb = tmp_path / "qa.csv", tmp_path / "kb"
    source.write_text("질문,답변\n벽지가 왜 들뜨나요?,습기 때문입니다.\n몰딩 틈은요?,퍼티로 메웁니다.\n", "utf-8")
    assert dobae("index", "build", source, "--kb", kb).returncode == 0
    address = f"{postgres.address}?schema=fromcommand"
    moved = dobae("index", "migrate", "--truth", address, "--kb", kb, "--json")
    assert json.loads(moved.stdout)["groups"] == 2, moved.stderr
    assert json.loads(moved.stdout)["truth"] == address
    refused = dobae("index", "info", "--kb", kb)
    assert (refused.returncode, len(refused.stderr.strip().splitlines())) == (2, 1)
    here = {TRUTH_VARIABLE: address}
    assert dobae("index", "add", "-q", "장판이 떠요", "-a", "다시 붙입니다.", "--kb", kb, **here).returncode == 0
    verified = dobae("index", "verify", "--kb", kb, **here)
    assert "PostgreSQL" in verified.stdout, verified.stderr
    back = dobae("index", "migrate", "--truth", "sqlite", "--kb", kb, **here)
    assert "3 groups, 2 revisions and 1 changes" in back.stdout, back.stderr
    assert dobae("index", "verify", "--kb", kb).returncode == 0
