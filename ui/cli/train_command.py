"""`dobae train`: fine-tunes the answering model, plans its memory, exports and uploads its adapter."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.cli.options import JsonOption
from ui.cli.progress import note, progress_bar
from ui.cli.run_by_default import RunByDefault

if TYPE_CHECKING:
    from training.config import TrainConfig


app = typer.Typer(
    cls=RunByDefault,
    help="Fine-tune the answering model: `dobae train CONFIG` (a TOML file or a preset), plan its memory, export it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ConfigArgument = Annotated[str, typer.Argument(metavar="CONFIG", help="A TOML file, or the name of a preset.")]


@app.callback()
def _train() -> None:
    """Fine-tune the answering model, plan its memory, export its adapter."""


@app.command()
def run(
    config: ConfigArgument,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the run; runs/NAME if not given.")] = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", min=1, help="Stop after so many steps.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="With --resume: train no further, write the best adapter so far.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train an adapter (the default: `dobae train CONFIG`)."""
    settings = _read(config, out)
    from rag.model_store import find

    base = find(settings.model.base, settings.model.revision)
    from training.sft import run as train

    with progress_bar("training") as bar:
        result = train(
            settings,
            base,
            max_steps=max_steps,
            resume=resume,
            finish=finish,
            progress=lambda what, done, total: bar(done, total, what),
            say=note,
        )
    if not result.main:
        return
    report = result.report
    if as_json:
        typer.echo(json.dumps({"adapter": str(result.adapter), **report}, ensure_ascii=False))
        return
    best, speed = report["best_held_out_loss"], report["tokens_per_second"]
    typer.echo(
        f"{result.adapter}: {report['steps']} steps, best held-out loss "
        f"{'not measured' if best is None else f'{best:.4f}'}" + ("" if speed is None else f", {speed} tokens/s")
    )
    typer.echo(f'try it: dobae ask --generator {settings.model.base} --adapter {result.adapter} "질문"')


@app.command()
def plan(
    config: ConfigArgument,
    budget: Annotated[float, typer.Option("--budget", min=0.1, help="Usable memory of one GPU, in GiB.")] = 15.0,
    gpus: Annotated[int, typer.Option("--gpus", min=1, help="GPUs that train together, each with the model.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Say what memory a run will take of a GPU, and what to change if it does not fit; loads nothing."""
    from training.plan.propose import plan as make_plan
    from training.plan.report import as_json as plan_json
    from training.plan.report import as_table
    from training.planning import plan_input

    settings = _read(config, None)
    question = plan_input(settings, budget, gpus)
    made = make_plan(question)
    if settings.precision.device == "cpu":
        note("this run trains on a CPU; what follows is what it would take of a GPU, a process takes more of RAM")
    typer.echo(json.dumps(plan_json(made), ensure_ascii=False) if as_json else as_table(made, question))


@app.command()
def export(
    adapter: Annotated[Path, typer.Argument(help="Folder of an adapter, as a run leaves it.")],
    out: Annotated[Path, typer.Option("--out", help="New folder for the merged model.")],
    base: Annotated[
        str | None, typer.Option("--base", help="The base model, if not the one the adapter names.")
    ] = None,
    dtype: Annotated[
        str, typer.Option("--dtype", help="Format of the merged weights: bfloat16 or float16.")
    ] = "bfloat16",
    push_to: Annotated[
        str | None, typer.Option("--push", metavar="USER/NAME", help="Upload the merged model to the Hugging Face hub.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Make the uploaded model public.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Merge an adapter into its base, in 16 bits, and compare the outputs before and after."""
    from dataclasses import asdict
    from typing import cast

    from data.errors import InputError
    from rag.generators.adapters import check_names, read_card
    from rag.generators.revisions import find_base

    if dtype not in ("bfloat16", "float16"):
        raise InputError(f"--dtype {dtype!r} is unknown; choose bfloat16 or float16")
    card = read_card(adapter)
    name = base or card.base_model
    if name is None:
        raise InputError(f"the adapter in {adapter} does not say which base it is for; name it with --base")
    check_names(card, name)
    from training.export import Format, hub_token, push
    from training.export import export as merge

    if push_to:
        hub_token()  # asked for before the minutes that a merge takes
    folder = find_base(name, adapter)
    made = merge(adapter, folder, card.base_model or name, out, dtype=cast(Format, dtype), say=note)
    address = push(out, push_to, private=not public) if push_to else None
    if as_json:
        typer.echo(json.dumps({"out": str(out), "address": address, **asdict(made)}))
        return
    typer.echo(
        f"{out}: largest difference of a logit {made.max_logit_difference:.3g}; "
        f"{made.equal_tokens} of {made.greedy_tokens} greedy tokens the same"
    )
    if address:
        typer.echo(address)


@app.command()
def push(
    adapter: Annotated[Path, typer.Argument(help="Folder of an adapter, as a run leaves it.")],
    repository: Annotated[str, typer.Argument(metavar="USER/NAME", help="Repository on the Hugging Face hub.")],
    public: Annotated[bool, typer.Option("--public", help="Make it public.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Upload an adapter with its card to the Hugging Face hub, unmerged: megabytes instead of a model."""
    from rag.generators.adapters import read_card

    read_card(adapter)
    from training.export import push as upload

    address = upload(adapter, repository, private=not public)
    typer.echo(json.dumps({"address": address}) if as_json else address)


@app.command()
def presets(as_json: JsonOption = False) -> None:
    """List the presets."""
    from data.settings import preset_names, preset_summary
    from training.config_file import PRESETS

    names = preset_names(PRESETS)
    if as_json:
        typer.echo(json.dumps(names))
        return
    for name in names:
        typer.echo(f"{name:18} {preset_summary(PRESETS, name)}")


def _read(config: str, out: Path | None) -> "TrainConfig":
    from data.settings import find_config
    from training.config_file import PRESETS, read_config

    settings = read_config(find_config(config, PRESETS))
    return settings if out is None else settings.with_out(out)
