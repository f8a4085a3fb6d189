"""Writes a collection as plain files that other programs and `twindex build` can read.

    documents.jsonl    one document per line, in the order of the collection
    LEG.npy            the vectors of the dense leg LEG, float32 [passages, dimensions]
    LEG.jsonl          the vectors of the sparse leg LEG, one {"indices": [...], "values": [...]}
                       per line
    collection.json    the configuration, and the fingerprints of the encoders

The entry `files` of collection.json names the file of each leg. A sparse leg with the name
`documents` has the file documents.vectors.jsonl.

The rows of a leg are in the order of the documents. A document that was cut has one row for each
passage. Its line in documents.jsonl has the character ranges of the passages, as `passages`. Any
other document has one row.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson

from ..core import ConflictError, Document, NoProgress, Progress, StorageError
from ..index import DenseLeg, Handles, LegConfig, SparseLeg, Store, VectorView, require
from ..index.arrays.npy import NpyWriter

DOCUMENTS, COLLECTION = "documents.jsonl", "collection.json"
_BATCH = 1_000
"""Number of documents that are read at once."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The result of an export.

    documents: number of exported documents.
    passages:  number of passages, which is the number of rows in each leg's file.
    files:     leg -> name of the file with the leg's vectors.
    left_out:  leg -> reason why the leg's vectors are not exported.
    warnings:  a message for each leg whose vectors are exported in a rounded form.
    """

    documents: int
    passages: int
    files: dict[str, str]
    left_out: dict[str, str]
    warnings: tuple[str, ...]


def export(store: Store, output: Path, progress: Progress | None = None) -> ExportReport:
    """Write the documents and vectors of a collection to the new folder `output`.

    Reads one snapshot of the collection, and loads no model. Writes the files to a temporary folder
    and renames this folder at the end, so `output` is never incomplete.

    Raises ConflictError if `output` exists and is not an empty folder, or if `output` is the
    current folder, which cannot be replaced.
    """
    require(store, "vectors")
    progress = progress or NoProgress()
    partial: Path | None = None
    try:
        target = output.resolve()
        _check_new(output, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".twindex-export-", dir=target.parent))
        folder = partial / "files"  # Unlike the temporary folder, it has the usual permissions.
        folder.mkdir()
        with store.view() as view:
            report = _write(store, cast(VectorView, view), folder, progress)
        _check_new(output, target)  # Another export may have been faster.
        os.replace(folder, target)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise ConflictError(f"{output}: already exists; name a new folder") from None
        raise StorageError(f"{output}: cannot be written ({error.strerror or error})") from error
    finally:
        progress.close()
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    return report


def _check_new(output: Path, target: Path) -> None:
    """Raise ConflictError unless a new folder can be created at `target`.

    output: the path that the caller gave, for the error text. `target` is its resolved form.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConflictError(f"{output}: already exists; name a new folder")
    if target == Path.cwd():
        raise ConflictError(f"{output}: is the current folder; name a new folder inside it")


def _write(store: Store, view: VectorView, output: Path, progress: Progress) -> ExportReport:
    owners, spans = view.owners(), view.spans()
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    numbers = owners[starts]
    progress.start("export", len(numbers), "documents")
    with (output / DOCUMENTS).open("wb") as file:
        bounds = pairwise([*starts.tolist(), len(owners)])
        for document, (first, stop) in zip(_documents(view, numbers), bounds, strict=True):
            cut = spans[first:stop]
            line: dict[str, Any] = {
                "id": document.id,
                "title": document.title,
                "text": document.text,
            }
            line |= {"metadata": document.metadata} if document.metadata else {}
            if cut[0, 0] >= 0:
                line["passages"] = cut.tolist()
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            progress.advance(1)
    files, left_out, warnings = {}, {}, []
    for name, leg in view.config.legs.items():
        reason = _reason(leg)
        if reason is not None:
            left_out[name] = reason
            continue
        if isinstance(leg, DenseLeg):
            files[name] = f"{name}.npy"
            _write_dense(view, name, numbers, output / files[name])
            if view.is_rounded(name):
                warnings.append(
                    f"leg {name} stores rounded vectors, so the exported vectors are rounded too"
                )
        else:
            own = f"{name}.jsonl"
            files[name] = own if own != DOCUMENTS else f"{name}.vectors.jsonl"
            _write_sparse(view, name, output / files[name])
    about = {
        "documents": len(numbers),
        "passages": len(owners),
        "files": files,
        "config": view.config.model_dump(mode="json"),
        "fingerprints": store.fingerprints(),
    }
    (output / COLLECTION).write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2))
    return ExportReport(len(numbers), len(owners), files, left_out, tuple(warnings))


def _reason(leg: LegConfig) -> str | None:
    """Return the reason why the vectors of a leg are not exported; None if they are exported."""
    if leg.multi:
        return "the leg has several vectors per text; a build computes them again from the texts"
    if not isinstance(leg, DenseLeg | SparseLeg):
        return "the leg has no vectors; a build computes it again from the texts"
    return None


def _documents(view: VectorView, numbers: Handles) -> Iterator[Document]:
    rest = iter(numbers.tolist())
    while batch := list(islice(rest, _BATCH)):
        found = view.documents(batch)
        yield from (found[number] for number in batch)


def _write_dense(view: VectorView, leg: str, numbers: Handles, path: Path) -> None:
    with ExitStack() as stack:
        writer = None
        for _, vectors in view.leg_vectors(leg, numbers):
            if writer is None:
                made = NpyWriter(path, np.float32, vectors.shape[1])
                writer = stack.enter_context(made)
            writer.append(vectors)
    if writer is None:
        np.save(path, np.empty((0, 0), np.float32))


def _write_sparse(view: VectorView, leg: str, path: Path) -> None:
    with path.open("wb") as file:
        for _, matrix in view.leg_weights(leg):
            for start, stop in pairwise(matrix.indptr.tolist()):
                indices, values = matrix.indices[start:stop], matrix.data[start:stop]
                line = {"indices": indices.tolist(), "values": values.tolist()}
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
