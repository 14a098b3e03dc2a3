"""데이터: what the base holds and what looks wrong in it, as plots."""

from typing import Any

import streamlit as st

from data.catalog import catalogue
from data.errors import DobaeError
from data.problems import in_words
from index.audit.evidence import Evidence
from ui.app import plots
from ui.app.login import keeper
from ui.app.markup import label
from ui.app.runs import AuditRun, keep, latest
from ui.app.session import engine, language, say, show_failure

POLL_SECONDS = 0.5
FINDINGS = 200
"""Findings shown."""

Report = dict[str, Any]


def show() -> None:
    """Draws the page, or the entrance to it."""
    if keeper() is None:
        return
    st.title(say("data"))
    st.write(say("data_intro"))
    run = latest(AuditRun)
    if run is not None and not run.done:
        _running()
        return
    if st.button(say("data_start"), key="audit_start", type="primary"):
        try:
            keeping = engine().keeping
            keep(AuditRun(keeping.exported(".jsonl"), keeping.encoder.spec))
            st.rerun()
        except DobaeError as error:
            st.error(label(in_words(error, say)))
    if run is None:
        return
    if run.stopped:
        st.info(say("data_stopped"))
    elif run.failed:
        show_failure(run)
    else:
        _report(run.result())


@st.fragment(run_every=POLL_SECONDS)
def _running() -> None:
    run = latest(AuditRun)
    if run is None or run.done:
        st.rerun()
    st.progress(run.share, text=f"{say('data_running')} {run.share:.0%}")
    if st.button(say("cancel"), key="audit_stop"):
        run.stop()


def _report(report: Report) -> None:
    figures = ("groups", "questions", "answers", "suspected_groups")
    for column, name in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(say(f"data_{name}"), f"{report[name]:,}")
    count = say("data_count")
    st.subheader(say("data_categories"))
    categories = [
        {say("category"): name or say("none"), count: number} for name, number in report["categories"].items()
    ]
    st.vega_lite_chart(plots.bars(categories, count, say("category"), least_step=1))
    st.subheader(say("data_lengths"))
    columns = st.columns(2)
    characters = [item for item in report["lengths"] if item["unit"] == "characters"]
    for column, item in zip(columns, characters, strict=False):
        of = say(f"data_of_{item['of']}")
        column.caption(say("data_length_facts", of=of, median=item["median"], p95=item["p95"], largest=item["largest"]))
        column.vega_lite_chart(plots.histogram(item["edges"], item["bars"], say("data_characters"), count))
    if any(item["largest"] >= item["edges"][-1] for item in characters):
        st.caption(say("audit.last_bar"))
    agreement = list(report["agreement"]["groups"].values())
    if agreement:
        st.subheader(say("data_agreement"))
        st.caption(say("data_agreement_note"))
        st.vega_lite_chart(plots.binned(agreement, say("data_agreement"), count, step=0.05))
    _findings(report)


def _findings(report: Report) -> None:
    st.subheader(say("data_findings"))
    findings = report["findings"]
    if not findings:
        st.success(say("data_no_findings"))
        return
    count = say("data_count")
    reasons = [{say("kb_why"): _reason(name), count: number} for name, number in report["reasons"].items()]
    st.vega_lite_chart(plots.bars(reasons, count, say("kb_why"), least_step=1))
    wanted = st.selectbox(
        say("kb_why"),
        [None, *report["reasons"]],
        format_func=lambda name: say("kb_all") if name is None else _reason(name),
        key="audit_reason",
    )
    shown = [finding for finding in findings if wanted in (None, finding["reason"])]
    st.dataframe(
        {
            say("group"): [finding["group_id"] for finding in shown[:FINDINGS]],
            say("kb_why"): [_reason(finding["reason"]) for finding in shown[:FINDINGS]],
            say("data_evidence"): [Evidence.of_json(finding["evidence"]).in_words(say) for finding in shown[:FINDINGS]],
        },
        hide_index=True,
    )
    if len(shown) > FINDINGS:
        st.caption(say("kb_more", count=len(shown) - FINDINGS))


def _reason(name: str) -> str:
    key = f"reason_{name}"
    return say(key) if key in catalogue(language())["app"] else name
