"""Encoding speed of Twindex and of plain sentence-transformers, on the same texts.

Rounds are interleaved. The figures are medians of wall-clock seconds and of CPU seconds. The
library runs at several batch sizes and the best one counts. Beside each speed is the loss: the
largest difference from the library's values, and with --quality the nDCG@10 of an exact search.

    python benchmarks/run.py encode
    python benchmarks/run.py encode --corpus DATA/scifact --quality DATA/cranfield
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
import transformers
from common.datasets import DATA
from scipy.sparse import csr_array

from twindex.encoders import DenseEncoderConfig, Encoder, SparseEncoderConfig, load_encoder
from twindex.llm import find_weights

CONFIGS: dict[str, DenseEncoderConfig | SparseEncoderConfig] = {
    "dense": DenseEncoderConfig(device="cpu"),
    "sparse": SparseEncoderConfig(device="cpu"),
}
Matrix = Any
Run = Callable[[Sequence[str]], Matrix]


def read(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for _, line in zip(range(limit or 10**9), lines, strict=False)]


def text_of(row: dict[str, Any]) -> str:
    return f"{row.get('title', '')} {row['text']}".strip()


def library(kind: str, name: str, size: int) -> Run:
    """Encode with plain sentence-transformers and one batch size."""
    import sentence_transformers

    options: dict[str, Any] = {"device": "cpu", "local_files_only": True}
    model = getattr(sentence_transformers, kind)(str(find_weights(name)), **options)
    return lambda texts: model.encode(list(texts), batch_size=size, show_progress_bar=False)


def ours(encoder: Encoder) -> Run:
    def run(texts: Sequence[str]) -> Matrix:
        given = encoder.encode(texts, role="document")
        return given.sparse if given.dense is None else given.dense

    return run


def as_array(matrix: Matrix) -> Matrix:
    """Convert the library's output to a NumPy array or a CSR matrix."""
    if isinstance(matrix, torch.Tensor):
        return csr_array(matrix.to_dense().numpy())
    return matrix


def difference(left: Matrix, right: Matrix) -> float:
    return float(abs(as_array(left) - as_array(right)).max())


def ndcg(run: Run, folder: Path) -> float:
    """Compute nDCG@10 of an exact inner-product search over a collection in BEIR layout."""
    import ir_measures

    documents, queries = read(folder / "corpus.jsonl"), read(folder / "queries.jsonl")
    qrels = [
        ir_measures.Qrel(query, document, int(grade))
        for query, document, grade in (
            line.split("\t") for line in (folder / "qrels/test.tsv").read_text().splitlines()[1:]
        )
    ]
    judged = {qrel.query_id for qrel in qrels}
    queries = [query for query in queries if query["_id"] in judged]
    rows = as_array(run([text_of(document) for document in documents]))
    scores = as_array(run([query["text"] for query in queries])) @ rows.T
    scores = scores.toarray() if isinstance(scores, csr_array) else scores
    found = [
        ir_measures.ScoredDoc(query["_id"], documents[place]["_id"], float(row[place]))
        for query, row in zip(queries, scores, strict=True)
        for place in np.argsort(-row, kind="stable")[:10]
    ]
    measure = ir_measures.nDCG @ 10
    return float(ir_measures.calc_aggregate([measure], qrels, found)[measure])


def measure(runs: dict[str, Run], texts: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    for run in runs.values():
        run(texts[:8])
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            wall, cpu = perf_counter(), process_time()
            run(texts)
            times[name].append((perf_counter() - wall, process_time() - cpu))
    return {
        name: {
            "texts_per_second": len(texts) / median(wall for wall, _ in found),
            "cpu_seconds": median(cpu for _, cpu in found),
        }
        for name, found in times.items()
    }


def compare(
    kind: str,
    name: str,
    encoders: dict[str, Encoder],
    texts: Sequence[str],
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    peers = {f"library, batch {size}": library(kind, name, size) for size in arguments.batch}
    runs = {**peers, **{label: ours(encoder) for label, encoder in encoders.items()}}
    report: dict[str, Any] = measure(runs, texts, arguments.rounds)
    best = max(peers, key=lambda label: report[label]["texts_per_second"])
    sample = texts[:: max(1, len(texts) // 64)]
    reference = peers[best](sample)
    for label, row in report.items():
        row["speed_ratio"] = row["texts_per_second"] / report[best]["texts_per_second"]
        row["cpu_ratio"] = report[best]["cpu_seconds"] / row["cpu_seconds"]
        row["largest_difference"] = difference(runs[label](sample), reference)
    if arguments.quality is not None:
        for label in (best, *encoders):
            report[label]["ndcg@10"] = ndcg(runs[label], arguments.quality)
    return report


def show(title: str, report: dict[str, Any]) -> None:
    print(f"\n{title}")
    print(
        f"{'':24}{'texts/s':>10}{'ratio':>8}{'CPU s':>9}{'ratio':>8}{'max diff':>11}{'nDCG@10':>9}"
    )
    for label, row in report.items():
        quality = f"{row['ndcg@10']:9.4f}" if "ndcg@10" in row else ""
        print(
            f"{label:24}{row['texts_per_second']:10.1f}{row['speed_ratio']:8.2f}"
            f"{row['cpu_seconds']:9.2f}{row['cpu_ratio']:8.2f}{row['largest_difference']:11.1e}{quality}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--corpus", type=Path, default=DATA / "scifact", help="folder in BEIR layout"
    )
    parser.add_argument("--documents", type=int, default=64)
    parser.add_argument("--queries", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--kind", choices=["dense", "sparse"], nargs="+", default=["dense", "sparse"]
    )
    parser.add_argument("--quality", type=Path, help="a collection for nDCG@10; slow")
    parser.add_argument("--json", type=Path, help="write the report to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    transformers.utils.logging.disable_progress_bar()

    texts = [text_of(row) for row in read(arguments.corpus / "corpus.jsonl", arguments.documents)]
    texts += [row["text"] for row in read(arguments.corpus / "queries.jsonl", arguments.queries)]
    report: dict[str, Any] = {"texts": len(texts), "threads": arguments.threads}
    report["quality"] = arguments.quality and arguments.quality.name
    peers = {"dense": "SentenceTransformer", "sparse": "SparseEncoder"}
    for kind in arguments.kind:
        config = CONFIGS[kind]
        encoders = {
            "twindex": load_encoder(config),
            "twindex, bfloat16": load_encoder(config.model_copy(update={"precision": "bfloat16"})),
        }
        report[kind] = compare(peers[kind], config.model, encoders, texts, arguments)
        show(f"{kind}: {config.model}", report[kind])
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
