"""Peak memory of a SPANN build within a memory budget; see `spann.py --part memory`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from twindex.core import NoProgress
from twindex.core.memory import peak_bytes
from twindex.index.arrays.npy import NpyWriter
from twindex.index.structures.originals import Originals
from twindex.index.structures.spann.structure import SpannIndex

from .clustered import Clustered
from .spann_systems import say, storage
from .timing import table


def memory(vectors: int, folder: Path, budget: int) -> dict[str, Any]:
    """Build from a file of vectors in a new process, and return the peak memory and the time."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [str(vectors), str(folder.resolve()), str(budget)]
    command = [sys.executable, "-m", "common.spann_memory", *arguments]
    say(f"building {vectors:,} vectors with a budget of {budget / 2**20:,.0f} MiB")
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    row: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    print(table([row]))
    return {"rows": [row]}


def build_once(vectors: int, folder: Path, budget: int) -> None:
    """Run the build that `memory` measures, in this process."""
    config, source = storage("int8"), Clustered(vectors)
    if not (folder / "vectors.npy").exists():
        with NpyWriter(folder / "vectors.npy", np.float32, columns=source.width) as writer:
            for block in source.blocks(8192):
                writer.append(block)
    with tempfile.TemporaryDirectory(dir=folder) as small:  # Loads and compiles everything.
        SpannIndex.build(Path(small), Clustered(5_000), config, budget, NoProgress())
    libraries = peak_bytes()
    began, used = perf_counter(), process_time()
    with tempfile.TemporaryDirectory(dir=folder) as made:
        SpannIndex.build(Path(made), Originals.open(folder), config, budget, NoProgress())
        report = json.loads((Path(made) / "spann.json").read_text())
    peak = peak_bytes()
    row = {
        "vectors": vectors,
        "budget MiB": budget / 2**20,
        "peak MiB": peak / 2**20,
        "before (libraries) MiB": libraries / 2**20,
        "needed in any case MiB": SpannIndex.building_bytes(vectors, source.width, config) / 2**20,
        "raw MiB": vectors * source.width * 4 / 2**20,
        "seconds": perf_counter() - began,
        "CPU seconds": process_time() - used,
        "heads": report["heads"],
    }
    print(json.dumps(row))


def in_bytes(size: str) -> int:
    """Parse a size such as 512MB or 2GB. Return bytes."""
    number, unit = re.fullmatch(r"([\d.]+)(MB|GB)", size).groups()
    return int(float(number) * {"MB": 2**20, "GB": 2**30}[unit])


if __name__ == "__main__":
    build_once(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
