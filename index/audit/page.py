"""`audit.html`: one page that needs nothing beside itself. Everything from the file is escaped: it is others' text."""

from collections import Counter
from html import escape

import numpy as np

from index.audit.auditing import Audit, category_counts
from index.audit.findings import Finding, Reason
from index.charts import bar_list, histogram
from index.page_parts import document, tiles

MOST_ROWS = 400
"""Suspects shown of one reason; `suspects.csv` holds all."""

REASONS: dict[Reason, tuple[str, str]] = {
    "artefact": ("남은 흔적", "편집 메모, 백틱, 짝 없는 따옴표, 깨진 글자, 풀어 쓴 한글(NFD)처럼 글에 남은 것"),
    "polarity": ("방향이 어긋남", "질문은 장점을, 답변이나 짝 질문은 단점을 말하는 것처럼 서로 반대인 것"),
    "duplicate_inside": ("그룹 안 중복", "한 그룹에서 앞의 글을 그대로 또는 거의 그대로 되풀이한 것"),
    "duplicate_across": ("그룹 사이 중복", "말투를 빼면 다른 그룹과 같은 것을 묻는 질문"),
    "question_answer_mismatch": ("질문과 답이 안 맞음", "답변이 제 질문보다 다른 그룹의 질문에 더 가까운 것"),
    "answer_outlier": ("동떨어진 답변", "같은 그룹의 다른 답변과 낱말이 다르고 질문과도 먼 답변"),
    "answers_disagree": ("답변끼리 다름", "답변들이 이 파일의 보통 수준보다 훨씬 덜 닮은 그룹"),
    "leakage": ("다른 파일과 겹침", "비교한 파일에도 있는 질문"),
}
KINDS = {"question": "질문", "answer": "답변"}
UNITS = {"characters": "글자", "morphemes": "형태소", "tokens": "토큰"}


def render_page(audit: Audit) -> str:
    """Renders the report as one HTML page without scripts or outside resources."""
    name = audit.file.path.name
    sections = [
        "<h1>데이터 점검</h1>"
        f"<p class='soft'>{escape(name)} · sha256 {audit.sha256[:12]} · {escape(audit.encoder)}</p>",
        _tiles(audit),
        _notes(audit),
        "<h2>분류</h2>" + bar_list([(key or "(없음)", count) for key, count in category_counts(audit).items()]),
        "<h2>길이</h2><div class='plots'>" + "".join(_length_plots(audit)) + "</div>" + _length_table(audit),
        "<h2>답변의 일치와 질문의 맞음</h2><div class='plots'>" + "".join(_spread_plots(audit)) + "</div>",
        "<h2>의심스러운 곳</h2>" + _suspects(audit),
        _near_pairs(audit),
        _leaks(audit),
    ]
    return document(f"데이터 점검 · {name}", sections)


def _tiles(audit: Audit) -> str:
    groups = audit.file.result.groups
    suspected = len(audit.suspects.group_ids)
    boxes = [
        ("그룹", f"{len(groups):,}", ""),
        ("질문", f"{sum(len(group.questions) for group in groups):,}", ""),
        ("답변", f"{sum(len(group.answers) for group in groups):,}", ""),
        ("읽지 못한 행", f"{len(audit.file.result.rejects):,}", "hot" if audit.file.result.rejects else ""),
        ("의심 그룹", f"{suspected:,} ({suspected / len(groups):.1%})", "hot" if suspected else ""),
    ]
    return tiles(boxes)


def _notes(audit: Audit) -> str:
    notes = [*audit.file.result.notes, *audit.notes]
    if audit.suspects.left_out:
        notes.append(f"{audit.suspects.left_out} milder findings were left out to keep the list short")
    return "<ul class='soft'>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>"


def _length_plots(audit: Audit) -> list[str]:
    return [
        histogram(
            f"{KINDS[item.of]} 길이 ({UNITS[item.unit]}), 점선은 중앙값",
            item.edges,
            item.bars,
            UNITS[item.unit],
            item.median,
        )
        for item in audit.lengths
    ]


