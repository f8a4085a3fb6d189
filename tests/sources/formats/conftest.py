from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from twindex.core import Document, SourceError
from twindex.sources import FileReader, list_source

Outcome = tuple[dict[str, Document], dict[str, SourceError]]


@pytest.fixture(scope="session")
def reader() -> Iterator[FileReader]:
    with FileReader() as reader:
        yield reader


@pytest.fixture
def read(tmp_path: Path, reader: FileReader) -> Callable[..., Outcome]:
    """Return a function that reads a folder: id -> document, and path in the folder -> error."""

    def call(folder: Path = tmp_path, files: FileReader = reader) -> Outcome:
        errors: list[SourceError] = []
        found = {
            document.id: document
            for file in list_source(folder).files
            for document in files.read(file.path, file.id, errors.append)
        }
        return found, {one.path.relative_to(folder).as_posix(): one for one in errors}

    return call
