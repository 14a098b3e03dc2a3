"""`dobae search`: finds the most similar questions, without any language model."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ui.cli.options import (
    DEFAULT_KB,
    BatchOption,
    DeviceOption,
    EncoderOption,
    ExampleOption,
    JsonOption,
    KbOption,
    TopKOption,
    open_retriever,
)

BATCH = 256
"""Questions of a file searched together: enough for the encoder, and results appear while the rest is worked on."""


def search(
    question: Annotated[str | None, typer.Argument(help="The question.", show_default=False)] = None,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="File of questions: CSV with 질문 or question, or one a line.")
    ] = None,
    kb: KbOption = DEFAULT_KB,
    top_k: TopKOption = 3,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    batch_size: BatchOption = 32,
    example: ExampleOption = "medoid",
    no_split: Annotated[bool, typer.Option("--no-split", help="Search for the whole text as one question.")] = False,
    no_lexical: Annotated[bool, typer.Option("--no-lexical", help="Rank by the encoder alone.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find the questions most similar to QUESTION, or to each line of --queries FILE."""
    from dataclasses import replace

    from data.errors import InputError
    from data.queries import read_questions
    from data.text import check_question

    if (question is None) == (queries is None):
        raise InputError("give either a QUESTION or --queries FILE")
    questions = [check_question(question)] if question is not None else read_questions(queries or Path())

    from rag.search import search_questions

    retriever = open_retriever(kb, encoder, device, batch_size, example)
    retriever.settings = replace(retriever.settings, lexical=not no_lexical)
    for start in range(0, len(questions), BATCH):
        chunk = questions[start : start + BATCH]
        for result in search_questions(retriever, chunk, top_k=top_k, split=not no_split):
            if as_json:
                typer.echo(json.dumps(result.to_json(), ensure_ascii=False))
            else:
                from ui.cli.render import print_search

                print_search(result)
