"""`dobae ui`: the page in a browser, and the passphrase of its keeper."""

import gc
import os
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.options import DEFAULT_KB, KbOption
from ui.cli.progress import note

app = typer.Typer(help="Open the page in a browser (`dobae ui`).", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def ui(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = 8501,
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser.")] = False,
    kb: KbOption = DEFAULT_KB,
) -> None:
    """Open the page for asking, comparing and keeping the base."""
    if context.invoked_subcommand is not None:
        return
    from data.errors import InputError
    from index.manifest import read_manifest
    from ui.app.signing_in import ASKING

    read_manifest(kb)  # A missing base is said here, in one line, rather than in the browser.
    asking = os.environ.get("DOBAE_ASKING", ASKING[0])
    if asking not in ASKING:
        raise InputError(f"DOBAE_ASKING={asking!r} says nobody; set it to {' or '.join(ASKING)}")
    os.environ["DOBAE_KB"] = str(kb.resolve())
    from streamlit.web import cli

    from ui.app.keeping import MAX_UPLOAD_MB

    page = Path(__file__).resolve().parent.parent / "app" / "main.py"
    options = {
        "server.port": port,
        "server.headless": str(headless).lower(),
        "server.address": "127.0.0.1",
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": "false",
        "server.maxUploadSize": MAX_UPLOAD_MB,
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "viewer",
        # Streamlit's own colours leave small grey text and red buttons below the contrast people need (WCAG AA).
        "theme.light.textColor": "#0b0c10",
        "theme.light.primaryColor": "#115e59",
        "theme.dark.primaryColor": "#2dd4bf",
    }
    threading.Thread(target=_warm_up, daemon=True, name="dobae-warm-up").start()
    cli.main(["run", str(page), *(f"--{name}={value}" for name, value in options.items())], standalone_mode=False)


@app.command()
def passphrase(
    from_stdin: Annotated[bool, typer.Option("--stdin", help="Read one line from standard input; do not ask.")] = False,
) -> None:
    """Set the passphrase that opens the pages that change the base."""
    from ui.app.passphrase import passphrase_file, set_passphrase

    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    else:
        given = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    path = passphrase_file()
    set_passphrase(path, given)
    note(f"the passphrase's hash is in {path}; who had entered must enter again")


def _warm_up() -> None:
    """Loads the base, and what a model needs, before the first visitor comes; what fails is said to the visitor."""
    from data.errors import DobaeError
    from ui.app.engine import models
    from ui.app.session import engine

    try:
        engine()
    except DobaeError as error:
        note(f"dobae: {error}")
    if models():
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401 - minutes, beside a page that polls
    # Streamlit collects garbage of all generations after every run of a script, and a page that watches an answer runs
    # once a second: what stays for good must not be looked through each time.
    gc.collect()
    gc.freeze()
