"""Hostile and damaged files: what becomes of each, and the time and memory that it takes.

    python benchmarks/run.py hostile_files

Each file lies in a folder beside a harmless one, and the folder is read with the default limits by
a process of its own. Seconds are those of the reading, without the start of Python. Peak memory is
that of the reading process and that of the process that converts files, if it was needed.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common.timing import table

from twindex.core import SourceError
from twindex.core.memory import peak_bytes
from twindex.sources import read_documents

MB = 1 << 20
BOMB = 512
"""Megabytes of zeros in a bomb."""
DEEP = 100_000
"""Tags inside one another."""
GOOD = "good.md"


def zipped(name: str, content: bytes) -> bytes:
    """A ZIP archive with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.md", "w", force_zip64=True) as file,
    ):
        for _ in range(BOMB):
            file.write(bytes(MB))
    return buffer.getvalue()


def archives_in_archives() -> bytes:
    content = zipped("a.md", b"text")
    for _ in range(50):
        content = zipped("in.zip", content)
    return content


def entities() -> bytes:
    """A Word file whose XML expands to ten thousand million words, if it is expanded."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 11))
    text = f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]><document>&e10;</document>'
    return zipped("word/document.xml", text.encode())


def encrypted_pdf() -> bytes:
    from pypdf import PdfWriter

    writer, buffer = PdfWriter(), io.BytesIO()
    writer.add_blank_page(200, 200)
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(buffer)
    return buffer.getvalue()


def half_pdf() -> bytes:
    from pypdf import PdfWriter

    writer, buffer = PdfWriter(), io.BytesIO()
    for _ in range(50):
        writer.add_blank_page(200, 200)
    writer.write(buffer)
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


FILES: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "ZIP archive with much more content than bytes": ("bomb.zip", zip_bomb),
    "the same, compressed by gzip": ("bomb.md.gz", lambda: gzip.compress(bytes(BOMB * MB))),
    "archives inside archives": ("deep.zip", archives_in_archives),
    "XML entities that grow exponentially": ("entities.docx", entities),
    "deeply nested tags": ("deep.html", lambda: b"<div>" * DEEP + b"deep"),
    "deeply nested tables": ("tables.html", lambda: b"<table><tr><td>" * DEEP + b"deep"),
    "encrypted PDF": ("locked.pdf", encrypted_pdf),
    "half of a PDF": ("half.pdf", half_pdf),
    "picture with the suffix of a text": ("photo.txt", lambda: b"\x89PNG\r\n\x1a\n" + bytes(5000)),
    "rich text with the suffix of Word": ("letter.docx", lambda: rb"{\rtf1 hello}"),
    "text that is not UTF-8": ("latin.txt", lambda: "a café".encode("latin-1")),
    "one line of many megabytes": ("line.txt", lambda: b"word " * (8 * MB)),
}
"""What a file is -> its name, and the function that makes it."""
LINKS = "link to itself, link to its own folder"


def read(folder: Path) -> dict[str, Any]:
    """Read a folder. Return what became of its files, the seconds and the peak memory."""
    errors: list[SourceError] = []
    began = time.perf_counter()
    documents = [one.id for one in read_documents(folder, on_error=errors.append)]
    return {
        "seconds": time.perf_counter() - began,
        "documents": len(documents) - (GOOD in documents),
        "good": GOOD in documents,
        "reasons": sorted({str(error.reason) for error in errors}),
        "peak_mb": peak_bytes() / MB,
        "converter_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / MB,
    }


def measured(folder: Path) -> dict[str, Any]:
    """Read a folder in a process of its own."""
    command = [sys.executable, __file__, "--read", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read(arguments.read)))
        return
    rows = []
    with TemporaryDirectory() as place:
        for what, (name, content) in {**FILES, LINKS: ("loop.md", None)}.items():
            folder = Path(place) / name
            folder.mkdir()
            (folder / GOOD).write_text("A harmless note.")
            if content is None:
                (folder / name).symlink_to(folder / name)
                (folder / "up").symlink_to(folder)
                size = 0
            else:
                size = (folder / name).write_bytes(content())
            rows.append({"file": what, "bytes": size, **measured(folder)})
            print(rows[-1], flush=True)
    print(table([{key: str(value)[:40] for key, value in row.items()} for row in rows]))
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
