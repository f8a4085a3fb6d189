"""nDCG@10 of vectors in fewer bytes, relative to float32, on BEIR-style collections.

    python benchmarks/run.py storage

Every codec is measured with every projection, in two ways:

- as Twindex stores vectors: projected about the origin, with their lengths restored, and queries in
  float32;
- as in the paper that proposed float8 for retrieval
  (https://github.com/Napuh/rag-embedding-storage-optimization): query and documents cast without
  scaling, uint8 codes used as numbers, bits used as 0 and 1, principal components about the mean.

All are scored by cosine. Nothing is rescored, so the figures show what the codes alone find. Recall
is the share of the top 10 of float32 that is found. p is that of a paired randomisation test over
the queries, against float32. At the end, three statements of the paper are checked against the
figures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from common.datasets import CACHE, DATA
from common.timing import table
from numpy.typing import NDArray
from sentence_transformers.util import quantize_embeddings

from twindex.encoders import DenseEncoderConfig, Encoder, load_encoder
from twindex.eval import BeirDataset, compare, evaluate
from twindex.index import Int8Codec, ProjectionConfig, ScalarCodec
from twindex.index.codecs.projection import Projection

SETS = "cranfield,nq_open_oracle,cisi"
SHARES = (1.0, 0.75, 0.5, 0.25)
MEASURE = "nDCG@10"
K = 10
SCALAR = ("float32", "float16", "bfloat16", "float8_e4m3", "float8_e5m2", "int4", "binary")
CODECS: dict[str, ScalarCodec | Int8Codec] = {
    **{kind: ScalarCodec(kind=kind) for kind in SCALAR},
    "int8": Int8Codec(),
    "int8 global": Int8Codec(scope="global"),
}
FAISS: dict[str, Callable[[int], Any]] = {
    "pq": lambda d: faiss.IndexPQ(d, d // 2, 4, faiss.METRIC_INNER_PRODUCT),
    "rabitq": lambda d: faiss.IndexRaBitQ(d, faiss.METRIC_INNER_PRODUCT),
    "rabitq 4 bit": lambda d: faiss.IndexRaBitQ(d, faiss.METRIC_INNER_PRODUCT, 4),
}

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Way:
    """A way to store vectors, and the scores that result: float32 [queries, documents]."""

    name: str
    share: float
    bytes: float
    scores: Vectors


def vectors(
    folder: Path, precision: str, encoder: Callable[[], Encoder]
) -> tuple[Vectors, Vectors, BeirDataset]:
    """Documents and queries of a set, encoded at the first run."""
    dataset = BeirDataset.open(folder)
    texts = {
        "document": [f"{d.title} {d.text}".strip() for d in dataset.documents()],
        "query": [query.text for query in dataset.queries],
    }
    found = {}
    for role in ("document", "query"):
        path = CACHE / f"minilm-{precision}-{folder.name}-{role}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, encoder().encode(texts[role], role=role).dense)
        found[role] = np.load(path)
        if len(found[role]) != len(texts[role]):
            raise SystemExit(f"{path} is of other texts: remove it")
    return found["document"], found["query"], dataset


def ours(documents: Vectors, queries: Vectors) -> Iterator[Way]:
    """The ways in which Twindex stores vectors."""
    for share in SHARES:
        short, wanted = documents, queries
        if share < 1:
            projection = Projection.fit(documents, ProjectionConfig(share=share))
            short, wanted = projection.apply(documents), projection.apply(queries)
        for name, config in CODECS.items():
            codec = config.fit(short)
            yield Way(name, share, codec.stride, codec.score(wanted, codec.encode(short)))
        for name, new in FAISS.items():
            index = new(short.shape[1])
            index.train(short)
            index.add(short)
            scores = np.full((len(queries), len(documents)), -np.inf, np.float32)
            values, rows = index.search(wanted, K)
            np.put_along_axis(scores, rows, values, axis=1)
            yield Way(name, share, index.code_size, scores)


def papers(documents: Vectors, queries: Vectors) -> Iterator[Way]:
    """The ways in which the paper stores vectors, and its projection without restored lengths."""
    for share in SHARES:
        short, wanted = documents, queries
        if share < 1:
            mean = documents.mean(axis=0)
            axes = np.linalg.svd(documents - mean, full_matrices=False)[2]
            axes = axes[: round(documents.shape[1] * share)]
            short, wanted = (documents - mean) @ axes.T, (queries - mean) @ axes.T
            width = short.shape[1]
            yield Way("float32, centred, dot product", share, 4 * width, wanted @ short.T)
        for name, (per_value, cast) in CASTS.items():
            left, right = cast(wanted, short), cast(short, short)
            yield Way(f"paper's {name}", share, per_value * short.shape[1], cosine(left, right))


def float8(kind: torch.dtype) -> Callable[[Vectors, Vectors], Vectors]:
    """Cast to float8 without scaling."""
    return lambda values, fitted: torch.from_numpy(values).to(kind).float().numpy()


def uint8(values: Vectors, fitted: Vectors) -> Vectors:
    """The uint8 codes of sentence-transformers, used as numbers."""
    ranges = np.stack([fitted.min(axis=0), fitted.max(axis=0)])
    return quantize_embeddings(values, precision="uint8", ranges=ranges).astype(np.float32)


CASTS: dict[str, tuple[float, Callable[[Vectors, Vectors], Vectors]]] = {
    "float32": (4, lambda values, fitted: values),
    "float8_e4m3": (1, float8(torch.float8_e4m3fn)),
    "float8_e5m2": (1, float8(torch.float8_e5m2)),
    "int8": (1, uint8),
    "binary": (1 / 8, lambda values, fitted: (values > 0).astype(np.float32)),
}
"""Bytes a number, and what query and documents become, given the documents."""


def cosine(left: Vectors, right: Vectors) -> Vectors:
    left, right = (v / np.maximum(np.linalg.norm(v, axis=1)[:, None], 1e-9) for v in (left, right))
    return left @ right.T


def best(scores: Vectors) -> NDArray[np.int64]:
    """The K best documents of each query, best first; ties are ordered by number."""
    rows = np.sort(np.argpartition(-scores, K, axis=1)[:, :K], axis=1)
    order = np.argsort(-np.take_along_axis(scores, rows, axis=1), axis=1, kind="stable")
    return np.take_along_axis(rows, order, axis=1)


def measured(ways: Iterator[Way], dataset: BeirDataset) -> list[dict[str, Any]]:
    """A row for each way; the first of them is what the others are compared with."""
    names, rows = [document.id for document in dataset.documents()], list[dict[str, Any]]()
    for way in ways:
        found = best(way.scores)
        run = {
            query.id: {names[row]: float(K - place) for place, row in enumerate(line)}
            for query, line in zip(dataset.queries, found, strict=True)
        }
        values = evaluate(run, dataset.qrels, [MEASURE]).per_query[MEASURE]
        if not rows:
            exact, reference = found, values
        same = [len(set(one) & set(other)) for one, other in zip(exact, found, strict=True)]
        ndcg = float(np.mean(list(values.values())))
        rows.append(
            {
                "name": way.name,
                "share": way.share,
                "bytes": way.bytes,
                "ndcg": ndcg,
                "relative": ndcg / float(np.mean(list(reference.values()))),
                "recall": float(np.mean(same)) / K,
                "p": compare(values, reference).p_value,
                "per_query": values,
            }
        )
    return rows


def averaged(sets: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Means over the sets, one row for each way."""
    rows = []
    for places in zip(*sets.values(), strict=True):
        row = {key: places[0][key] for key in ("name", "share", "bytes")}
        for key in ("ndcg", "relative", "recall"):
            row[key] = float(np.mean([place[key] for place in places]))
        row["sets with p < .05"] = sum(place["p"] < 0.05 for place in places)
        rows.append(row)
    return rows


