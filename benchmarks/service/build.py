"""Peak memory and time of an offline build under a memory budget.

    python benchmarks/run.py build --documents 200 --dense all-MiniLM-L6-v2 --budgets 1200MB,none

Each budget is one build in a process of its own. The figure is the peak memory that the operating
system counts for the process, mapped files included. Without `--documents` the whole file is used.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

from common.commands import measure
from common.datasets import DATA, json_lines

UNITS = {"MB": 10**6, "GB": 10**9}


def in_bytes(size: str) -> int:
    number, unit = re.fullmatch(r"([\d.]+)(MB|GB)", size).groups()
    return int(float(number) * UNITS[unit])


def take(source: Path, target: Path, documents: int | None) -> int:
    """Copy the first lines of a JSONL file, gzipped or not. Return the number of lines."""
    opener = gzip.open if source.suffix == ".gz" else open
    count = 0
    with opener(source, "rt", encoding="utf-8") as lines, target.open("w") as out:
        for line in itertools.islice(lines, documents):
            out.write(line)
            count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    corpus = DATA / "rfc" / "corpus.jsonl.gz"
    parser.add_argument("--corpus", type=Path, default=corpus, help="JSONL, gzipped or not")
    parser.add_argument("--documents", type=int, help="how many of them; default all")
    parser.add_argument("--budgets", default="600MB,none", help="sizes, comma-separated")
    parser.add_argument("--dense", default="none", help="model of a dense leg")
    parser.add_argument("--sparse", default="none", help="model of a sparse leg")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp())
    figures = []
    try:
        count = take(arguments.corpus, work / "corpus.jsonl", arguments.documents)
        characters = sum(len(line["text"]) for line in json_lines(work / "corpus.jsonl"))
        print(f"{count} documents, dense {arguments.dense}, sparse {arguments.sparse}")
        print(f"{'budget':>10} {'peak MB':>9} {'of budget':>10} {'passages':>9} {'seconds':>8}")
        for budget in arguments.budgets.split(","):
            command = [sys.executable, "-m", "twindex.api.cli.main", "build", str(work / budget)]
            command += ["--documents", str(work / "corpus.jsonl"), "--quiet", "--json"]
            command += ["--dense", arguments.dense, "--sparse", arguments.sparse]
            if budget != "none":
                command += ["--memory-budget", budget]
            figure = {"budget": budget, **measure(command)}
            figure["report"] = json.loads(figure.pop("printed"))
            share = ""
            if budget != "none":
                figure["share"] = figure["peak_bytes"] / in_bytes(budget)
                share = f"{figure['share']:.2f}"
            figures.append(figure)
            print(
                f"{budget:>10} {figure['peak_bytes'] / 1e6:9.0f} {share:>10} "
                f"{figure['report']['passages']:9} {figure['seconds']:8.1f}",
                flush=True,
            )
            shutil.rmtree(work / budget)
    finally:
        shutil.rmtree(work)
    if arguments.json:
        told = {name: getattr(arguments, name) for name in ("dense", "sparse")}
        for figure in figures:
            figure["passages"] = figure.pop("report")["passages"]
        report = {**told, "documents": count, "characters": characters, "builds": figures}
        arguments.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
