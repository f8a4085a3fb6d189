"""Write the page of figures, its plots and the README's comparison from the kept results.

    python benchmarks/figures.py
    python benchmarks/figures.py --check

`benchmarks/results/NAME.json` has the figures of a benchmark, and `benchmarks/sections` what the
page says about them. A benchmark without results is listed with the command that measures it.
`--check` writes nothing and exits with 1 when a file differs from what the results give.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from textwrap import fill
from types import ModuleType
from typing import Any

from run import RESULTS, command, scripts
from sections.markdown import made, table, whole

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = Path("docs/figures.md")
README = Path("README.md")
BEGIN, END = "<!-- figures: written by benchmarks/figures.py -->", "<!-- figures: end -->"
ORDER = (
    *("effectiveness", "feedback", "rewriting", "lexical", "arranging", "history", "sparse"),
    *("encode",),
    *("promptreps", "promptreps_speed"),
    *("vectors", "spann", "storage", "stored_rerank", "rerank", "judges", "judges_speed"),
    *("answers", "extractive", "perplexity", "answering", "cascade", "passage_cutting"),
    *("section_passages", "passage_overlap", "languages"),
    *("files", "hostile_files", "own_vectors", "cold_start"),
    *("rest", "load", "traces", "workers", "interfaces", "client", "build", "sync", "checksums"),
    *("snapshot", "trials"),
)
"""Benchmarks as they follow one another on the page."""
COMPARED = ("lexical", "sparse", "encode", "promptreps_speed", "vectors", "spann", "effectiveness")
"""Benchmarks with lines in the README, in its order."""
WIDTH = 100
"""Most characters of a line of text."""
INTRODUCTION = """# Figures

`make bench` measures everything on this page with the defaults of the scripts and writes the page
with `python benchmarks/figures.py`. Each section ends with its command, its date and the versions.
The data sets are not part of the repository: `TWINDEX_DATA` is the folder that has them, as
`benchmarks/common/datasets.py` says.

The machine is shared with other work. Ratios within a run are more reliable than single times.
Some defaults are samples, to keep the whole short; `python benchmarks/run.py NAME --help` lists the
options for more."""

Results = Mapping[str, Mapping[str, Any]]
"""Name of a benchmark -> what `run.py` has kept of it."""


def kept() -> dict[str, Any]:
    """The results in the repository."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}


def module_of(name: str) -> ModuleType:
    """What the page says about a benchmark."""
    group = scripts()[name].parent.name
    return import_module(f"sections.{group}.{name}")


def page(results: Results) -> str:
    """The whole page."""
    missing = set(scripts()) ^ set(ORDER)
    if missing:
        raise SystemExit(f"ORDER of figures.py and the benchmarks differ: {sorted(missing)}")
    minutes = sum(one["made"]["minutes"] for one in results.values())
    taken = f" The runs on this page took {whole(minutes)} minutes together."
    sections = [section(name, results) for name in ORDER]
    return "\n\n".join([INTRODUCTION + taken, *sections]) + "\n"


def section(name: str, results: Results) -> str:
    """The section of a benchmark, whether it was measured or not."""
    module = module_of(name)
    title = f"## {module.TITLE}"
    if name not in results:
        return f"{title}\n\nNot measured here. Run: `{command(name, [])}`."
    record = results[name]
    blocks = [*module.section(record["figures"]), made(record["made"])]
    return "\n\n".join([title, *map(wrapped, blocks)])


def wrapped(block: str) -> str:
    """A paragraph in lines of the usual width; tables and lists as they are."""
    if block.startswith(("|", "- ")):
        return block
    return fill(block, WIDTH, break_long_words=False, break_on_hyphens=False)


def comparison(results: Results) -> str:
    """The table of the README."""
    rows = (
        row
        for name in COMPARED
        if name in results
        for row in module_of(name).compared(results[name]["figures"])
    )
    return table(["what", "Twindex", "others"], rows)


def readme(text: str, results: Results) -> str:
    """The README with a new table between its two comments."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{README} needs the lines {BEGIN} and {END}")
    return f"{before}{begin}\n{comparison(results)}\n{end}{after}"


def files(results: Results) -> Iterator[tuple[Path, str]]:
    """Path in the repository -> text, of everything that is written from results."""
    yield PAGE, page(results)
    yield README, readme((REPOSITORY / README).read_text(), results)
    for name in ORDER:
        draw = getattr(module_of(name), "plots", None)
        if name in results and draw is not None:
            for file, text in draw(results[name]["figures"]).items():
                yield PAGE.with_name(file), text


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether files are stale")
    arguments = parser.parse_args()
    stale = []
    for path, text in files(kept()):
        file = REPOSITORY / path
        if not file.exists() or file.read_text() != text:
            stale.append(str(path))
            if not arguments.check:
                file.write_text(text)
    if stale and arguments.check:
        print(f"stale: {', '.join(stale)}; run python benchmarks/figures.py", file=sys.stderr)
        return 1
    print(f"written: {', '.join(stale)}" if stale else "all files are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
