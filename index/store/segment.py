"""A segment: immutable files with the passages of a range of document numbers.

    segments/<id>/numbers.npy   int64 [n]     document number of each passage, ascending
                  spans.npy     int32 [n, 2]  start and end (exclusive) of each passage in its
                                              document, in characters; -1, -1: the whole document
                  <leg>/...                   the files of one leg

A segment covers all numbers from `first` to `last`. Some of them may be deleted or unused. The
ranges of segments do not overlap, and newer segments have higher numbers.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...core import (
    CorruptFileError,
    InvalidInputError,
    NoProgress,
    Progress,
    Representation,
    StorageError,
)
from ...core.errors import shown
from ..arrays.files import remove_tree, seal_directory
from ..arrays.npy import load
from ..arrays.offsets import ranges
from ..config import CollectionConfig
from ..protocol import LegPart, Mask, SegmentPart
from .database.rows import SegmentRow

P = TypeVar("P", bound=LegPart)


class Parts(dict[str, P]):
    """A dictionary of leg -> the part of this leg in a segment or in the delta.

    Raises InvalidInputError for an unknown leg.
    """

    def __missing__(self, leg: str) -> P:
        raise InvalidInputError(
            f"there is no leg {shown(leg)}; the legs are {', '.join(self)}", field="leg"
        )


@dataclass(frozen=True, slots=True)
class Passages:
    """The document and the character range of each passage in a segment or in the delta.

    numbers: int64 [n], document number of each passage, ascending.
    spans: int32 [n, 2], start and end (exclusive) in the document; -1, -1: the whole document.
    """

    numbers: NDArray[np.int64]
    spans: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.numbers)


class Segment:
    """One segment of a collection, with memory-mapped files.

    row: row of the segment in the database.
    passages: the passages of the segment.
    legs: leg -> index of the leg in this segment.
    """

    def __init__(self, row: SegmentRow, passages: Passages, legs: Mapping[str, SegmentPart]):
        self.row = row
        self.passages = passages
        self.legs = legs

    @classmethod
    def open(cls, directory: Path, row: SegmentRow, config: CollectionConfig) -> Segment:
        """Return the segment stored in `directory`. Its files are memory-mapped.

        row: the row of the segment in the database.

        Raises CorruptFileError for a missing or damaged file.
        """
        try:
            # Plain views of the mapped files: numpy's own subclass is slow to index.
            passages = Passages(
                np.asarray(load(directory / "numbers.npy", mapped=True)),
                np.asarray(load(directory / "spans.npy", mapped=True)),
            )
            legs = Parts(
                (name, leg.segment_part().open(directory / name, leg))
                for name, leg in config.legs.items()
            )
            rows = {"numbers.npy": len(passages), "spans.npy": len(passages.spans)}
            rows |= {f"leg {name}": len(part) for name, part in legs.items()}
            for what, found in rows.items():
                if found != row.passages:
                    raise ValueError(f"{what}: expected {row.passages} rows, found {found}")
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise StorageError(
                    f"{directory}: the process has too many open files; raise the limit with "
                    "`ulimit -n`, or merge the segments"
                ) from error
            raise CorruptFileError(directory, f"cannot be opened ({error})") from error
        except ValueError as error:
            raise CorruptFileError(directory, f"cannot be opened ({error})") from error
        return cls(row, passages, legs)

    def without(self, numbers: NDArray[np.int64], live: Mask | None = None) -> Mask | None:
        """Return the mask `live` without the rows of some documents.

        numbers: numbers of these documents.
        live: mask of rows whose documents are not deleted; None: all rows.

        Returns `live` itself if it does not change, else a new mask.
        """
        own = self.passages.numbers
        dead = ranges(np.searchsorted(own, numbers), np.searchsorted(own, numbers, "right"))
        if len(dead) == 0:
            return live
        less = np.ones(len(self.passages), dtype=np.bool_) if live is None else live.copy()
        less[dead] = False
        return less


def write(
    directory: Path,
    passages: Passages,
    legs: Mapping[str, Representation],
    first: int,
    last: int,
    config: CollectionConfig,
) -> SegmentRow:
    """Write and sync the files of a new segment. `directory` must not exist.

    legs: leg -> representations of all `passages`, in the same order.
    first, last: range of document numbers that the segment covers.

    Returns the row that the caller must store in the database.
    """
    with _started(directory, passages, config):
        for name, leg in config.legs.items():
            leg.segment_part().build(directory / name, legs[name], leg)
        return _sealed(directory, passages, first, last)


def merge(
    directory: Path,
    sources: Sequence[tuple[Segment, Mask | None]],
    config: CollectionConfig,
    memory: int,
    progress: Progress | None = None,
    *,
    resume: bool = False,
) -> SegmentRow:
    """Write and sync one segment with the passages of several segments, in order.

    sources: segments, each with a mask of the rows to keep; None: all rows.
    memory: working memory in bytes; see `SegmentPart.merge`.
    resume: True: continue an interrupted attempt at the same merge. `directory` may then exist, and
        is kept if this attempt fails too. False: `directory` must not exist, and is removed if the
        merge fails.

    Returns the row that the caller must store in the database.
    """
    progress = progress or NoProgress()
    kept = [slice(None) if live is None else live for _, live in sources]
    passages = Passages(
        np.concatenate([s.passages.numbers[k] for (s, _), k in zip(sources, kept, strict=True)]),
        np.concatenate([s.passages.spans[k] for (s, _), k in zip(sources, kept, strict=True)]),
    )
    with _started(directory, passages, config, resume=resume):
        for name, leg in config.legs.items():
            progress.start(f"index {name}", len(passages), "passages")
            counted = _CountingProgress(progress)
            leg.segment_part().merge(
                directory / name,
                [(segment.legs[name], live) for segment, live in sources],
                leg,
                memory,
                counted,
            )
            progress.advance(len(passages) - counted.rows)
        return _sealed(directory, passages, sources[0][0].row.first, sources[-1][0].row.last)


def _sealed(directory: Path, passages: Passages, first: int, last: int) -> SegmentRow:
    """Sync the files of a new segment to disk. Return its row, which the caller must store."""
    documents = int(np.count_nonzero(np.diff(passages.numbers))) + 1 if len(passages) else 0
    files = seal_directory(directory)
    return SegmentRow(directory.name, first, last, len(passages), documents, files)


class _CountingProgress:
    """A `Progress` that counts finished rows and reports them to another `Progress`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.rows = 0

    def start(self, stage: str, total: int | None, unit: str, done: int = 0) -> None: ...

    def advance(self, n: int = 1) -> None:
        self.rows += n
        self._progress.advance(n)

    def close(self) -> None: ...


@contextmanager
def _started(
    directory: Path, passages: Passages, config: CollectionConfig, *, resume: bool = False
) -> Iterator[None]:
    """Create the directory of a segment, with numbers.npy, spans.npy and a folder for each leg.

    A context manager: if its block fails, the directory is removed, unless `resume` is true.
    """
    directory.mkdir(parents=True, exist_ok=resume)
    try:
        np.save(directory / "numbers.npy", passages.numbers)
        np.save(directory / "spans.npy", passages.spans)
        for name in config.legs:
            (directory / name).mkdir(exist_ok=resume)
        yield
    except BaseException:
        if not resume:
            remove_tree(directory)
        raise
