"""Reads the documents of data sets that ir_datasets names, such as `irds:beir/scifact`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..core import Document, InvalidInputError, MissingExtraError, SourceError, TwindexError
from .document import parse_document
from .errors import OnError, report

PREFIX = "irds:"
_TITLES = ("title", "headline")
_TEXTS = ("text", "body", "abstract", "contents")
_DOWNLOADS = ("RequestsDownload", "GoogleDriveDownload", "GoogleCloudBucketStream")
"""Classes of ir_datasets that download files."""
_METADATA = (str, int, float, bool)


def is_named(path: Path) -> bool:
    """Return True if a path is the name of a data set: `irds:NAME`."""
    return str(path).startswith(PREFIX)


def read_named_documents(
    path: Path, *, allow_download: bool = False, on_error: OnError | None = None
) -> Iterator[Document]:
    """Yield the documents of a data set.

    path:     `irds:NAME`, where NAME is the data set's name in ir_datasets.
    allow_download: True: download files that are not in the cache of ir_datasets. False: do not use
              the network.
    on_error: function that receives the SourceError of an invalid document; reading then continues.
              None: the error is raised.

    The title is the field `title` or `headline`. The text is the field `text`, `body`, `abstract`
    or `contents`, or else the `default_text()` of ir_datasets. Other fields with text or numbers
    become metadata. The environment variable IR_DATASETS_HOME names the folder of the cache.

    Raises SourceError if the data set is unknown, has no documents or is not in the cache, and
    MissingExtraError if ir_datasets is not installed.
    """
    dataset = _dataset(path)
    with _network(allow_download) as refused:
        try:
            for number, found in enumerate(dataset.docs_iter(), start=1):
                try:
                    document = parse_document(_fields(found))
                except InvalidInputError as error:
                    invalid = SourceError(error.message, path=path, line=number, field=error.field)
                    report(invalid, on_error)
                else:
                    yield document
        except TwindexError:
            raise
        except Exception as error:  # ir_datasets raises anything.
            message = f"cannot be read: {type(error).__name__}: {str(error)[:200]}"
            if refused:
                message = "is not in the cache of ir_datasets; --allow-download downloads it"
            raise SourceError(message, path=path) from error


def count_named(path: Path) -> int | None:
    """Return the number of documents of a data set; None if ir_datasets does not declare it."""
    try:
        counted = _dataset(path).metadata()["docs"]["count"]
    except (KeyError, TypeError):
        return None
    return int(counted)


def _dataset(path: Path) -> Any:
    try:
        import ir_datasets
    except ImportError as error:
        raise MissingExtraError("ir_datasets", "datasets") from error
    name = str(path).removeprefix(PREFIX)
    try:
        dataset = ir_datasets.load(name)
    except KeyError:
        message = f"ir_datasets has no data set {name!r}; see https://ir-datasets.com"
        raise SourceError(message, path=path) from None
    if not dataset.has_docs():
        raise SourceError(
            "the data set has no documents; name the data set that has its corpus", path=path
        )
    return dataset


def _fields(found: Any) -> dict[str, Any]:
    """Return the fields of a document from a named tuple of ir_datasets."""
    values = {name: getattr(found, name) for name in found._fields}
    title = next((name for name in _TITLES if values.get(name)), None)
    text = next((name for name in _TEXTS if isinstance(values.get(name), str)), None)
    others = {
        name: value
        for name, value in values.items()
        if name not in ("doc_id", title, text) and isinstance(value, _METADATA) and value != ""
    }
    return {
        "id": values["doc_id"],
        "title": values[title] if title else "",
        "text": values[text] if text else found.default_text(),
        "metadata": others,
    }


@contextmanager
def _network(allowed: bool) -> Iterator[list[str]]:
    """Make every download of ir_datasets fail, in this process, unless downloads are allowed.

    Yields a list, to which each refused download is added.
    """
    from unittest.mock import patch  # Its import takes as long as that of numpy.

    from ir_datasets.util import download

    refused: list[str] = []

    def refuse(wanted: object) -> Any:
        refused.append(repr(wanted))
        raise OSError("the network is not used without --allow-download")

    with ExitStack() as stack:
        for name in () if allowed else _DOWNLOADS:
            if (kind := getattr(download, name, None)) is not None:
                stack.enter_context(patch.object(kind, "stream", refuse))
        yield refused
