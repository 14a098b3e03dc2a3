"""`dobae ask`: answers a question with cited examples, or a whole file of them."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.generators.base import DEFAULT_MAX_NEW_TOKENS
from ui.cli.options import (
    DEFAULT_KB,
    BatchOption,
    EncoderOption,
    ExampleOption,
    JsonOption,
    KbOption,
    MaxNewTokensOption,
    TopKOption,
    open_retriever,
)
from ui.cli.progress import note, progress_bar

if TYPE_CHECKING:
    from rag.pipeline import QAPipeline

DEFAULT_GENERATOR = "extractive"


def ask(
    question: Annotated[str | None, typer.Argument(help="The question.", show_default=False)] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="File of questions: CSV with 질문 or question, or one a line.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="JSONL file for the answers to --questions; continued if it exists.")
    ] = None,
    kb: KbOption = DEFAULT_KB,
    no_retrieval: Annotated[bool, typer.Option("--no-retrieval", help="Pure generation, without examples.")] = False,
    generator: Annotated[
        str,
        typer.Option(
            "--generator",
            envvar="DOBAE_GENERATOR",
            help="extractive, smollm2, a Hugging Face name, a path, or PROVIDER:MODEL such as openai:gpt-4o-mini.",
        ),
    ] = DEFAULT_GENERATOR,
    adapter: Annotated[
        str | None,
        typer.Option("--adapter", help="Directory of a PEFT adapter; none: the model as it comes."),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="Address of an OpenAI-compatible server for PROVIDER:MODEL.")
    ] = None,
    quantization: Annotated[
        str | None, typer.Option("--quantization", help="nf4: load the model in 4 bits (CUDA).")
    ] = None,
    quote: Annotated[
        bool | None,
        typer.Option(
            "--quote/--free",
            help="A local model answers by quoting examples whole, or in its own words. "
            "smollm2 with its adapter quotes by default.",
        ),
    ] = None,
    top_k: TopKOption = 3,
    device: Annotated[str | None, typer.Option("--device", help="Device of a local model: cpu, cuda, ...")] = None,
    encoder: EncoderOption = None,
    encoder_device: Annotated[
        str | None, typer.Option("--encoder-device", help="Device of a sentence-transformers encoder.")
    ] = None,
    batch_size: BatchOption = 32,
    example: ExampleOption = "medoid",
    no_split: Annotated[bool, typer.Option("--no-split", help="Answer the whole text as one question.")] = False,
    max_new_tokens: MaxNewTokensOption = DEFAULT_MAX_NEW_TOKENS,
    as_json: JsonOption = False,
) -> None:
    """Answer QUESTION, or each question of --questions FILE, with cited examples."""
    from data.errors import InputError
    from data.queries import read_questions
    from data.text import check_question

    if (question is None) == (questions is None):
        raise InputError("give either a QUESTION or --questions FILE")
    if (questions is None) != (out is None):
        raise InputError("--questions FILE and --out FILE go together")
    if questions is not None and out is not None and questions.resolve() == out.resolve():
        raise InputError(f"{out}: holds the questions; name another file with --out")
    single = check_question(question) if question is not None else None
    many = read_questions(questions) if questions is not None else []

    from rag.generators.spec import make_generator
    from rag.pipeline import PipelineSettings, QAPipeline

    model = make_generator(
        generator, adapter=adapter, base_url=base_url, device=device, quantization=quantization, quote=quote
    )
    retriever = None if no_retrieval else open_retriever(kb, encoder, encoder_device, batch_size, example)
    settings = PipelineSettings(top_k=top_k, split=not no_split, max_new_tokens=max_new_tokens)
    pipeline = QAPipeline(retriever, model, settings)
    if single is None:
        said = {"base_url": base_url, "quantization": quantization}
        _answer_file(pipeline, many, out or Path(), said, as_json)
    elif as_json:
        typer.echo(json.dumps(pipeline.ask(single).to_json(), ensure_ascii=False))
    else:
        from ui.cli.render import print_stream

        print_stream(pipeline, single, live=sys.stdout.isatty())


def _answer_file(
    pipeline: "QAPipeline", questions: list[str], out: Path, said: dict[str, str | None], as_json: bool
) -> None:
    """Answers questions into a file; `said` are options of the command that its answers depend on."""
    from ui.cli.answer_file import AnswerFile
    from ui.cli.answer_settings import answer_settings

    settings = answer_settings(pipeline) | said
    with (
        AnswerFile(out, questions, pipeline.generator.name, settings) as answers,
        progress_bar("answering") as progress,
    ):
        if answers.done:
            note(f"{out}: {answers.done} of {len(questions)} questions are answered already")
        for number in range(answers.done, len(questions)):
            answers.append(pipeline.ask(questions[number]).to_json())
            progress(number + 1, len(questions))
    if as_json:
        typer.echo(json.dumps({"out": str(out), "answers": len(questions)}, ensure_ascii=False))
    else:
        typer.echo(f"{out}: {len(questions)} answers")
