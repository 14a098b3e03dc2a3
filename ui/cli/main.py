"""The `dobae` command: wiring, and the one place where errors become a line and an exit status.

Importing this module must stay light: each command imports what it needs when it runs.
"""

import logging
import os
import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from data.errors import DobaeError, one_line
from ui.cli import data_commands, evaluate_command, index_commands, models_commands, train_command, ui_command
from ui.cli.ask_command import ask
from ui.cli.augment_command import augment
from ui.cli.join_command import join
from ui.cli.progress import note
from ui.cli.search_command import search
from ui.cli.split_command import split
from ui.cli.submit_command import submit

_INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

app = typer.Typer(
    name="dobae",
    help="Korean question answering about wallpaper and finishing-work defects, with cited examples.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(models_commands.app, name="models")
app.add_typer(index_commands.app, name="index")
app.add_typer(data_commands.app, name="data")
app.add_typer(train_command.app, name="train")
app.add_typer(evaluate_command.app, name="evaluate")
app.add_typer(ui_command.app, name="ui")
data_commands.app.command("split")(split)
data_commands.app.command("join")(join)
data_commands.app.command("augment")(augment)
app.command("search")(search)
app.command("ask")(ask)
app.command("submit")(submit)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"dobae {installed('dobae')}")
        context.exit(0)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
        context.exit(2)


def run() -> NoReturn:
    """Runs the command and exits: 0 done, 2 bad input, 1 failed inside, 130 interrupted."""
    # OpenMP threads that spin at barriers lose their time slices to any neighbour; threads that sleep do not.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Libraries that warn about optional parts of theirs have nothing to tell the person at the terminal.
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    try:
        status = app(standalone_mode=False) or 0
    except DobaeError as error:
        note(f"dobae: {error}")
        sys.exit(error.exit_code)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "dobae"
        said = error.format_message().rstrip(".")
        mend = "check its permissions" if said.endswith("is not readable") else f"see `{where} --help`"
        note(f"{where}: {said}; {mend}")
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        note("dobae: interrupted")
        sys.exit(_INTERRUPTED)
    except Exception as error:
        if "DOBAE_DEBUG" in os.environ:
            raise
        note(f"dobae: failed inside ({type(error).__name__}: {one_line(error)}); set DOBAE_DEBUG=1 for the whole story")
        sys.exit(1)
    if status == _INTERRUPTED:  # Typer takes Ctrl-C for itself, and says nothing
        note("dobae: interrupted")
    sys.exit(status)


if __name__ == "__main__":
    run()