def _length_table(audit: Audit) -> str:
    rows = "".join(
        f"<tr><td>{KINDS[item.of]}</td><td>{UNITS[item.unit]}</td>"
        + "".join(
            f"<td class='num'>{value:,.0f}</td>"
            for value in (item.count, item.smallest, item.median, item.mean, item.p95, item.largest)
        )
        + "</tr>"
        for item in audit.lengths
    )
    head = "".join(f"<th>{name}</th>" for name in ("글", "단위", "수", "최소", "중앙값", "평균", "95%", "최대"))
    table = f"<div class='wide'><table><tr>{head}</tr>{rows}</table></div>"
    return f"<details open><summary>숫자로 보기</summary>{table}</details>"


def _spread_plots(audit: Audit) -> list[str]:
    plots = []
    scores = [item.score for item in audit.agreements if len(item.each) > 1]
    for title, values in (
        ("대표 답변과 다른 답변의 유사도 (자모 4-gram 코사인)", scores),
        ("질문의 여유 (코사인 차이)", audit.margins),
    ):
        if len(values):
            bars, edges = np.histogram(values, bins=24)
            plots.append(histogram(title, edges.tolist(), bars.tolist(), "", float(np.median(values))))
    return plots


def _suspects(audit: Audit) -> str:
    findings = audit.suspects.findings
    if not findings:
        return "<p>찾은 것이 없습니다.</p>"
    counts = Counter(finding.reason for finding in findings)
    overview = bar_list([(REASONS[reason][0], counts[reason]) for reason in REASONS if counts[reason]])
    parts = [
        overview,
        "<p class='soft'>suspects.csv의 accept 칸에 yes를 적고 <code>dobae data fix</code>로 반영합니다.</p>",
    ]
    for reason, (title, meaning) in REASONS.items():
        chosen = [finding for finding in findings if finding.reason == reason]
        if chosen:
            parts.append(f"<h3>{title} ({len(chosen):,})</h3><p class='soft'>{meaning}</p>{_finding_table(chosen)}")
    return "".join(parts)


def _finding_table(findings: list[Finding]) -> str:
    head = "<tr><th>그룹</th><th>자리</th><th>근거</th><th>제안</th></tr>"
    rows = "".join(
        f"<tr><td class='id'>{escape(f.group_id)}</td><td class='id'>{escape(f.field.partition(' #')[0])}</td>"
        f"<td>{'<br>'.join(escape(part) for part in f.evidence.split(' | '))}</td><td>{escape(f.suggestion)}</td></tr>"
        for f in findings[:MOST_ROWS]
    )
    more = (
        f"<p class='soft'>… {len(findings) - MOST_ROWS:,}개 더 (suspects.csv)</p>" if len(findings) > MOST_ROWS else ""
    )
    return f"<div class='wide'><table>{head}{rows}</table></div>{more}"


def _near_pairs(audit: Audit) -> str:
    if not audit.pairs:
        return ""
    groups = audit.file.result.groups
    rows = "".join(
        f"<tr><td class='id'>{escape(groups[pair.first].id)}<br>{escape(groups[pair.second].id)}</td>"
        f"<td>{escape(pair.questions[0])}<br>{escape(pair.questions[1])}</td><td class='num'>{pair.jaccard:.2f}</td>"
        f"<td class='num'>{pair.cosine:.3f}</td></tr>"
        for pair in audit.pairs[:100]
    )
    head = "<tr><th>그룹</th><th>질문</th><th>글자</th><th>코사인</th></tr>"
    return (
        f"<h2>서로 가까운 질문</h2><details><summary>{len(audit.pairs):,}쌍 (앞의 {min(100, len(audit.pairs))}쌍). "
        f"가깝지만 다른 것을 묻는 쌍도 있습니다.</summary><div class='wide'><table>{head}{rows}</table></div></details>"
    )


def _leaks(audit: Audit) -> str:
    if audit.leaks is None:
        return ""
    counts = Counter(leak.kind for leak in audit.leaks)
    words = {"exact": "같음", "near": "거의 같음", "encoder": "인코더로 가까움"}
    listed = ", ".join(f"{words[kind]} {counts[kind]:,}" for kind in words if counts[kind]) or "없음"
    rows = "".join(
        f"<tr><td class='id'>{escape(leak.group_id)}</td><td>{words[leak.kind]}</td>"
        f"<td class='num'>{leak.score:.2f}</td>"
        f"<td>{escape(leak.question)}<br>{escape(leak.other)}</td></tr>"
        for leak in audit.leaks[:200]
    )
    return f"<h2>비교한 파일과 겹치는 질문</h2><p>{listed}</p><div class='wide'><table>{rows}</table></div>"
