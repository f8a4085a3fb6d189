"""Run a benchmark and keep its figures with the way they were made.

    python benchmarks/run.py lexical
    python benchmarks/run.py lexical --passages 50000 --rounds 3
    python benchmarks/run.py all

Writes `benchmarks/results/NAME.json`, from which `benchmarks/figures.py` makes the page. Other
options are those of the benchmark: `python benchmarks/run.py NAME --help`. `all` runs every
benchmark with its defaults, one after the other, except those of `make nightly`, and goes on when
one fails.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
GROUPS = ("quality", "speed", "service")
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16")
"""Processor features that the compared libraries use."""
NIGHTLY = {"trials"}
"""Benchmarks that `make nightly` runs, because they take hours."""
DIGITS = 6
"""Significant digits of a stored number."""
PACKAGES: dict[str, tuple[str, ...]] = {
    "answers": ("sentence-transformers", "transformers", "torch"),
    "cold_start": ("numpy", "py3langid", "bm25s"),
    "languages": ("py3langid", "PyStemmer"),
    "lexical": ("bm25s", "tantivy", "numba"),
    "sparse": ("scipy", "pyseismic-lsr", "numba"),
    "extractive": ("sentence-transformers", "torch"),
    "encode": ("sentence-transformers", "torch"),
    "rewriting": ("transformers", "torch"),
    "perplexity": ("transformers", "torch"),
    "promptreps": ("transformers", "torch"),
    "promptreps_speed": ("transformers", "torch"),
    "judges_speed": ("transformers", "torch"),
    "storage": ("faiss-cpu", "sentence-transformers", "torch"),
    "vectors": ("faiss-cpu", "scann", "hnswlib", "usearch", "lancedb"),
    "spann": ("faiss-cpu", "lancedb"),
    "client": ("httpx2",),
    "interfaces": ("sentence-transformers", "torch", "fastapi"),
    "files": ("pypdfium2", "pypdf", "markdownify"),
    "hostile_files": ("pypdfium2", "pypdf"),
    "own_vectors": ("faiss-cpu", "pyarrow"),
    "rest": ("uvicorn", "fastapi"),
    "load": ("uvicorn", "fastapi"),
    "traces": ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"),
    "workers": ("uvicorn", "fastapi"),
}
"""Packages whose versions a benchmark's figures depend on, besides Twindex."""


def scripts() -> dict[str, Path]:
    """Name -> script of every benchmark, in the order of the page."""
    return {path.stem: path for group in GROUPS for path in sorted((HERE / group).glob("*.py"))}


def processor() -> dict[str, Any]:
    """Model, number of cores and the features in `FLAGS` (all of them known on Linux only)."""
    fields: dict[str, str] = {}
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    features = (fields.get("flags") or fields.get("Features") or "").split()
    return {
        "model": fields.get("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "features": [flag for flag in FLAGS if flag in features],
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Package -> installed version, without those that are missing."""
    found = {}
    for package in ("twindex", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            print(f"{package} is not installed", file=sys.stderr)
    return found


def command(name: str, options: Sequence[str]) -> str:
    """The command line of a run. Paths lose their folders, which mean nothing elsewhere."""
    plain = [Path(option).name if os.path.isabs(option) else option for option in options]
    return shlex.join(["python", "benchmarks/run.py", name, *plain])


def rounded(value: Any) -> Any:
    """Every float of a structure to DIGITS significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


def run(name: str, options: Sequence[str]) -> int:
    """Run one benchmark; its exit status. A failed run leaves the kept figures as they were."""
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        began = perf_counter()
        status = subprocess.run(
            [sys.executable, str(scripts()[name]), *options, "--json", str(figures)],
            env=environment,
            check=False,
        ).returncode
        if status or not figures.exists():
            return status
        made = {
            "command": command(name, options),
            "date": datetime.now(UTC).date().isoformat(),
            "minutes": (perf_counter() - began) / 60,
            "processor": processor(),
            "versions": versions(PACKAGES.get(name, ())),
        }
        RESULTS.mkdir(exist_ok=True)
        record = {"made": made, "figures": json.loads(figures.read_text())}
        (RESULTS / f"{name}.json").write_text(
            json.dumps(rounded(record), ensure_ascii=False, indent=1) + "\n"
        )
    return 0


def failures() -> Iterator[str]:
    """Run all that `make bench` runs; the names of those that failed."""
    for name in (one for one in scripts() if one not in NIGHTLY):
        print(f"\n== {name}", flush=True)
        if run(name, []):
            yield name


def main(arguments: Sequence[str]) -> int:
    name, *options = arguments or ["--help"]
    if name in ("-h", "--help"):
        print(f"{__doc__}\nBenchmarks: {', '.join(scripts())}")
        return 0
    if name == "all" and not options:
        failed = list(failures())
        print(f"failed: {', '.join(failed)}" if failed else "all done", file=sys.stderr)
        return 1 if failed else 0
    if name not in scripts():
        print(f"no benchmark {name!r}; there are {', '.join(scripts())}", file=sys.stderr)
        return 2
    return run(name, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
