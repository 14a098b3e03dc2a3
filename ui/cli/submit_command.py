"""`dobae submit`: answers a DACON test file and writes the submission."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.generators.base import DEFAULT_MAX_NEW_TOKENS
from ui.cli.ask_command import DEFAULT_GENERATOR
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
    from typing import Any


def submit(
    test: Annotated[Path, typer.Argument(metavar="TEST.csv", help="CSV with id and 질문.")],
    out: Annotated[
        Path, typer.Option("--out", help="The submission; the answers are saved beside it, and continued if there.")
    ],
    kb: KbOption = DEFAULT_KB,
    generator: Annotated[
        str, typer.Option("--generator", envvar="DOBAE_GENERATOR", help="As for `dobae ask`.")
    ] = DEFAULT_GENERATOR,
    adapter: Annotated[
        str | None,
        typer.Option("--adapter", help="Directory of a PEFT adapter; none: the model as it comes."),
    ] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="Address of a server for PROVIDER:MODEL.")] = None,
    quantization: Annotated[str | None, typer.Option("--quantization", help="nf4: 4 bits (CUDA).")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Device of a local model: cpu, cuda, ...")] = None,
    top_k: TopKOption = 3,
    example: ExampleOption = "medoid",
    encoder: EncoderOption = None,
    batch_size: BatchOption = 32,
    metric_encoder: Annotated[
        str,
        typer.Option(
            "--metric-encoder", help="auto, distiluse, proxy, or a sentence-transformers model by name or path."
        ),
    ] = "auto",
    allow_proxy: Annotated[
        bool, typer.Option("--allow-proxy", help="Write with another encoder than DACON's; the file's name says so.")
    ] = False,
    max_new_tokens: MaxNewTokensOption = DEFAULT_MAX_NEW_TOKENS,
    as_json: JsonOption = False,
) -> None:
    """Answer TEST.csv and write a DACON submission: id, vec_0 ... vec_511."""
    from data.errors import InputError
    from rag.evaluation.metric_encoders import make_metric_encoder
    from rag.evaluation.submission import read_test_questions, submission_path, write_submission
    from rag.generators.spec import make_generator
    from rag.pipeline import PipelineSettings, QAPipeline
    from ui.cli.answer_file import AnswerFile
    from ui.cli.answer_settings import answer_settings

    questions = read_test_questions(test)
    metric = make_metric_encoder(metric_encoder)
    target = submission_path(out, metric, allow_proxy=allow_proxy)
    beside = out.with_name(f"{out.stem}.answers.jsonl")
    if test.resolve() in (target.resolve(), beside.resolve()):
        raise InputError(f"{test}: holds the questions; name another file with --out")
    model = make_generator(generator, adapter=adapter, base_url=base_url, device=device, quantization=quantization)
    retriever = open_retriever(kb, encoder, None, batch_size, example)
    # A refusal scores nothing: every question is answered as well as can be.
    settings = PipelineSettings(top_k=top_k, refuse=False, max_new_tokens=max_new_tokens)
    pipeline = QAPipeline(retriever, model, settings)
    texts = [item.question for item in questions]
    settled = answer_settings(pipeline) | {"groups": retriever.base.store.state().content}
    settled |= {"base_url": base_url, "quantization": quantization}
    with AnswerFile(beside, texts, pipeline.generator.name, settled) as answers, progress_bar("answering") as progress:
        if answers.done:
            note(f"{beside}: {answers.done} of {len(texts)} questions are answered already")
        for number in range(answers.done, len(texts)):
            answers.append(pipeline.ask(texts[number]).to_json())
            progress(number + 1, len(texts))
    found = [_text_of(json.loads(line)) for line in beside.read_text("utf-8").splitlines()]
    borrowed = sum(taken for _, taken in found)
    if borrowed:
        note(f"{borrowed} questions had a part without an answer; its nearest stored answer was taken")
    with progress_bar("encoding answers") as progress:
        write_submission(target, questions, [text for text, _ in found], metric, progress)
    written = {
        "out": str(target),
        "answers_file": str(beside),
        "rows": len(questions),
        "encoder": metric.name,
        "proxy": metric.proxy,
        "borrowed": borrowed,
    }
    if as_json:
        typer.echo(json.dumps(written, ensure_ascii=False))
        return
    warning = "; NOT for DACON: another encoder" if metric.proxy else ""
    typer.echo(f"{target}: {len(questions):,} rows by {metric.name}{warning}; answers in {beside}")


def _text_of(answer: "dict[str, Any]") -> tuple[str, bool]:
    """Returns what is encoded for one answer, and whether some part of it had to be borrowed from a stored one."""
    from rag.citations import without_markers

    parts = []
    borrowed = False
    for part in answer["parts"]:
        text = "" if part["abstained"] else without_markers(part["answer"])
        if not text and part["hits"]:
            text, borrowed = part["hits"][0]["answer"], True
        parts.append(text)
    return " ".join(parts), borrowed