def shown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table."""
    whole = rows[0]["bytes"]
    return table(
        [
            {
                "stored as": row["name"],
                "PCA": f"{row['share']:.0%}" if row["share"] < 1 else "-",
                "bytes": f"{row['bytes']:.0f}",
                "smaller": f"{whole / row['bytes']:.1f}x",
                MEASURE: f"{row['ndcg']:.4f}",
                "relative": f"{row['relative']:.2%}",
                "recall": f"{row['recall']:.4f}",
                **({"p": f"{row['p']:.4f}"} if "p" in row else {}),
                **{key: row[key] for key in row if key.startswith("sets")},
            }
            for row in rows
        ]
    )


def at(rows: Sequence[Mapping[str, Any]], name: str, share: float) -> Mapping[str, Any]:
    return next(row for row in rows if (row["name"], row["share"]) == (name, share))


PAIRS = [
    ("PCA 50 % + float8 at 8x beats int8 at 4x", ("float8_e4m3", 0.5), ("int8", 1.0)),
    ("float8 beats int8", ("float8_e4m3", 1.0), ("int8", 1.0)),
]


def verdicts(
    sets: Mapping[str, Sequence[dict[str, Any]]], mean: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The paper's statements, with its own ways, with Twindex's, and with one of each."""
    found: list[dict[str, Any]] = []
    groups: dict[str, Sequence[Mapping[str, Any]]] = {**sets, "mean": mean}
    for way in ("paper's ", ""):
        statement = f"float8 loses under 0.3 % at 4x ({way or 'our '}float8)"
        for name, rows in groups.items():
            lost = 1 - at(rows, f"{way}float8_e4m3", 1.0)["relative"]
            row = {"statement": statement, "set": name, "holds": lost < 0.003, "lost": lost}
            found.append(row)
    for statement, (left, left_share), (right, right_share) in PAIRS:
        for ways in (("paper's ", "paper's "), ("paper's ", ""), ("", "")):
            full = f"{statement} ({ways[0] or 'our '}float8, {ways[1] or 'our '}int8)"
            for name, rows in groups.items():
                a = at(rows, ways[0] + left, left_share)
                b = at(rows, ways[1] + right, right_share)
                row = {"statement": full, "set": name, "holds": a["relative"] > b["relative"]}
                row |= {"left": a["relative"], "right": b["relative"]}
                if "per_query" in a:
                    row["p"] = compare(a["per_query"], b["per_query"]).p_value
                found.append(row)
    return found


