"""Search time of learned sparse vectors in Twindex, scipy and seismic.

    python benchmarks/run.py sparse --passages 60000,200000

The default SPLADE encoder encodes the documents and queries of one collection. This takes minutes
at the first run; the vectors are stored in .cache. A collection of the requested size is made of
them: documents are drawn with replacement, and every weight is multiplied by a number close to one,
so that no two documents are equal. So posting lists are as long as in a real collection of that
size and kind, but the data are resampled, not new texts.

The time is CPU time of single queries. Twindex and scipy are exact. Seismic is approximate, and its
recall of the exact top 10 is shown beside its time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
from common.datasets import CACHE, DATA, corpus_texts, query_texts
from common.timing import cpu_per_query, table
from scipy.sparse import csr_array, load_npz, save_npz

from twindex.core import Representation
from twindex.encoders import SparseEncoderConfig
from twindex.index import SparseLeg
from twindex.index.inverted.sparse import SparseSegment

LEG = SparseLeg()
SEISMIC = {"query_cut": 20, "heap_factor": 0.8}
SLOW = 20
"""Queries a round for scipy, which needs milliseconds for each."""


def encoded(folder: Path) -> tuple[csr_array, csr_array]:
    """The vectors of the documents and of the queries of a collection."""
    files = [CACHE / f"splade-{folder.name}-{role}.npz" for role in ("document", "query")]
    if not all(file.exists() for file in files):
        from twindex.encoders import load_encoder

        encoder = load_encoder(SparseEncoderConfig())
        CACHE.mkdir(parents=True, exist_ok=True)
        for file, role, texts in zip(
            files, ("document", "query"), (corpus_texts(folder), query_texts(folder)), strict=True
        ):
            print(f"encoding {len(texts):,} texts ({role}) ...", flush=True)
            save_npz(file, encoder.encode(texts, role=role).sparse)
    documents, queries = (csr_array(load_npz(file)) for file in files)
    return documents, queries


def bootstrap(documents: csr_array, size: int, seed: int) -> csr_array:
    """Draw `size` documents with replacement, and vary their weights by about 10 %."""
    rng = np.random.default_rng(seed)
    drawn = documents[rng.integers(0, documents.shape[0], size)]
    drawn.data *= np.exp(rng.normal(0, 0.1, drawn.nnz)).astype(np.float32)
    return drawn


def scipy_search(
    documents: csr_array, queries: csr_array, k: int
) -> Callable[[int], Sequence[int]]:
    def search(query: int) -> Sequence[int]:
        scores = documents @ queries[[query]].toarray()[0]
        best = np.argpartition(scores, len(scores) - k)[len(scores) - k :]
        return best[np.argsort(-scores[best])].tolist()

    return search


def seismic_index(documents: csr_array) -> Any:
    """A seismic index of the documents; None without seismic."""
    try:
        import seismic
    except ImportError:
        return None
    kind = seismic.get_seismic_string()
    names = np.arange(documents.shape[1]).astype(kind)
    dataset = seismic.SeismicDataset()
    for row, (start, stop) in enumerate(pairwise(documents.indptr.tolist())):
        dataset.add_document(
            str(row), names[documents.indices[start:stop]], documents.data[start:stop]
        )
    return seismic.SeismicIndex.build_from_dataset(dataset, num_threads=1), names


def seismic_search(
    index: Any, names: Any, queries: csr_array, k: int
) -> Callable[[int], Sequence[int]]:
    asked = []
    for start, stop in pairwise(queries.indptr.tolist()):
        asked.append((names[queries.indices[start:stop]], queries.data[start:stop]))

    def search(query: int) -> Sequence[int]:
        terms, weights = asked[query]
        found = index.search(
            query_id="", query_components=terms, query_values=weights, k=k, **SEISMIC
        )
        return [int(document) for _, _, document in found]

    return search


def measure(
    documents: csr_array, queries: csr_array, rounds: int, *, seismic: bool
) -> dict[str, Any]:
    asked = [Representation(sparse=queries[[row]]) for row in range(queries.shape[0])]
    results = []
    with TemporaryDirectory() as directory:
        began = process_time()
        SparseSegment.build(Path(directory), Representation(sparse=documents), LEG)
        build_seconds = process_time() - began
        part = SparseSegment.open(Path(directory), LEG)
        size = sum(file.stat().st_size for file in Path(directory).iterdir())
        lengths = np.diff(np.load(Path(directory, "indptr.npy")))
        walked = float(np.mean([lengths[query.sparse.indices].sum() for query in asked]))
        peer = seismic_index(documents) if seismic else None

        worst = 0.0
        for query in asked[:SLOW]:
            ranking = part.search(query, 1000, None)
            exact = documents @ query.sparse.toarray()[0]
            worst = max(worst, float(np.abs(ranking.scores[0] - exact[ranking.rows[0]]).max()))

        for k in (10, 1000):

            def ours(query: int, k: int = k) -> Sequence[int]:
                return part.search(asked[query], k, None).rows[0]

            systems: dict[str, Callable[[int], Sequence[int]]] = {
                "twindex": ours,
                "scipy": scipy_search(documents, queries, k),
            }
            if peer is not None:
                systems["seismic"] = seismic_search(*peer, queries, k)
            counts = dict.fromkeys(systems, len(asked)) | {"scipy": SLOW}
            times = cpu_per_query(systems, counts, rounds)
            for name, search in systems.items():
                recall = [
                    len(set(list(search(query))[:10]) & set(ours(query)[:10].tolist())) / 10
                    for query in range(counts[name])
                ]
                results.append(
                    {
                        "documents": documents.shape[0],
                        "system": name,
                        "k": k,
                        "us CPU/query": times[name],
                        "times ours": times[name] / times["twindex"],
                        "top-10 agreement": float(np.mean(recall)),
                    }
                )
    return {
        "documents": documents.shape[0],
        "terms_per_document": documents.nnz / documents.shape[0],
        "terms_per_query": queries.nnz / queries.shape[0],
        "postings_per_query": walked,
        "build_cpu_seconds": build_seconds,
        "bytes": size,
        "largest_difference_from_scipy": worst,
        "results": results,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", default="60000,200000", help="sizes, comma-separated")
    parser.add_argument("--set", default="nq_open_oracle", help="name of the set to encode")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    documents, queries = encoded(arguments.data / arguments.set)
    queries = queries[: arguments.queries]
    summaries = []
    for index, size in enumerate(map(int, arguments.passages.split(","))):
        made = bootstrap(documents, size, arguments.seed)
        # Seismic's index of larger collections takes long to build, and its search is not exact.
        summary = measure(made, queries, arguments.rounds, seismic=index == 0)
        summaries.append(summary)
        print(
            f"\n{size:,} documents bootstrapped from {documents.shape[0]:,} of {arguments.set}: "
            f"{summary['terms_per_document']:.0f} terms a document, "
            f"{summary['terms_per_query']:.0f} a query, "
            f"{summary['postings_per_query']:,.0f} postings a query; "
            f"build {summary['build_cpu_seconds']:.1f} s CPU, {summary['bytes'] / 1e6:.0f} MB; "
            f"scores differ from scipy by at most {summary['largest_difference_from_scipy']:.1e}"
        )
        print(table(summary["results"]))
    if arguments.json:
        report = {"set": arguments.set, "seismic": SEISMIC, "sizes": summaries}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
