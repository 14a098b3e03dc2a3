"""평가: reports of evaluations as plots, two of them compared, and a new one started."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from data.catalog import catalogue
from data.errors import DobaeError
from data.problems import in_words
from data.settings import preset_names
from ui.app import plots
from ui.app.login import keeper
from ui.app.markup import label
from ui.app.runs import EvaluationRun, keep, latest, runs_folder
from ui.app.session import language, say, show_failure

if TYPE_CHECKING:
    from rag.evaluation.statistics import Interval

POLL_SECONDS = 0.5
FAST_PRESET = "smoke"

Report = dict[str, Any]


def show() -> None:
    """Draws the page, or the entrance to it."""
    if keeper() is None:
        return
    st.title(say("evaluation"))
    st.write(say("evaluation_intro"))
    _start()
    runs = sorted(path.parent for path in runs_folder().glob("*/report.json"))
    if not runs:
        run = latest(EvaluationRun)
        if run is None or run.done:
            st.info(say("evaluation_none"))
        return
    runs.sort(key=lambda run: -(run / "report.json").stat().st_mtime)
    left, right = st.columns(2)
    shown = left.selectbox(say("evaluation_run"), runs, format_func=lambda run: run.name, key="run")
    other = right.selectbox(
        say("evaluation_against"),
        [None, *(run for run in runs if run != shown)],
        format_func=lambda run: say("evaluation_alone") if run is None else run.name,
        key="run_against",
    )
    try:
        report = _read(shown)
        if other is None:
            _report(report)
        else:
            _comparison(_read(other), report, say("evaluation_compared", before=other.name, after=shown.name))
    except DobaeError as error:
        st.error(label(in_words(error, say)))


def _read(run: Path) -> Report:
    from rag.evaluation.report import read_report

    return read_report(run)


def _start() -> None:
    from rag.evaluation.config import PRESETS

    run = latest(EvaluationRun)
    if run is not None and not run.done:
        _running()
        return
    with st.expander(say("evaluation_new")):
        names = preset_names(PRESETS)
        first = names.index(FAST_PRESET) if FAST_PRESET in names else 0
        name = st.selectbox(say("training_preset"), names, index=first, key="evaluation_preset")
        st.caption(say("evaluation_how_long"))
        if st.button(say("evaluation_start"), key="evaluation_start", type="primary"):
            try:
                keep(EvaluationRun(name))
                st.rerun()
            except DobaeError as error:
                st.error(label(in_words(error, say)))
    if run is not None:
        if run.stopped:
            st.info(say("evaluation_stopped"))
        elif run.failed:
            show_failure(run)
        else:
            st.success(say("evaluation_ended", name=label(run.folder.name)))


@st.fragment(run_every=POLL_SECONDS)
def _running() -> None:
    run = latest(EvaluationRun)
    if run is None or run.done:
        st.rerun()
    st.progress(run.share, text=f"{say('evaluation_running')} {run.share:.0%}")
    if st.button(say("cancel"), key="evaluation_stop"):
        run.stop()


def _report(report: Report) -> None:
    means = report["means"]
    metrics = sorted(
        {metric for protocols in means.values() for entry in protocols.values() for metric in entry["metrics"]},
        key=list(catalogue(language())["metric"]).index,
    )
    metric = st.selectbox(
        say("evaluation_metric"), metrics, format_func=lambda name: say(f"metric.{name}"), key="metric"
    )
    value, arm_name, protocol_name = say(f"metric.{metric}"), say("evaluation_arm"), say("evaluation_protocol")
    rows = [
        {
            arm_name: arm,
            protocol_name: say(f"protocol.{protocol}"),
            value: entry["metrics"][metric]["value"],
            "low": entry["metrics"][metric]["low"],
            "high": entry["metrics"][metric]["high"],
        }
        for arm, protocols in means.items()
        for protocol, entry in protocols.items()
        if metric in entry["metrics"]
    ]
    if report["metric_encoder"]["proxy"]:
        st.caption(say("evaluation_proxy"))
    _intervals(rows, value, protocol_name, arm_name)
    _coverage(report)
    questions = {protocol: facts["asked"] for protocol, facts in report["protocols"].items()}
    st.subheader(say("evaluation_asked"))
    count = say("data_count")
    asked = [{protocol_name: say(f"protocol.{name}"), count: number} for name, number in questions.items()]
    st.vega_lite_chart(plots.bars(asked, count, protocol_name, least_step=1))


def _intervals(rows: list[dict[str, Any]], value: str, name: str, colour: str, *, zero: bool = False) -> None:
    from rag.evaluation.statistics import LEAST_CLUSTERS

    if any(row["low"] is None for row in rows):
        st.caption(say("evaluation.few_groups", least=LEAST_CLUSTERS))
    st.vega_lite_chart(plots.intervals(rows, value, name, colour, zero=zero))


def _coverage(report: Report) -> None:
    curves = report["coverage"]
    protocols = sorted({protocol for of_arm in curves.values() for protocol in of_arm})
    if not protocols:
        return
    st.subheader(say("evaluation_coverage"))
    st.caption(say("evaluation_coverage_note"))
    protocol = st.selectbox(
        say("evaluation_protocol"), protocols, format_func=lambda name: say(f"protocol.{name}"), key="curve"
    )
    share, quality, arm_name = say("evaluation_share"), say("metric.cosine"), say("evaluation_arm")
    rows = [
        {share: point[0], quality: point[1], arm_name: arm}
        for arm, of_arm in curves.items()
        for point in of_arm.get(protocol, {"points": []})["points"]
    ]
    st.vega_lite_chart(plots.lines(rows, share, quality, arm_name))


def _comparison(before: Report, after: Report, compared: str) -> None:
    from rag.evaluation.comparing import check_comparable, compare

    notes = check_comparable(before, after)
    changes = [change for change in compare(before, after) if change.protocol]
    if notes:
        st.caption(label(" ".join(in_words(note, say) for note in notes)))
    metrics = sorted({change.metric for change in changes})
    if not metrics:
        st.info(say("evaluation_nothing_shared"))
        return
    metric = st.selectbox(
        say("evaluation_metric"), metrics, format_func=lambda name: say(f"metric.{name}"), key="changed_metric"
    )
    value, arm_name, protocol_name = say("evaluation_change"), say("evaluation_arm"), say("evaluation_protocol")
    shown = [change for change in changes if change.metric == metric]
    rows = [
        {
            protocol_name: say(f"protocol.{change.protocol}"),
            arm_name: change.arm,
            value: change.difference.value,
            "low": change.difference.low,
            "high": change.difference.high,
        }
        for change in shown
    ]
    st.caption(label(compared))
    _intervals(rows, value, protocol_name, arm_name, zero=True)
    st.dataframe(
        {
            arm_name: [change.arm for change in shown],
            protocol_name: [say(f"protocol.{change.protocol}") for change in shown],
            say("evaluation_before"): [round(change.before, 4) for change in shown],
            say("evaluation_after"): [round(change.after, 4) for change in shown],
            value: [round(change.difference.value, 4) for change in shown],
            say("evaluation.interval"): [_interval(change.difference) for change in shown],
            "p (Holm)": [None if change.p_holm is None else round(change.p_holm, 4) for change in shown],
        },
        hide_index=True,
    )
    st.caption(say("evaluation_p_note"))


def _interval(difference: "Interval") -> str | None:
    """Returns an interval in figures; None of too few groups to have one."""
    if difference.low is None or difference.high is None:
        return None
    return f"{difference.low:+.3f} ~ {difference.high:+.3f}"
