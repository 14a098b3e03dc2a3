"""Answers and search results for a terminal."""

import sys

from rich.console import Console
from rich.text import Text

from data.catalog import message
from data.text import on_one_line, printable
from data.types import Hit, nearest_cosine
from rag.answer import Part
from rag.pipeline import AnswerEnded, PartEnded, PartStarted, QAPipeline, TextChunk
from rag.search import SearchResult


def print_search(result: SearchResult) -> None:
    """Prints the parts of a question and their hits."""
    console = _console()
    for part in result.parts:
        console.print(Text(part.text, style="bold"))
        for hit in part.hits:
            _print_source(console, hit)


def print_stream(pipeline: QAPipeline, question: str, *, live: bool) -> None:
    """Prints an answer as it is made, each part followed by the examples it cites.

    Args:
        pipeline: Answers the question.
        question: The question.
        live: Print text as it arrives; otherwise each part when it is whole.
    """
    console = _console()
    streamed = ""
    for event in pipeline.stream(question):
        if isinstance(event, PartStarted):
            heading = message("answer.part_heading", number=event.number, question=event.text)
            if event.text != question:
                console.print(Text(heading, style="bold"))
        elif isinstance(event, TextChunk) and live:
            streamed += event.text
            console.print(Text(printable(event.text)), end="")
        elif isinstance(event, PartEnded):
            if live:
                console.print()
            _end_part(console, event.part, shown=streamed.strip())
            streamed = ""
        elif isinstance(event, AnswerEnded):
            _print_footer(console, pipeline, event)


def _end_part(console: Console, part: Part, *, shown: str) -> None:
    # Where a model refused or said nothing, the explanation takes the place of what it streamed.
    if shown != part.answer:
        console.print(Text(printable(part.answer)))
    for sentence in part.sentences:
        if not sentence.supported:
            console.print(Text(printable(f"  ! {message('answer.unsupported')}: {sentence.text}"), style="yellow"))
    if part.unsure and not part.abstained:
        console.print(Text(f"  ! {message('answer.unsure', score=nearest_cosine(part.hits))}", style="yellow"))
    if not part.hits:
        return
    cited = [part.hits[citation.marker - 1] for citation in part.citations]
    console.print(Text(f"  {message('terminal.sources' if cited else 'terminal.nearest')}", style="dim"))
    for hit in cited or part.hits:
        _print_source(console, hit)
    console.print()


def _print_source(console: Console, hit: Hit) -> None:
    line = message(
        "terminal.source_line",
        marker=hit.rank,
        question=hit.question,
        score=hit.score,
        category=hit.group.category or message("terminal.no_category"),
        group_id=hit.group.id,
    )
    console.print(Text(printable(f"  {line}")))
    console.print(Text(printable(f"      {on_one_line(hit.answer)}"), style="dim"))


def _print_footer(console: Console, pipeline: QAPipeline, event: AnswerEnded) -> None:
    timings = event.answer.timings
    if pipeline.generator.name == "extractive":
        console.print(Text(message("terminal.extractive"), style="dim"))
    if pipeline.retriever is None:
        console.print(Text(message("terminal.no_retrieval"), style="yellow"))
    line = message("terminal.timings", search=timings.encode + timings.search, generate=timings.generate)
    console.print(Text(line, style="dim"))


def _console() -> Console:
    # A file or pipe gets whole lines; only a terminal is wrapped to its width.
    width = None if sys.stdout.isatty() else 10_000
    return Console(width=width, highlight=False, soft_wrap=True)
