"""Builds continue after a kill, and take little memory for many vectors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from twindex.core import NoProgress
from twindex.index import VectorStorage
from twindex.index.structures.spann import build as spann
from twindex.index.structures.spann.heads import normalized

Floats = NDArray[np.float32]
MEMORY = 1 << 20


class Source:
    """A VectorSource over an array that records reads."""

    def __init__(
        self, array: Floats, before: Callable[[tuple[int, int]], None] = lambda pair: None
    ) -> None:
        self.array = array
        self.width = array.shape[1]
        self.reads: list[tuple[int, int]] = []
        self._before = before

    def __len__(self) -> int:
        return len(self.array)

    def read(self, start: int, stop: int) -> Floats:
        self._before((start, stop))
        self.reads.append((start, stop))
        return self.array[start:stop].copy()

    def take(self, rows: NDArray[np.int64]) -> Floats:
        raise AssertionError("vectors are read in order")


class Counter(NoProgress):
    """A progress that counts. done: number of vectors."""

    def __init__(self) -> None:
        self.done = 0

    def advance(self, n: int = 1) -> None:
        self.done += n


def clustered(n: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((20, 16))
    vectors = centres[rng.integers(20, size=n)] + 0.5 * rng.standard_normal((n, 16))
    return normalized(vectors.astype(np.float32))


def storage(replicas: int | None = None) -> VectorStorage:
    return VectorStorage.model_validate(
        {"index": {"kind": "spann", "replicas": replicas}, "codec": {"kind": "int8"}}
    )


CHILD = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_spann_build_killed import MEMORY, Counter, Source, clustered, storage
    from twindex.index.structures.spann import build

    def kill(*arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    if {block} is None:
        build.write_lists = kill
    source = Source(clustered(6_000), lambda pair: kill() if pair == {block} else None)
    build.build(Path({directory!r}), source, storage(), MEMORY, Counter())
"""


def files(directory: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    said = json.loads(found.pop(spann.FILE))
    said.pop("seconds")
    return {**found, spann.FILE: json.dumps(said).encode()}


@pytest.mark.parametrize("when", ["between blocks", "before the lists"])
def test_a_killed_build_continues_at_its_checkpoint(tmp_path: Path, when: str) -> None:
    vectors, options = clustered(6_000), storage()
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    uninterrupted = Source(vectors)
    spann.build(whole, uninterrupted, options, MEMORY, Counter())
    # Single vectors are read to identify the source. The first large read is the sample.
    _, *blocks = [pair for pair in uninterrupted.reads if pair[1] - pair[0] > 1]
    assert len(blocks) > 4
    kill_at = blocks[3] if when == "between blocks" else None
    child = textwrap.dedent(CHILD).format(
        tests=str(Path(__file__).parent), directory=str(broken), block=kill_at
    )
    done = subprocess.run([sys.executable, "-c", child], check=False, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    assert not (broken / spann.FILE).exists()
    resumed, progress = Source(vectors), Counter()
    spann.build(broken, resumed, options, MEMORY, progress)
    assert progress.done == len(vectors)
    again = [pair for pair in resumed.reads if pair[1] - pair[0] > 1]
    assert again == (blocks[3:] if kill_at else [])
    assert files(broken) == files(whole)


@pytest.mark.parametrize("change", ["vectors", "storage", "memory", "rows", "damage"])
def test_other_input_discards_the_checkpoint(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, options, memory = clustered(3_000), storage(), MEMORY
    with monkeypatch.context() as patched:
        patched.setattr(spann, "write_lists", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            spann.build(tmp_path, Source(vectors), options, memory, NoProgress())
    match change:
        case "vectors":
            vectors = clustered(3_000, seed=1)
        case "storage":
            options = storage(replicas=2)
        case "memory":
            memory *= 2
        case "rows":
            vectors = vectors[:-1]
        case _:
            (tmp_path / "scratch" / "entries-0000").write_bytes(b"")
    source = Source(vectors)
    spann.build(tmp_path, source, options, memory, NoProgress())
    assert sum(pair[1] - pair[0] for pair in source.reads) >= 2 * len(vectors)
    expected = tmp_path / "expected"
    expected.mkdir()
    spann.build(expected, Source(vectors), options, memory, NoProgress())
    assert files(tmp_path) == files(expected)


MEASURED = """
    import resource, sys
    from pathlib import Path
    import numpy as np
    sys.path.insert(0, {tests!r})
    from test_spann_build_killed import Counter, Source, clustered, storage
    from twindex.index.structures.spann import build

    class Made:
        width = 256
        def __init__(self, rows): self.rows = rows
        def __len__(self): return self.rows
        def read(self, start, stop):
            numbers = np.arange(start, stop)
            first = np.random.default_rng(0).standard_normal((20, self.width), dtype=np.float32)
            made = 0.5 * np.random.default_rng(start).standard_normal(
                (stop - start, self.width), dtype=np.float32
            )
            made += first[numbers % 20]
            return made / np.linalg.norm(made, axis=1, keepdims=True)

    def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    Path({directory!r}, "small").mkdir()
    Path({directory!r}, "large").mkdir()
    # Compiles, and loads libraries.
    build.build(Path({directory!r}, "small"), Made(2_500), storage(), 16 << 20, Counter())
    before = peak()
    build.build(Path({directory!r}, "large"), Made(50_000), storage(), 16 << 20, Counter())
    print(peak() - before, build.building_bytes(50_000, 256, storage()))
"""


@pytest.mark.slow
def test_memory_of_a_build_is_bounded(tmp_path: Path) -> None:
    child = textwrap.dedent(MEASURED).format(
        tests=str(Path(__file__).parent), directory=str(tmp_path)
    )
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", child], check=True, capture_output=True, text=True, env=env
    )
    taken, must = (int(word) for word in done.stdout.split())
    assert taken < (16 << 20) + must
    assert taken < 0.8 * 50_000 * 256 * 4  # Less than the vectors, whatever building_bytes returns.
