"""Reads the documents of data sets that ir_datasets names, such as `irds:beir/scifact`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ..core import Document, InvalidInputError, MissingExtraError, SourceError
from .document import parse_document
from .errors import OnError, report

PREFIX = "irds:"
_TITLES = ("title", "headline")
_TEXTS = ("text", "body", "abstract", "contents")
_METADATA = (str, int, float, bool)


def is_named(path: Path) -> bool:
    """Return True if a path is the name of a data set: `irds:NAME`."""
    return str(path).startswith(PREFIX)


def read_named_documents(
    path: Path, *, allow_download: bool = False, on_error: OnError | None = None
) -> Iterator[Document]:
    """Yield the documents of a data set.

    path: `irds:NAME`. allow_download: download what is not in the cache of ir_datasets (the folder
    in IR_DATASETS_HOME). Otherwise nothing uses the network.

    The text is the field `text`, `body`, `abstract` or `contents`, or else what ir_datasets calls
    the default text. Other fields with text or numbers become metadata.

    Raises SourceError if the data set is unknown, has no documents or is not in the cache, and
    MissingExtraError if ir_datasets is not installed.
    """
    dataset = _dataset(path)
    with ExitStack() as stack:
        if not allow_download:
            stack.enter_context(_no_network())
        try:
            for number, found in enumerate(dataset.docs_iter(), start=1):
                try:
                    document = parse_document(_fields(found))
                except InvalidInputError as error:
                    invalid = SourceError(error.message, path=path, line=number, field=error.field)
                    report(invalid, on_error)
                else:
                    yield document
        except _NoNetworkError:
            message = "is not in the cache of ir_datasets; --allow-download downloads it"
            raise SourceError(message, path=path) from None
        except OSError as error:
            raise SourceError(f"cannot be read: {error}", path=path) from None


def count_named(path: Path) -> int | None:
    """Return the number of documents of a data set, if it is known without reading them."""
    try:
        counted = _dataset(path).metadata()["docs"]["count"]
    except (KeyError, TypeError):
        return None
    return int(counted)


def _dataset(path: Path) -> Any:
    try:
        import ir_datasets
    except ImportError as error:
        raise MissingExtraError("ir_datasets", "documents") from error
    name = str(path).removeprefix(PREFIX)
    try:
        dataset = ir_datasets.load(name)
    except KeyError:
        message = f"ir_datasets has no data set {name!r}; see https://ir-datasets.com"
        raise SourceError(message, path=path) from None
    if not dataset.has_docs():
        raise SourceError("the data set has no documents; name its corpus", path=path)
    return dataset


def _fields(found: Any) -> dict[str, Any]:
    """Return the fields of a document. found: a named tuple of ir_datasets."""
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


class _NoNetworkError(Exception):
    """A download was necessary, but the network must not be used."""


@contextmanager
def _no_network() -> Iterator[None]:
    """Make every download of ir_datasets fail, in this process."""
    from ir_datasets.util import download

    def refuse(*_: object) -> Any:
        raise _NoNetworkError

    with ExitStack() as stack:
        for name in ("RequestsDownload", "GoogleDriveDownload", "GoogleCloudBucketStream"):
            if (kind := getattr(download, name, None)) is not None:
                stack.enter_context(patch.object(kind, "stream", refuse))
        yield
