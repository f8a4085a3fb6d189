"""Time of a sync and the passages it encodes, against a build of the same folder from nothing.

    python benchmarks/run.py sync
    python benchmarks/run.py sync --files 2000 --dense all-MiniLM-L6-v2

Pieces of RFCs are the files. After a first sync, a share of the files is changed and another share
is removed. The default encoder, `fake`, needs no model and next to no time. Each command is a
process of its own, so the times include the start of Python.

Last, syncs of a smaller folder are killed at random times (SIGKILL), and files are changed before
each of them. After some of the kills, and at the end, one sync is left alone, and the documents are
compared with the files.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common.passages import texts
from common.timing import table

from twindex.search import Collection

FOLDERS = 100
FEW = 300
"""Files of the folder whose syncs are killed."""
EDITED = 0.3
"""Share of the files that are changed before each of these syncs."""
EACH = 5
"""Kills after which a sync is left alone."""
WRITING = 1.0
"""Seconds, at most, that a sync of these files may take longer than one without changes."""
SETTLED = 2.5
"""Seconds after which an unchanged file is not read again."""


def measure(command: str, index: Path, folder: Path, options: Sequence[str]) -> dict[str, Any]:
    """Run `twindex build`. Return its wall seconds and its report."""
    began = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "twindex.api.cli.main", "build", str(index)),
            *("--documents", str(folder), "--quiet", "--json", *options),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - began
    report = json.loads(done.stdout)
    return {
        "command": command,
        "seconds": seconds,
        "passages": report["passages"],
        "documents": report["documents"],
        "deleted": report.get("deleted", 0),
    }


def killed(
    folder: Path, index: Path, pieces: Sequence[str], kills: int, legs: Sequence[str]
) -> Any:
    """Kill syncs at random times. Return the figures."""
    random_ = random.Random(2)
    command = [sys.executable, "-m", "twindex.api.cli.main", "build", str(index)]
    command += ["--documents", str(folder), "--sync", "--quiet"]
    folder.mkdir()

    def edit() -> None:
        for number, piece in enumerate(pieces):
            path = folder / f"{number}.txt"
            if random_.random() < EDITED or not path.exists():
                path.write_text(f"{random_.random()} {piece}".replace("\0", " "))
            elif random_.random() < EDITED / 2:
                path.unlink()

    def sync(seconds: float | None = None) -> tuple[bool, float]:
        """Whether a sync was killed, and how long it ran. seconds: time of the kill."""
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command, *(legs if not index.exists() else [])], stderr=subprocess.DEVNULL
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        status = process.wait()
        if status not in (0, -signal.SIGKILL):
            raise SystemExit(f"a sync failed with exit status {status}")
        return status != 0, time.perf_counter() - began

    edit()
    sync()
    idle = sync()[1]
    done = {"kills": 0, "ended": 0, "compared": 0, "different": 0}
    while done["kills"] < kills:
        edit()
        whole = idle + random_.random() * max(idle, WRITING)
        done["kills" if sync(random_.uniform(0.5 * idle, whole))[0] else "ended"] += 1
        if done["kills"] % EACH == 0 or done["kills"] == kills:
            sync()
            with Collection.open(index, read_only=True) as collection:
                kept = {one.id: one.text for one in collection.scan()}
            files = {path.name: path.read_text() for path in folder.iterdir()}
            done["compared"] += 1
            done["different"] += kept != files
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--changed", type=float, default=0.01, help="share of the files")
    parser.add_argument("--removed", type=float, default=0.01, help="share of the files")
    parser.add_argument("--dense", default="fake", help="model of the dense leg, or none")
    parser.add_argument("--sparse", default="none", help="model of the sparse leg, or none")
    parser.add_argument("--kills", type=int, default=50, help="syncs that are killed")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    legs = ["--dense", arguments.dense, "--sparse", arguments.sparse]
    pieces, _ = texts(arguments.files)
    with TemporaryDirectory() as place:
        root = Path(place)
        folder = root / "files"
        paths = [folder / f"{number % FOLDERS}" / f"{number}.txt" for number in range(len(pieces))]
        for path, text in zip(paths, pieces, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("\0", " "))
        time.sleep(SETTLED)
        runs = [
            measure("first sync", root / "synced", folder, [*legs, "--sync"]),
            measure("sync without changes", root / "synced", folder, ["--sync"]),
        ]
        chosen = random.Random(1).sample(
            paths, int(len(paths) * (arguments.changed + arguments.removed))
        )
        removed = int(len(paths) * arguments.removed)
        for path in chosen[:removed]:
            path.unlink()
        for path in chosen[removed:]:
            path.write_text(path.read_text() + " changed")
        runs.append(measure("sync with changes", root / "synced", folder, ["--sync"]))
        runs.append(measure("build from nothing", root / "built", folder, legs))
        kills = killed(root / "few", root / "killed", pieces[:FEW], arguments.kills, legs)
    print(table(runs), kills)
    figures = {
        name: getattr(arguments, name)
        for name in ("files", "changed", "removed", "dense", "sparse")
    }
    if arguments.json:
        arguments.json.write_text(json.dumps({**figures, "runs": runs, "kills": kills}, indent=1))


if __name__ == "__main__":
    main()
