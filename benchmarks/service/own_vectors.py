"""Vectors that were made elsewhere: build from NumPy and Parquet files, export, equal hits.

    python benchmarks/run.py own_vectors --documents 100000 --dimensions 384

Each step is a process of its own. The figures are its time and the peak memory that the operating
system counts for it. Peers write the same vectors without documents: `numpy.save` in blocks, and a
flat FAISS index. Search results must be equal to those of a collection that gets the same vectors
from an encoder, and an export of an imported export must have the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from common.commands import measure

BLOCK = 10_000
QUERIES = 200


def make(folder: Path, documents: int, dimensions: int) -> None:
    """Write documents.jsonl, and random unit vectors as vectors.npy and vectors.parquet.

    It runs in a process of its own: the peak memory of a step includes that of the process that
    starts it.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    vectors = np.lib.format.open_memmap(
        folder / "vectors.npy", "w+", np.float32, (documents, dimensions)
    )
    schema = arrow.schema([("embedding", arrow.list_(arrow.float32(), dimensions))])
    with (
        (folder / "documents.jsonl").open("wb") as lines,
        parquet.ParquetWriter(folder / "vectors.parquet", schema) as table,
    ):
        for first in range(0, documents, BLOCK):
            count = min(BLOCK, documents - first)
            block = rng.normal(size=(count, dimensions)).astype(np.float32)
            block /= np.linalg.norm(block, axis=1, keepdims=True)
            vectors[first : first + count] = block
            column = arrow.FixedSizeListArray.from_arrays(arrow.array(block.ravel()), dimensions)
            table.write_table(arrow.table([column], schema=schema))
            for number in range(first, first + count):
                line = {"id": str(number), "text": f"document {number}"}
                lines.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    vectors.flush()


def numpy_write(folder: Path) -> None:
    """Peer: copy the vectors in blocks."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    with (folder / "numpy.out").open("wb") as file:
        for first in range(0, len(vectors), BLOCK):
            np.asarray(vectors[first : first + BLOCK]).tofile(file)
        os.fsync(file.fileno())


def faiss_write(folder: Path) -> None:
    """Peer: add the vectors to a flat FAISS index in memory and write it."""
    import faiss

    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    index = faiss.IndexFlatIP(vectors.shape[1])
    for first in range(0, len(vectors), BLOCK):
        index.add(np.asarray(vectors[first : first + BLOCK]))
    faiss.write_index(index, str(folder / "faiss.out"))


class Lookup:
    """An encoder that returns the row of `vectors.npy` that a text names."""

    gives = frozenset({"dense"})
    reader = None

    def __init__(self, folder: Path) -> None:
        self._vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        self.fingerprint = {"kind": "lookup"}

    def encode(self, texts: Any, *, role: str, advance: Any = None) -> Any:
        from twindex.core import Representation

        rows = [int(text.rpartition(" ")[2]) if text[-1:].isdigit() else 0 for text in texts]
        if advance is not None:
            advance(len(texts))
        return Representation(dense=np.ascontiguousarray(self._vectors[rows]))


def encoder_build(folder: Path) -> None:
    """Build a collection whose encoder returns the same vectors."""
    from twindex.encoders import DenseEncoderConfig
    from twindex.index import CollectionConfig, DenseLeg
    from twindex.search import build
    from twindex.sources import read_documents

    config = CollectionConfig(legs={"dense": DenseLeg(encoder=DenseEncoderConfig(model="lookup"))})
    encoder = Lookup(folder)
    documents = read_documents(folder / "documents.jsonl")
    build(folder / "encoder", documents, config, encoders=lambda config: encoder)


def compare(folder: Path) -> None:
    """Print the number of queries with equal hits and scores in both collections."""
    from twindex.search import Collection

    rng = np.random.default_rng(1)
    encoder, equal = Lookup(folder), 0
    with (
        Collection.open(folder / "npy", verify="size") as own,
        Collection.open(folder / "encoder", verify="size", encoders=lambda config: encoder) as same,
    ):
        width = own.config.legs["dense"].encoder.dimensions
        for query in rng.normal(size=(QUERIES, width)).astype(np.float32):
            request = {"vectors": {"dense": query}, "limit": 10, "include": []}
            one, other = own.search(request), same.search(request)
            equal += [(h.id, h.score) for h in one.hits] == [(h.id, h.score) for h in other.hits]
    print(json.dumps({"queries": QUERIES, "equal": equal}))


WORKERS = {one.__name__: one for one in (numpy_write, faiss_write, encoder_build, compare)}


def size_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        digest = sha256()
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        found[path.name] = digest.hexdigest()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--work", type=Path, help="folder for the files; default a temporary one")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--worker", choices=["make", *WORKERS], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker == "make":
        make(arguments.work, arguments.documents, arguments.dimensions)
        return
    if arguments.worker:
        WORKERS[arguments.worker](arguments.work)
        return
    work = Path(tempfile.mkdtemp(dir=arguments.work))
    twindex = [sys.executable, "-m", "twindex.api.cli.main"]

    def build(name: str, documents: Path, vectors: Path) -> list[str]:
        legs = ["--encoder", "external:random", "--sparse", "none", "--lexical", "none"]
        source = ["--documents", str(documents), "--vectors", f"dense={vectors}"]
        return [*twindex, "build", str(work / name), *source, *legs, "--quiet", "--json"]

    def worker(name: str) -> list[str]:
        return [sys.executable, __file__, "--work", str(work), "--worker", name]

    documents = work / "documents.jsonl"
    steps = {
        "numpy": (worker("numpy_write"), "numpy.out"),
        "faiss": (worker("faiss_write"), "faiss.out"),
        "npy": (build("npy", documents, work / "vectors.npy"), "npy"),
        "parquet": (build("parquet", documents, work / "vectors.parquet"), "parquet"),
        "encoder": (worker("encoder_build"), "encoder"),
        "export": ([*twindex, "export", str(work / "npy"), str(work / "out"), "--quiet"], "out"),
        "import": (build("again", work / "out" / "documents.jsonl", work / "out" / "dense.npy"),
                   "again"),
    }  # fmt: skip
    try:
        sizes = [f"--{name}={getattr(arguments, name)}" for name in ("documents", "dimensions")]
        measure([*worker("make"), *sizes])
        figures = []
        print(f"{'step':>10} {'seconds':>9} {'peak MB':>9} {'MB on disk':>11}")
        for name, (command, output) in steps.items():
            figure = {"step": name, **measure(command), "bytes": size_of(work / output)}
            figure.pop("printed")
            figures.append(figure)
            print(
                f"{name:>10} {figure['seconds']:9.1f} {figure['peak_bytes'] / 1e6:9.0f} "
                f"{figure['bytes'] / 1e6:11.0f}",
                flush=True,
            )
        hits = json.loads(measure(worker("compare"))["printed"])
        measure([*twindex, "export", str(work / "again"), str(work / "out2"), "--quiet"])
        round_trip = digests(work / "out") == digests(work / "out2")
        stored = np.load(work / "out" / "dense.npy", mmap_mode="r")
        same = bool(np.array_equal(stored, np.load(work / "vectors.npy", mmap_mode="r")))
        print(f"equal hits: {hits}, round trip: {round_trip}, vectors unchanged: {same}")
    finally:
        shutil.rmtree(work)
    if arguments.json:
        report = {
            "documents": arguments.documents,
            "dimensions": arguments.dimensions,
            "steps": figures,
            "hits": hits,
            "round_trip": round_trip,
            "vectors_unchanged": same,
        }
        arguments.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
