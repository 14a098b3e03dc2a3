"""학습: what a fine-tuning run would take of a GPU's memory, and a small run with its loss."""

import streamlit as st

from data.catalog import catalogue
from data.errors import DobaeError
from data.problems import in_words
from data.settings import find_config, preset_names
from ui.app import compare_page, plots
from ui.app.engine import models
from ui.app.login import keeper
from ui.app.markup import block, label
from ui.app.runs import TrainingRun, adapters, keep, latest
from ui.app.session import choose, language, say, show_failure

BUDGET_GIB = 15.0
"""What a T4 leaves a process."""

POLL_SECONDS = 2.0
FAST_PRESET = "tiny"
SMALL_STEPS = 4


def show() -> None:
    """Draws the page, or the entrance to it."""
    if keeper() is None:
        return
    st.title(say("training"))
    st.write(say("training_intro"))
    from training.config_file import PRESETS

    names = preset_names(PRESETS)
    start = names.index("t4-exaone4-1.2b") if "t4-exaone4-1.2b" in names else 0
    left, middle, right = st.columns([2, 1, 1])
    name = left.selectbox(say("training_preset"), names, index=start, key="preset")
    budget = middle.number_input(say("training_budget"), 1.0, 200.0, BUDGET_GIB, 1.0, key="budget")
    gpus = right.number_input(say("training_gpus"), 1, 8, 1, key="gpus")
    try:
        _plan(name, float(budget), int(gpus))
    except DobaeError as error:
        st.error(label(in_words(error, say)))
    with st.expander(say("training_file")):
        st.code((PRESETS / f"{name}.toml").read_text("utf-8"), language="toml")
    st.code(f"dobae train {name}", language=None)
    _small_run()


def _plan(name: str, budget: float, gpus: int) -> None:
    from training.config_file import PRESETS, read_config
    from training.plan.inputs import GIB
    from training.plan.propose import plan
    from training.plan.report import written
    from training.planning import plan_input

    question = plan_input(read_config(find_config(name, PRESETS)), budget, gpus)
    made = plan(question)
    value, part_name = "GiB", say("training_part")
    now = say("training_now")
    rows = [
        {"run": now, part_name: _part(part.name), value: round(part.size / GIB, 3), "order": place}
        for place, part in enumerate(made.parts)
    ]
    if made.proposal is not None:
        changed = say("training_with_change")
        rows.append({"run": changed, part_name: changed, value: round(made.proposal.total_gib, 3), "order": 0})
    st.subheader(say("training_memory"))
    st.caption(
        say(
            "training_settings",
            model=label(question.model),
            batch=question.micro_batch,
            length=question.max_length,
            quantisation=say("none") if question.quantisation == "none" else question.quantisation,
        )
    )
    limit = say("training_limit", budget=f"{budget:g}")
    st.vega_lite_chart(plots.with_limit(plots.bars(rows, value, "run", colour=part_name), budget, limit))
    if made.fits:
        st.success(say("training_fits", total=made.total_gib, budget=f"{budget:g}"))
    elif made.proposal is None:
        st.error(say("training_never", total=made.total_gib))
    else:
        st.warning(
            say(
                "training_proposal",
                total=made.total_gib,
                change=label(written(made.proposal.change)),
                after=made.proposal.total_gib,
            )
        )
    with st.expander(say("training_parts")):
        st.dataframe(
            {
                part_name: [_part(part.name) for part in made.parts],
                value: [round(part.size / GIB, 3) for part in made.parts],
            },
            hide_index=True,
        )


def _part(name: str) -> str:
    key = f"part_{name.replace(' ', '_')}"
    return say(key) if key in catalogue(language())["app"] else name


def _small_run() -> None:
    st.subheader(say("training_small"))
    run = latest(TrainingRun)
    if run is None or run.done:
        st.write(say("training_small_intro", steps=SMALL_STEPS))
        if st.button(say("training_start"), key="train_start"):
            try:
                keep(TrainingRun(FAST_PRESET, SMALL_STEPS))
                st.rerun()
            except DobaeError as error:
                st.error(label(in_words(error, say)))
        if run is not None:
            _outcome(run)
    else:
        _running()


@st.fragment(run_every=POLL_SECONDS)
def _running() -> None:
    run = latest(TrainingRun)
    if run is None or run.done:
        st.rerun()
    st.caption(say("training_running"))
    _loss(run)
    if st.button(say("cancel"), key="train_stop"):
        run.stop()


def _loss(run: TrainingRun) -> None:
    step, loss, of = say("training_step"), say("training_loss"), say("training_which")
    rows = [
        {step: entry["step"], loss: entry[key], of: say(f"training_{key}")}
        for entry in run.losses()
        for key in ("loss", "eval_loss")
        if key in entry
    ]
    if rows:
        st.vega_lite_chart(plots.lines(rows, step, loss, of, least_step=1))


def _outcome(run: TrainingRun) -> None:
    _loss(run)
    if run.stopped:
        st.info(say("training_stopped"))
    elif run.failed:
        show_failure(run)
    else:
        st.success(say("training_ended"))
        st.html(block(str(run.adapter)))
        model = next((model for model in models() if run.adapter in adapters(model)), None)
        if model is not None and st.button(say("training_try"), key="training_try", type="primary"):
            choose(generator=model, adapter=str(run.adapter))
            st.switch_page(st.Page(compare_page.show, url_path="compare"))
