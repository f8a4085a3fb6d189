"""The workload of the watched process: create a collection, then write, delete, seal and merge.

    python workload.py record ROOT LOG SEED STEPS full|off
    python workload.py fail ROOT MASK ERRNO one|rest SEED STEPS EVERY

with LD_PRELOAD=shim.so and SHIM_ROOT=ROOT in the environment.

The start and the end of every step are logged in `ROOT.ack`.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from twindex.core import Document, TwindexError
from twindex.encoders import DenseEncoderConfig, SparseEncoderConfig
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, SparseLeg, StorageConfig
from twindex.search import Collection

NAMES = 12
NEVER = 2**60
"""An operation number that is never reached."""


def configuration() -> CollectionConfig:
    return CollectionConfig(
        legs={
            "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
            "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake")),
            "lexical": LexicalLeg(),
        },
        storage=StorageConfig(max_segments=2),
    )


def document(name: str, version: int) -> Document:
    text = f"alpha {name} version{version} " + "filler " * (20 + version % 300)
    return Document(name, text, metadata={"version": version})


def steps(collection: Collection, seed: int, count: int, log: Callable[[str], None]) -> None:
    """Run random steps. Log the start of each step, and its success or failure."""
    random = Random(seed)
    for _ in range(count):
        version = random.randrange(10**9)
        names = list(dict.fromkeys(f"n{random.randrange(NAMES)}" for _ in range(3)))
        kind = random.choices(("put", "delete", "seal", "merge"), (11, 4, 3, 2))[0]
        log(f"start {kind} {version} {' '.join(names)}")
        try:
            match kind:
                case "put":
                    collection.add([document(name, version) for name in names])
                case "delete":
                    collection.delete(names)
                case "seal":
                    collection.seal()
                case "merge":
                    collection.merge()
        except (TwindexError, OSError) as error:
            log(f"failed {kind} {type(error).__name__}: {error}")
        else:
            log(f"done {kind} {version} {' '.join(names)}")


def apply(lines: list[str], state: dict[str, set[int | None]]) -> None:
    """Update `state` by a log: id -> versions that may be stored now. None: absent."""
    for line in lines:
        phase, kind, *rest = line.split()
        if phase == "failed" or kind not in ("put", "delete"):
            continue
        version, *names = rest
        for name in names:
            outcome = int(version) if kind == "put" else None
            if phase == "start":
                state.setdefault(name, {None}).add(outcome)
            else:
                state[name] = {outcome}


def problems(path: Path, state: dict[str, set[int | None]]) -> list[str]:
    """Return the problems of a collection. `state` is the result of `apply`."""
    found = []
    with Collection.open(path) as collection:
        found += collection.verify()
        stored = {document.id: document for document in collection.documents(limit=1_000)}
        for name, allowed in state.items():
            one = stored.get(name)
            version = None if one is None else one.metadata["version"]
            if version not in allowed:
                found.append(f"{name} is {version}, allowed {allowed}")
            if one is not None and one != document(name, one.metadata["version"]):
                found.append(f"{name} has another text")
        hits = {hit.id for hit in collection.search("alpha", limit=100).hits}
        if hits != set(stored):
            found.append(f"search finds {hits}, stored are {set(stored)}")
        collection.add([document("after", 1)])
        if collection.get("after") != document("after", 1):
            found.append("a write afterwards is lost")
    return found


def logger(path: Path) -> Callable[[str], None]:
    """Return a function that appends lines to a file. The shim never makes these writes fail."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return lambda line: os.write(descriptor, f"{line}\n".encode()) and None


def record(root: Path, log: Path, seed: int, count: int, synchronous: str) -> None:
    """Run the steps and record their file operations in `log`."""
    if synchronous == "off":
        _without_syncs()
    ctypes.CDLL(None).shim_record(os.fsencode(log))
    note = logger(root.with_name(root.name + ".ack"))
    note("start create 0")
    with Collection.create(root, configuration()) as collection:
        note("done create 0")
        steps(collection, seed, count, note)


def fail(root: Path, mask: int, error: int, each: str, seed: int, count: int, every: int) -> None:
    """Run the steps once for each n = 1, 1 + every, ..., and let file operations fail.

    mask: sum of `KINDS` in `shim.py`.
    each: "one" lets only the n-th operation fail, "rest" also all later ones.

    Each run is a separate process and prints its problems, one per line, after n.
    """
    shim = ctypes.CDLL(None)
    root.mkdir()
    with Collection.create(
        root / "warm", configuration()
    ) as collection:  # Imports the modules that the children need.
        steps(collection, seed, 3, lambda line: None)
    for problem in problems(root / "warm", {}):
        print(f"before: {problem}")
    sys.stdout.flush()
    trial = partial(_in_child, shim, root, mask, error, each == "rest", seed, count)
    total = trial(NEVER)
    for n in range(1, total + 1, every):
        trial(n)
    print(f"operations {total}")


def _in_child(
    shim: ctypes.CDLL,
    root: Path,
    mask: int,
    error: int,
    rest: bool,
    seed: int,
    count: int,
    n: int,
) -> int:
    """Run `_failed` in another process. Return the number of operations."""
    result = root.with_name(f"{root.name}.{n}")
    if os.fork() == 0:
        status = 1
        try:
            total = _failed(shim, root / f"c{n}", mask, n, error, rest, seed, count)
            result.write_text(str(total))
            status = 0
        finally:
            os._exit(status)
    _, status = os.wait()
    if status:
        print(f"{n}: the process ended with {status}")
        return 0
    return int(result.read_text())


def _failed(
    shim: ctypes.CDLL, path: Path, mask: int, n: int, error: int, rest: bool, seed: int, count: int
) -> int:
    """Run the steps with failing operations n and later. Return the number of operations."""
    acknowledged = path.with_name(path.name + ".ack")
    note = logger(acknowledged)
    collection = Collection.create(path, configuration())
    shim.shim_fail(mask, ctypes.c_long(n), ctypes.c_long(NEVER if rest else n), error)
    steps(collection, seed, count, note)
    total = int(shim.shim_count(mask))
    shim.shim_fail(0, ctypes.c_long(0), ctypes.c_long(0), 0)
    lines = acknowledged.read_text().splitlines()
    state: dict[str, set[int | None]] = {}
    apply(lines, state)
    if n != NEVER and not any(line.startswith("failed") for line in lines):
        print(f"{n}: unnoticed")
    for problem in problems(path, state):
        print(f"{n}: beside the running collection: {problem}")
    collection.close()
    for problem in problems(path, state):
        print(f"{n}: after closing: {problem}")
    sys.stdout.flush()
    return total


def _without_syncs() -> None:
    """Let SQLite not wait for the disk, for the control test."""
    from twindex.index.store.database.database import Database

    connect = Database._connect

    def quick(self: Database, **options: bool) -> object:
        connection = connect(self, **options)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    Database._connect = quick  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    what, root, *rest = sys.argv[1:]
    if what == "record":
        record(Path(root), Path(rest[0]), int(rest[1]), int(rest[2]), rest[3])
    else:
        fail(Path(root), int(rest[0]), int(rest[1]), rest[2], *map(int, rest[3:]))