def in_words(row: Mapping[str, Any]) -> str:
    """The numbers of a verdict."""
    if "lost" in row:
        return f"loses {row['lost']:.2%}"
    p_value = f", p {row['p']:.3f}" if "p" in row else ""
    return f"{row['left']:.2%} against {row['right']:.2%}{p_value}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--sets", default=SETS, help="names of sets, comma-separated")
    parser.add_argument("--precision", default="bfloat16", help="of the encoder")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    loaded: list[Encoder] = []

    def encoder() -> Encoder:
        if not loaded:
            loaded.append(load_encoder(DenseEncoderConfig(precision=arguments.precision)))
        return loaded[0]

    sets = {}
    for name in arguments.sets.split(","):
        documents, queries, dataset = vectors(arguments.data / name, arguments.precision, encoder)
        ways = (way for group in (ours, papers) for way in group(documents, queries))
        sets[name] = measured(ways, dataset)
        print(f"\n{name}: {len(documents):,} documents, {len(queries):,} queries")
        print(shown(sets[name]), flush=True)
    mean = averaged(sets)
    print(f"\nmean of {len(sets)} sets\n{shown(mean)}\n")
    judged = verdicts(sets, mean)
    for row in judged:
        print(f"{row['statement']}, {row['set']}: {row['holds']}, {in_words(row)}")
    if arguments.json:
        whole = {
            name: {"queries": len(rows[0]["per_query"]), "float32": rows[0]["ndcg"]}
            for name, rows in sets.items()
        }
        told = {"precision": arguments.precision, "sets": whole}
        figures = {**told, "mean": mean, "verdicts": judged}
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
