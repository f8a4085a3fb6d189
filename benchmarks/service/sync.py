"""Time of a sync and the passages it encodes, against a build of the same folder from nothing.

    python benchmarks/run.py sync
    python benchmarks/run.py sync --files 2000 --dense all-MiniLM-L6-v2

Pieces of RFCs are the files. After a first sync, a share of the files is changed and another share
is removed. The default encoder, `fake`, needs no model and next to no time. Each command is a
process of its own, so the times include the start of Python.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common.passages import texts
from common.timing import table

FOLDERS = 100
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--changed", type=float, default=0.01, help="share of the files")
    parser.add_argument("--removed", type=float, default=0.01, help="share of the files")
    parser.add_argument("--dense", default="fake", help="model of the dense leg, or none")
    parser.add_argument("--sparse", default="none", help="model of the sparse leg, or none")
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
    print(table(runs))
    figures = {
        name: getattr(arguments, name)
        for name in ("files", "changed", "removed", "dense", "sparse")
    }
    if arguments.json:
        arguments.json.write_text(json.dumps({**figures, "runs": runs}, indent=1))


if __name__ == "__main__":
    main()
