"""Other systems that store vectors on disk: FAISS, LanceDB, DiskANN."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from .clustered import Clustered
from .spann_systems import DEPTHS, K, Rows, Setting, System, Vectors


def faiss_on_disk(source: Clustered, folder: Path, lists: int = 1024) -> System:
    """FAISS's IVF with memory-mapped OnDiskInvertedLists."""
    import faiss
    from faiss.contrib.ondisk import merge_ondisk

    directory = folder / f"faiss-{lists}"
    directory.mkdir(parents=True, exist_ok=True)
    began = process_time()
    if not (directory / "index").exists():
        index = faiss.index_factory(source.width, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
        index.cp.spherical = True
        chosen = np.random.default_rng(0).choice(len(source), min(len(source), 50 * lists), False)
        index.train(source.take(np.sort(chosen)))
        faiss.write_index(index, str(directory / "trained"))
        for block in source.blocks():
            index.add(block)
        faiss.write_index(index, str(directory / "whole"))
        merged = faiss.read_index(str(directory / "trained"))
        merge_ondisk(merged, [str(directory / "whole")], str(directory / "lists"))
        faiss.write_index(merged, str(directory / "index"))
        (directory / "whole").unlink()
    seconds = process_time() - began
    index = faiss.read_index(str(directory / "index"))

    def search(queries: Vectors, setting: Setting) -> Rows:
        parameters = faiss.SearchParametersIVF(nprobe=setting["nprobe"])
        return index.search(queries, K, params=parameters)[1]

    return System(
        f"FAISS OnDisk, {lists:,} lists",
        [directory / "lists"],
        4 * source.width * lists,
        [[{"nprobe": depth} for depth in DEPTHS if depth <= lists]],
        search,
        build_seconds=seconds,
    )


def lancedb(source: Clustered, folder: Path) -> System | None:
    """LanceDB's IVF_PQ, its default on disk, with rescoring and without its own caches.

    None if LanceDB is not installed.
    """
    try:
        import lancedb as lance
        import pyarrow as pa
    except ImportError as error:
        print(f"left out: LanceDB ({error})")
        return None
    began = process_time()
    directory = folder / "lance"
    session = lance.Session(index_cache_size_bytes=0, metadata_cache_size_bytes=64 << 20)
    database = lance.connect(str(directory), session=session)
    if "vectors" not in database.table_names():
        kind = pa.list_(pa.float32(), source.width)
        schema = pa.schema([("row", pa.int64()), ("vector", kind)])

        def batches() -> Any:
            first = 0
            for block in source.blocks():
                rows = pa.array(np.arange(first, first + len(block)))
                values = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), source.width)
                yield pa.RecordBatch.from_arrays([rows, values], schema=schema)
                first += len(block)

        table = database.create_table("vectors", data=batches(), schema=schema)
        table.create_index(
            metric="dot",
            num_sub_vectors=source.width // 8,
            index_type="IVF_PQ",
        )
    table = database.open_table("vectors")

    def one(query: Vectors, setting: Setting) -> Rows:
        asked = table.search(query).metric("dot").limit(K).nprobes(setting["nprobe"])
        found = asked.refine_factor(setting["refine"]).select(["row", "_distance"]).to_arrow()
        rows = np.full(K, -1, np.int64)
        rows[: len(found)] = found["row"].to_numpy()
        return rows

    def search(queries: Vectors, setting: Setting) -> Rows:
        return np.stack([one(query, setting) for query in queries])

    files = [path for path in directory.rglob("*") if path.is_file()]
    depths = [depth for depth in DEPTHS if depth <= 300][::2]
    ladders: list[list[Setting]] = [
        [{"nprobe": depth, "refine": refine} for depth in depths] for refine in (4, 16)
    ]
    seconds = process_time() - began
    return System("LanceDB IVF_PQ", files, 0, ladders, search, build_seconds=seconds)


_DISKANN = """
import sys, numpy as np, diskannpy
vectors = np.load(sys.argv[1]).astype(np.float32)
diskannpy.build_disk_index(
    data=vectors, distance_metric="l2", index_directory=sys.argv[2], complexity=64,
    graph_degree=32, search_memory_maximum=0.05, build_memory_maximum=2.0, num_threads=2,
    pq_disk_bytes=0)
print("BUILT", flush=True)
index = diskannpy.StaticDiskIndex(
    index_directory=sys.argv[2], num_threads=1, num_nodes_to_cache=0, cache_mechanism=0)
print("OPENED", flush=True)
index.search(vectors[0], 10, 64)
print("SEARCHED", flush=True)
"""


def diskann(source: Clustered, folder: Path, seconds: int = 60) -> str:
    """Run DiskANN (diskannpy) with 5,000 vectors in a process that may fail. Return the outcome."""
    directory = folder / "diskann"
    directory.mkdir(parents=True, exist_ok=True)
    sample = directory / "sample.npy"
    np.save(sample, source.read(0, 5000))
    # Its library refuses to be loaded beside others that bring OpenMP.
    command = [sys.executable, "-c", _DISKANN, str(sample), str(directory)]
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired as late:
        printed = late.stdout.decode() if late.stdout else ""
        return f"hung: stopped after {seconds} s; {_reached(printed)}"
    if ended.returncode == 0:
        return "works: measure it"
    last = (ended.stderr.strip().splitlines() or ["nothing said"])[-1]
    return f"ended with status {ended.returncode}; {_reached(ended.stdout)}: {last}"


def _reached(printed: str) -> str:
    steps = [step for step in ("BUILT", "OPENED", "SEARCHED") if step in printed]
    return f"got as far as {steps[-1].lower()}" if steps else "did not finish a build"
