"""BM25 search time of Twindex, bm25s and tantivy on real passages.

    python benchmarks/run.py lexical --passages 200000

The passages are the RFCs, cut by words into the requested number of pieces. A query is three to
eight neighbouring words of a passage, drawn with a seed. All systems get the same analysed terms.

The time is CPU time of single queries. It includes everything that a search needs, and for Twindex
also the statistics. Agreement is the share of Twindex's top 10 that the other system returns too.
Tantivy has fixed values of k1 and b, and rounds the lengths of passages.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import bm25s
import numpy as np
from common.datasets import DATA, corpus_texts, json_lines, query_texts
from common.timing import cpu_per_query, table

from twindex.core import Representation
from twindex.encoders import LexicalEncoder
from twindex.index import LexicalLeg
from twindex.index.inverted.lexical import LexicalSegment

Counts = Mapping[str, int]
LEG = LexicalLeg()
WORD = re.compile(r"[A-Za-z]{3,}")


def rfc_passages(path: Path, wanted: int) -> list[str]:
    """Cut all documents into about `wanted` passages with the same number of words."""
    documents = [document["text"].split() for document in json_lines(path)]
    size = max(1, sum(map(len, documents)) // wanted)
    passages = [
        " ".join(words[start : start + size])
        for words in documents
        for start in range(0, len(words), size)
    ]
    return passages[:wanted]


def draw_queries(passages: Sequence[str], count: int, seed: int) -> list[str]:
    """Draw queries: three to eight neighbouring words of random passages."""
    rng = random.Random(seed)
    drawn: list[str] = []
    while len(drawn) < count:
        words, length = WORD.findall(rng.choice(passages)), rng.randint(3, 8)
        if len(words) >= length:
            start = rng.randrange(len(words) - length + 1)
            drawn.append(" ".join(words[start : start + length]))
    return drawn


def spelled_out(counts: Counts) -> list[str]:
    return [term for term, count in counts.items() for _ in range(count)]


def bm25s_index(documents: Sequence[Counts], backend: str) -> Any:
    index = bm25s.BM25(method="lucene", k1=LEG.k1, b=LEG.b, backend=backend)
    index.index([spelled_out(counts) for counts in documents], show_progress=False)
    return index


def bm25s_search(index: Any, queries: Sequence[list[str]], k: int) -> Callable[[int], Any]:
    def search(query: int) -> Sequence[int]:
        found = index.retrieve([queries[query]], k=k, show_progress=False, n_threads=0)
        return found.documents[0]

    return search


def tantivy_searcher(documents: Sequence[Counts], folder: Path) -> Any:
    """A search of a tantivy index whose tokens are the given terms; None without tantivy."""
    try:
        import tantivy
    except ImportError:
        return None
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("terms", tokenizer_name="whitespace")
    builder.add_unsigned_field("row", stored=False, fast=True)
    index = tantivy.Index(builder.build(), path=str(folder))
    writer = index.writer(heap_size=500_000_000, num_threads=1)
    for row, counts in enumerate(documents):
        document = tantivy.Document()
        document.add_text("terms", " ".join(spelled_out(counts)))
        document.add_unsigned("row", row)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return tantivy, index, index.searcher()


def tantivy_search(
    tantivy: Any, index: Any, searcher: Any, queries: Sequence[list[str]], k: int
) -> Callable[[int], Any]:
    def search(query: int) -> Any:
        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(index.schema, "terms", term))
            for term in queries[query]
        ]
        return searcher.search(tantivy.Query.boolean_query(terms), k, count=False).hits

    return search


def agreement(ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> float:
    return float(
        np.mean([len(set(a) & set(b)) / max(1, len(a)) for a, b in zip(ours, theirs, strict=True)])
    )


def scifact_difference(folder: Path, encoder: LexicalEncoder) -> float:
    """The largest score difference between Twindex and bm25s, over all SciFact queries."""
    documents = encoder.encode(corpus_texts(folder), role="document").terms
    peer = bm25s_index(documents, "numpy")
    worst = 0.0
    with TemporaryDirectory() as directory:
        LexicalSegment.build(Path(directory), Representation(terms=documents), LEG)
        part = LexicalSegment.open(Path(directory), LEG)
        for counts in encoder.encode(query_texts(folder), role="query").terms:
            ranking = part.search(Representation(terms=[counts]), len(part), None)
            ours = np.zeros(len(part))
            found = ranking.rows[0] >= 0
            ours[ranking.rows[0][found]] = ranking.scores[0][found]
            known = [term for term in spelled_out(counts) if term in peer.vocab_dict]
            theirs = peer.get_scores(known) if known else np.zeros(len(part))
            worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    encoder = LexicalEncoder()
    passages = rfc_passages(arguments.data / "rfc" / "corpus.jsonl.gz", arguments.passages)
    documents = encoder.encode(passages, role="document").terms
    asked = encoder.encode(
        draw_queries(passages, arguments.queries, arguments.seed), role="query"
    ).terms
    asked = [counts for counts in asked if counts]
    queries = [Representation(terms=[counts]) for counts in asked]
    tokens = [spelled_out(counts) for counts in asked]
    print(f"{len(documents):,} passages, {len(queries)} queries")

    results: list[dict[str, Any]] = []
    with TemporaryDirectory() as directory, TemporaryDirectory() as other:
        began = process_time()
        LexicalSegment.build(Path(directory), Representation(terms=documents), LEG)
        build_seconds = process_time() - began
        part = LexicalSegment.open(Path(directory), LEG)
        size = sum(file.stat().st_size for file in Path(directory).iterdir())
        postings = [
            sum(part.statistics(query, None).document_frequency.values()) for query in queries
        ]
        peers = {backend: bm25s_index(documents, backend) for backend in ("numpy", "numba")}
        tantivy = tantivy_searcher(documents, Path(other))

        for k in (10, 1000):
            depth = min(k, len(documents))

            def ours(query: int, k: int = depth) -> Any:
                statistics = part.statistics(queries[query], None)
                return part.search(queries[query], k, None, statistics).rows[0]

            systems: dict[str, Callable[[int], Any]] = {"twindex": ours}
            for backend, index in peers.items():
                systems[f"bm25s ({backend})"] = bm25s_search(index, tokens, depth)
            if tantivy is not None:
                systems["tantivy"] = tantivy_search(*tantivy, tokens, depth)
            times = cpu_per_query(systems, dict.fromkeys(systems, len(queries)), arguments.rounds)
            top = [[row for row in ours(query)[:10] if row >= 0] for query in range(len(queries))]
            for name, search in systems.items():
                found = [search(query) for query in range(len(queries))]
                if name == "tantivy":
                    addresses = [address for hits in found for _, address in hits[:10]]
                    rows = iter(_rows_of(tantivy[2], addresses))
                    found = [[next(rows) for _ in hits[:10]] for hits in found]
                results.append(
                    {
                        "system": name,
                        "k": k,
                        "us CPU/query": times[name],
                        "times ours": times[name] / times["twindex"],
                        "top-10 agreement": agreement(top, [list(f[:10]) for f in found]),
                    }
                )
    print(table(results))
    difference = scifact_difference(arguments.data / "scifact", encoder)
    summary = {
        "passages": len(documents),
        "queries": len(queries),
        "postings_per_query": float(np.mean(postings)),
        "build_cpu_seconds": build_seconds,
        "bytes": size,
        "scifact_largest_difference_from_bm25s": difference,
        "results": results,
    }
    print(
        f"{summary['postings_per_query']:,.0f} postings a query; build {build_seconds:.1f} s CPU; "
        f"{size / 1e6:.1f} MB; SciFact scores differ from bm25s by at most {difference:.1e}"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(summary, indent=1) + "\n")


def _rows_of(searcher: Any, addresses: Sequence[Any]) -> list[int]:
    return [int(row) for row in searcher.fast_field_values("row", addresses)]


if __name__ == "__main__":
    main()
