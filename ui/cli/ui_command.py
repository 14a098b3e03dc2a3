"""`dobae ui`: the page in a browser."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.options import DEFAULT_KB, KbOption


def ui(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = 8501,
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser.")] = False,
    kb: KbOption = DEFAULT_KB,
) -> None:
    """Open the page for asking and comparing."""
    from index.manifest import read_manifest

    read_manifest(kb)  # A missing base is said here, in one line, rather than in the browser.
    os.environ["DOBAE_KB"] = str(kb.resolve())
    from streamlit.web import cli

    page = Path(__file__).resolve().parent.parent / "app" / "main.py"
    options = {
        "server.port": port,
        "server.headless": str(headless).lower(),
        "server.address": "127.0.0.1",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "viewer",
        # Streamlit's own colours leave small grey text and red buttons below the contrast people need (WCAG AA).
        "theme.light.textColor": "#0b0c10",
        "theme.light.primaryColor": "#0f766e",
        "theme.dark.primaryColor": "#2dd4bf",
    }
    cli.main(["run", str(page), *(f"--{name}={value}" for name, value in options.items())], standalone_mode=False)
