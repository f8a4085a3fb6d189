"""Indexes of dense vectors, of Twindex and of other libraries, with one small interface."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from math import sqrt
from pathlib import Path
from time import process_time
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from twindex.core import Representation
from twindex.index import DenseLeg, VectorSearch
from twindex.index.dense.segment import VectorSegment

Vectors = NDArray[np.float32]
Search = Callable[[Vectors, int], Any]
"""(query float32 [1, d], k) -> the rows of the k best."""

PROBES = sorted({round(2 ** (step / 2)) for step in range(24)})
EFS = [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 192, 256, 384, 512, 1024]
RESCORED = (4, 10)
"""Candidates that systems with codes rescore for each result."""
IP = faiss.METRIC_INNER_PRODUCT


@dataclass(frozen=True)
class System:
    """An index that has been built.

    settings: from the cheapest to the most expensive. tuned(setting): a search with one of them.
    held: bytes in memory. mapped: bytes of mapped files that searches also read.
    """

    name: str
    build_seconds: float
    held: int
    mapped: int
    settings: Sequence[Any]
    tuned: Callable[[Any], Search]


def files_size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def ours(name: str, config: dict[str, Any], vectors: Vectors, folder: Path) -> System:
    """A Twindex segment, with the settings of its ladder."""
    leg = DenseLeg.parse(config)
    directory = folder / name.replace(" ", "-")
    directory.mkdir()
    began = process_time()
    VectorSegment.build(directory, Representation(dense=vectors), leg)
    seconds = process_time() - began
    part = VectorSegment.open(directory, leg)
    held = part.description()["memory"]
    originals = directory / "vectors.npy"
    mapped = originals.stat().st_size if originals.exists() else 0
    structure = part._indexed.structure  # type: ignore[union-attr]

    def tuned(parameters: Any) -> Search:
        one = part if parameters is None else part.tuned(VectorSearch(**parameters))
        return lambda query, k: one.search(Representation(dense=query), k, None).rows[0]

    system = System(name, seconds, held, mapped, structure.ladder(), tuned)
    PARTS[name] = part
    return system


PARTS: dict[str, VectorSegment] = {}
"""The segments of `ours`, for inspection."""


def faiss_system(
    name: str,
    vectors: Vectors,
    make: Callable[[Vectors], Any],
    settings: Sequence[Any],
    option: str,
    factors: Sequence[int] = (4,),
) -> Iterator[System]:
    """A FAISS index, searched through its Python interface. Returns one system for each factor.

    option: the parameter that a setting sets.
    factors: candidates that a refining index rescores for each result.
    """
    began = process_time()
    index = make(vectors)
    seconds = process_time() - began
    held = len(faiss.serialize_index(index))

    def tuned(setting: Any, factor: int) -> Search:
        if option == "efSearch":
            parameters = faiss.SearchParametersHNSW(efSearch=setting)
        else:
            parameters = faiss.SearchParametersIVF(nprobe=setting)
            if isinstance(index, faiss.IndexRefine):
                parameters = faiss.IndexRefineSearchParameters(
                    k_factor=factor, base_index_params=parameters
                )
        return lambda query, k: index.search(query, k, params=parameters)[1][0]

    for factor in factors:
        title = f"{name} {factor}" if len(factors) > 1 else name
        yield System(title, seconds, held, 0, settings, partial(tuned, factor=factor))


def faiss_hnsw(vectors: Vectors) -> Any:
    index = faiss.IndexHNSWFlat(vectors.shape[1], 32, IP)
    index.hnsw.efConstruction = 200
    index.add(vectors)
    return index


def faiss_hnsw_sq8(vectors: Vectors) -> Any:
    index = faiss.IndexHNSWSQ(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, 32, IP)
    index.hnsw.efConstruction = 200
    index.train(vectors)
    index.add(vectors)
    return index


def faiss_ivf(factory: str) -> Callable[[Vectors], Any]:
    def make(vectors: Vectors) -> Any:
        lists = 2 ** round(np.log2(2.3 * sqrt(len(vectors))))  # 1,024 for 200,000.
        index = faiss.index_factory(
            vectors.shape[1],
            factory.format(lists=lists, pieces=vectors.shape[1] // 2),
            IP,
        )
        index.train(vectors[:: max(1, len(vectors) // (64 * lists))])
        index.add(vectors)
        return index

    return make


def hnswlib_system(vectors: Vectors) -> System:
    import hnswlib

    began = process_time()
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), ef_construction=200, M=32)
    index.add_items(vectors)
    index.set_num_threads(1)
    seconds = process_time() - began

    def tuned(ef: Any) -> Search:
        def search(query: Vectors, k: int) -> Any:
            index.set_ef(ef)
            return index.knn_query(query, k)[0][0]

        return search

    return System("hnswlib", seconds, index.index_file_size(), 0, EFS, tuned)


def usearch_system(vectors: Vectors) -> System:
    from usearch.index import Index

    began = process_time()
    index = Index(
        ndim=vectors.shape[1], metric="ip", dtype="f16", connectivity=32, expansion_add=200
    )
    index.add(np.arange(len(vectors)), vectors)
    seconds = process_time() - began

    def tuned(ef: Any) -> Search:
        def search(query: Vectors, k: int) -> Any:
            index.expansion_search = ef
            return index.search(query[0], k).keys

        return search

    return System("usearch f16", seconds, int(index.memory_usage), 0, EFS, tuned)


def scann_systems(vectors: Vectors, folder: Path) -> Iterator[System]:
    """One ScaNN index, with one system for each number of rescored candidates."""
    from scann.scann_ops.py import scann_ops_pybind as scann

    began = process_time()
    # Of 900, 1,000 and 2,000 leaves, the first without SOAR, the best at 200,000 vectors.
    leaves = round(2.24 * sqrt(len(vectors)))
    searcher = (
        scann.builder(vectors, 10, "dot_product")
        .tree(leaves, 16, training_sample_size=min(len(vectors), 100 * leaves), soar_lambda=1.5)
        .score_ah(2, 0.2)
        .reorder(40)
        .build()
    )
    seconds = process_time() - began
    directory = folder / "scann"
    directory.mkdir()
    searcher.serialize(str(directory))

    def tuned(nprobe: Any, factor: int) -> Search:
        return lambda query, k: searcher.searcher.search(query[0], k, factor * k, nprobe)[0]

    size = files_size(directory)
    for factor in RESCORED:
        yield System(f"ScaNN {factor}", seconds, size, 0, PROBES, partial(tuned, factor=factor))


def lancedb_system(vectors: Vectors, folder: Path) -> System:
    import lancedb
    import pyarrow

    width = vectors.shape[1]
    column = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.ravel()), width)
    rows = pyarrow.table({"id": np.arange(len(vectors)), "vector": column})
    directory = folder / "lancedb"
    began = process_time()
    table = lancedb.connect(str(directory)).create_table("vectors", rows)
    table.create_index(
        metric="dot",
        vector_column_name="vector",
        index_type="IVF_PQ",
        num_partitions=2 ** round(np.log2(2.3 * sqrt(len(vectors)))),
        num_sub_vectors=width // 4,
    )
    seconds = process_time() - began

    def tuned(nprobe: Any) -> Search:
        def search(query: Vectors, k: int) -> Any:
            asked = table.search(query[0], vector_column_name="vector").distance_type("dot")
            found = asked.nprobes(nprobe).refine_factor(4).limit(k).select(["id"]).to_arrow()
            return found["id"].to_numpy()

        return search

    return System("LanceDB", seconds, 0, files_size(directory), PROBES[4::3], tuned)


def all_systems(vectors: Vectors, folder: Path, leave_out: Sequence[str] = ()) -> Iterator[System]:
    """Yield the systems, each built when it is reached. Print which are not installed."""
    ivf: dict[str, Any] = {"kind": "ivf"}
    hnsw: dict[str, Any] = {"kind": "hnsw"}
    makers: dict[str, Callable[[], System | Iterator[System]]] = {
        "faiss HNSW32": lambda: faiss_system("faiss HNSW32", vectors, faiss_hnsw, EFS, "efSearch"),
        "twindex ivf": lambda: ours("twindex ivf", {"index": ivf}, vectors, folder),
        "twindex hnsw": lambda: ours("twindex hnsw", {"index": hnsw}, vectors, folder),
        "twindex hnsw int8": lambda: ours(
            "twindex hnsw int8", {"index": hnsw, "codec": {"kind": "int8"}}, vectors, folder
        ),
        "faiss HNSW32-SQ8": lambda: faiss_system(
            "faiss HNSW32-SQ8", vectors, faiss_hnsw_sq8, EFS, "efSearch"
        ),
        "faiss IVF-SQ8": lambda: faiss_system(
            "faiss IVF-SQ8", vectors, faiss_ivf("IVF{lists},SQ8"), PROBES, "nprobe"
        ),
        "faiss IVF-PQFS+refine": lambda: faiss_system(
            "faiss IVF-PQFS+refine",
            vectors,
            faiss_ivf("IVF{lists},PQ{pieces}x4fs,RFlat"),
            PROBES,
            "nprobe",
            RESCORED,
        ),
        "hnswlib": lambda: hnswlib_system(vectors),
        "usearch": lambda: usearch_system(vectors),
        "scann": lambda: scann_systems(vectors, folder),
        "twindex scann": lambda: ours(
            "twindex scann", {"index": {"kind": "scann"}}, vectors, folder
        ),
        "lancedb": lambda: lancedb_system(vectors, folder),
    }
    packages = {"twindex scann": "scann"}
    for name, make in makers.items():
        package = packages.get(name, name)
        if name in leave_out:
            continue
        if package in ("hnswlib", "usearch", "scann", "lancedb") and find_spec(package) is None:
            print(f"{name}: left out, {package} is not installed", flush=True)
            continue
        gc.collect()
        made = make()
        yield from (made,) if isinstance(made, System) else made
