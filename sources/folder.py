"""Reads documents from plain text and Markdown files. Each file is one document."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from ..core import Document, InvalidInputError, SourceError
from ..core.files import special
from .document import parse_document
from .errors import OnError, report
from .lines import MAX_LINE, read_whole

MARKDOWN_SUFFIXES = frozenset({".md", ".markdown"})
TEXT_SUFFIXES = MARKDOWN_SUFFIXES | {".txt"}

HIDDEN = "hidden"

_HEADING = re.compile(r"#{1,6}[ \t]")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_FRONT_MATTER_LINE = re.compile(r"([A-Za-z_][\w-]*):(?:[ \t]+(.*))?")


def read_folder_documents(folder: Path, on_error: OnError | None = None) -> Iterator[Document]:
    """Yield a document for each `.txt`, `.md` and `.markdown` file in `folder`, sorted by path.

    Subfolders are included. The id is the path relative to `folder`, with slashes. Hidden files and
    folders, other files, links to folders and unreadable files are skipped; `survey` counts them.
    Raises SourceError if there are no files to read.
    """
    paths = sorted(text_files(folder), key=lambda path: path.relative_to(folder).as_posix())
    if not paths:
        message = f"the folder contains no text files ({', '.join(sorted(TEXT_SUFFIXES))}); "
        message += "to read files with records, such as .jsonl or .csv, name each file"
        raise SourceError(message, path=folder)
    for path in paths:
        yield from read_text_document(path, path.relative_to(folder).as_posix(), on_error)


def read_text_document(
    path: Path, name: str | None = None, on_error: OnError | None = None
) -> Iterator[Document]:
    """Yield the document of a text file.

    An error is passed to `on_error`, and nothing is yielded. Without `on_error`, it is raised.

    The fields of the document are:

    id:    `name`. If that is None, the name of the file.
    title: for Markdown, the `title` of the front matter, or else the first heading. For Markdown
           without either, and for other files, the file name without its suffix.
    text:  the whole file without front matter.
    metadata: front matter, if it has only simple `key: value` lines. Values are numbers, true,
              false, lists such as [a, b], or text. More complex front matter stays in the text.
    """
    try:
        text = read_whole(path)
        metadata: dict[str, Any] = {}
        title = ""
        if path.suffix.lower() in MARKDOWN_SUFFIXES:
            metadata, text = split_front_matter(text)
            given = metadata.pop("title", None)
            title = _first_heading(text) if given is None else str(given)
        value = {"id": path.name if name is None else name, "text": text, "metadata": metadata}
        document = parse_document({**value, "title": title or path.stem})
    except SourceError as error:
        report(error, on_error)
    except InvalidInputError as error:
        report(SourceError(error.message, path=path, field=error.field), on_error)
    else:
        yield document


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Return (metadata from the front matter, remaining text) of a Markdown file.

    Front matter is a block between lines of `---` at the start. The metadata is empty if there is
    none, or if it has lines other than `key: value`.
    """
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return {}, text
    metadata: dict[str, Any] = {}
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() in ("---", "..."):
            return metadata, "\n".join(lines[number + 1 :]).lstrip("\n")
        if not line.strip() or line.startswith("#"):
            continue
        match = _FRONT_MATTER_LINE.fullmatch(line.rstrip())
        if match is None or not match[2]:
            break
        metadata[match[1]] = _scalar(match[2])
    return {}, text


def _scalar(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text


def _first_heading(text: str) -> str:
    fenced = False
    for line in text.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and (match := _HEADING.match(line)):
            title = line[match.end() :].strip()
            bare = title.rstrip("#")
            if bare != title and bare[-1:] in ("", " ", "\t"):  # The last # of "# C#" is text.
                title = bare.rstrip()
            if title:
                return title
    return ""


def text_files(folder: Path) -> Iterator[Path]:
    """Return the files that `read_folder_documents` reads, in no fixed order."""
    return (path for path, reason in walk(folder) if reason is None)


def walk(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield (path, reason) for the files in a folder and its subfolders.

    reason: why the file is skipped; None if it is read. For a skipped folder, the folder itself is
    yielded, without its files.
    """
    refused: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=refused.append):
        kept = []
        for name in folders:
            path = Path(parent, name)
            if name.startswith("."):
                yield path, HIDDEN
            elif path.is_symlink():
                yield path, "link to a folder"
            else:
                kept.append(name)
        folders[:] = kept
        for name in names:
            yield Path(parent, name), _reason_to_skip(Path(parent, name))
    for error in refused:
        yield Path(error.filename), "unreadable"


def _reason_to_skip(path: Path) -> str | None:
    if path.name.startswith("."):
        return HIDDEN
    if path.suffix.lower() not in TEXT_SUFFIXES:
        return "of another kind"
    try:
        found = path.stat()
    except OSError:
        return "unreadable"
    if not stat.S_ISREG(found.st_mode):
        return special(found.st_mode).removeprefix("a ")
    if found.st_size > MAX_LINE:
        return f"over {MAX_LINE:,} bytes"
    return None if os.access(path, os.R_OK) else "unreadable"
