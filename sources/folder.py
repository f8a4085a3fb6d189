"""Reads documents from plain text and Markdown files. Each file is one document."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core import Document, InvalidInputError, SourceError
from ..core.files import special
from .document import parse_document
from .errors import OnError, report
from .lines import MAX_LINE, read_whole
from .markdown import split_front_matter
from .structure import first_heading

MARKDOWN_SUFFIXES = frozenset({".md", ".markdown"})
TEXT_SUFFIXES = MARKDOWN_SUFFIXES | {".txt"}

HIDDEN = "hidden"


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
    metadata: front matter of `key: value` lines and of lists with a `- value` in each line. Values
              are numbers, true, false, null, lists such as [a, b], or text. More complex front
              matter stays in the text.
    """
    try:
        text = read_whole(path)
        metadata: dict[str, Any] = {}
        title = ""
        if path.suffix.lower() in MARKDOWN_SUFFIXES:
            metadata, text = split_front_matter(text)
            given = metadata.pop("title", None)
            title = first_heading(text) if given is None else str(given)
        value = {"id": path.name if name is None else name, "text": text, "metadata": metadata}
        document = parse_document({**value, "title": title or path.stem})
    except SourceError as error:
        report(error, on_error)
    except InvalidInputError as error:
        report(SourceError(error.message, path=path, field=error.field), on_error)
    else:
        yield document


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
