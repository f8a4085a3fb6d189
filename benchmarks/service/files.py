"""Reading real PDF files and web pages: pages a second, failures, peak memory, and peers.

    python benchmarks/run.py files --folder DIR

The files come from packages of Debian's documentation, which are downloaded with `apt-get download`
and unpacked with `dpkg` into the folder if they are not there. Half of the files are PDF. They are
taken evenly from the sorted paths, so that equal packages give equal files.

Peers read a part of the same files in the same run: each file is read by Twindex and by the peer,
one after the other. Words are counted in both texts, to see whether one of them loses some.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import subprocess
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from common.datasets import CACHE
from common.timing import table

from twindex.core import SourceError
from twindex.core.memory import peak_bytes
from twindex.sources import FileReader

PACKAGES = (
    "debian-policy",
    "debian-reference-en",
    "developers-reference",
    "gnuplot-doc",
    "postgresql-doc-15",
    "python3.11-doc",
    "r-doc-pdf",
    "texlive-latex-base-doc",
    "texlive-latex-recommended-doc",
)
PEER_PAGES = 60
"""Largest number of pages of a PDF that a peer reads."""
_WORD = re.compile(r"\w{3,}")


def unpacked(folder: Path, packages: Sequence[str]) -> Path:
    """The folder with the unpacked packages. Downloads those that are missing."""
    downloads, root = folder / "packages", folder / "root"
    downloads.mkdir(parents=True, exist_ok=True)
    for package in packages:
        if not list(downloads.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", package], cwd=downloads, check=True)
            (found,) = downloads.glob(f"{package}_*.deb")
            subprocess.run(["dpkg", "-x", str(found), str(root)], check=True)
    return root


def spread(paths: Sequence[Path], number: int) -> list[Path]:
    """At most `number` of the paths, evenly."""
    step = max(1.0, len(paths) / max(1, number))
    return [paths[int(place * step)] for place in range(min(number, len(paths)))]


def read_all(paths: Sequence[Path], root: Path) -> dict[str, Any]:
    """The figures of reading files one by one with one reader."""
    errors: list[SourceError] = []
    documents = pages = characters = 0
    longest = 0.0
    began = perf_counter()
    with FileReader() as reader:
        for path in paths:
            start = perf_counter()
            name = path.relative_to(root).as_posix()
            for document in reader.read(path, name, errors.append):
                documents += 1
                pages += document.metadata.get("pages", 1)
                characters += len(document.text)
            longest = max(longest, perf_counter() - start)
        peak = reader.peak_bytes
    seconds = perf_counter() - began
    return {
        "files": len(paths),
        "megabytes": sum(path.stat().st_size for path in paths) / 1e6,
        "documents": documents,
        "pages": pages,
        "characters": characters,
        "seconds": seconds,
        "pages_per_second": pages / seconds,
        "slowest_file_seconds": longest,
        "peak_mb": peak / 1e6,
        "failures": dict(Counter(error.reason for error in errors)),
        "unaccounted": len(paths) - documents - len(errors),
    }


def compare(paths: Sequence[Path], peer: Callable[[Path], tuple[int, str]]) -> dict[str, Any]:
    """Seconds of Twindex and of a peer on the same files, and what each finds of the other's words.

    peer: function that returns (pages, text) of a file.
    """
    ours = theirs = 0.0
    both = Counter[str]()
    pages = failures = 0
    with FileReader() as reader:
        list(reader.read(paths[0]))  # Starts the process.
        peer(paths[0])
        for path in paths:
            start = perf_counter()
            texts = [document.text for document in reader.read(path, on_error=lambda _: None)]
            ours += perf_counter() - start
            start = perf_counter()
            try:
                count, text = peer(path)
            except Exception:  # noqa: BLE001  Libraries raise anything.
                failures += 1
                continue
            theirs += perf_counter() - start
            pages += count
            mine, others = (Counter(_WORD.findall(one.lower())) for one in ("".join(texts), text))
            both["ours"] += mine.total()
            both["theirs"] += others.total()
            both["common"] += (mine & others).total()
    return {
        "files": len(paths),
        "pages": pages,
        "peer_failures": failures,
        "pages_per_second": pages / ours,
        "peer_pages_per_second": pages / theirs,
        "speedup": theirs / ours,
        "peer_words_found": both["common"] / both["theirs"],
        "words_found_by_peer": both["common"] / both["ours"],
    }


def with_pypdf(path: Path) -> tuple[int, str]:
    from pypdf import PdfReader

    reader = PdfReader(path)
    return len(reader.pages), "\n".join(page.extract_text() for page in reader.pages)


def with_markdownify(path: Path) -> tuple[int, str]:
    from markdownify import markdownify

    return 1, markdownify(path.read_bytes().decode(errors="replace"), strip=["a", "img"])


def short_pdfs(paths: Sequence[Path]) -> list[Path]:
    """The PDFs that a peer reads."""
    with FileReader() as reader:
        return [
            path
            for path in paths
            for document in reader.read(path, on_error=lambda _: None)
            if document.metadata["pages"] <= PEER_PAGES
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=CACHE / "debian-documentation")
    parser.add_argument("--packages", nargs="+", default=PACKAGES)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--peer-files", type=int, default=60, help="files that each peer reads")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # Of peers.
    logging.disable()
    root = unpacked(arguments.folder, arguments.packages)
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    pdfs = spread([path for path in files if path.suffix == ".pdf"], arguments.files // 2)
    pages = [path for path in files if path.suffix in (".html", ".htm")]
    pages = spread(pages, arguments.files - len(pdfs))
    figures: dict[str, Any] = {
        "packages": list(arguments.packages),
        "pdf": read_all(pdfs, root),
        "html": read_all(pages, root),
    }
    figures["process_peak_mb"] = peak_bytes() / 1e6
    print(table([{"": name, **figures[name]} for name in ("pdf", "html")]))
    figures["pypdf"] = compare(spread(short_pdfs(pdfs), arguments.peer_files), with_pypdf)
    figures["markdownify"] = compare(spread(pages, arguments.peer_files), with_markdownify)
    print(table([{"": name, **figures[name]} for name in ("pypdf", "markdownify")]))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
