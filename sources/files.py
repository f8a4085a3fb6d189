"""Reads one file of a folder as documents: text, rich formats and archives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from ..core import Document, InvalidInputError, SourceError
from ..core.files import unreadable
from .document import parse_document
from .errors import OnError, report
from .formats import Converter, Format, Limits, UnreadableError, format_of
from .formats.content import checked_format
from .formats.converted import Unpacked
from .formats.kinds import MARKDOWN, PDF, PLAIN, SHEETS, kind_of
from .formats.limits import DEFAULT_LIMITS, check_characters
from .formats.reasons import EMPTY, LIMIT, OTHER_KIND, TOO_LARGE
from .lines import read_whole
from .markdown import split_front_matter
from .structure import first_heading


class FileReader:
    """Reads files of all known formats. Use it as a context manager, or call `close`.

    Text files are read in this process. Files of other formats are converted in another process,
    within `limits`. A hostile file can therefore prevent only its own documents. The other process
    is started when it is first needed, and converts all later files.

        with FileReader() as reader:
            for document in reader.read(Path("notes/report.pdf"), "report.pdf"):
                print(document.title)
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.converter = Converter(limits)

    @property
    def peak_bytes(self) -> int:
        """Peak memory of the process that converts files, so far, in bytes."""
        return self.converter.peak_bytes

    def read(
        self, path: Path, name: str | None = None, on_error: OnError | None = None
    ) -> Iterator[Document]:
        """Yield the document of a file; for an archive, the documents of the files in it.

        name: path of the file relative to the folder that the caller named, with slashes. None: the
              name of the file.
        on_error: function that receives the SourceError of each file, or file in an archive, that
              cannot be read. None: the error is raised.

        `reason` of a SourceError is a constant of `formats.reasons`, "unreadable" or None.

        The fields of a document are:

        id:    `name`. For a file in an archive, `name/PATH`, with the path inside the archive.
        title: title in the file, or else its first heading, or else the name of the file.
        text:  the text without front matter. Rich formats become Markdown, with a form feed between
               pages or slides.
        metadata: `path` (the id), `type` (the media type), `modified` (time of the last change in
               UTC; for a file in an archive, the time of the archive) and properties in the file,
               such as `author`, `created`, `language` and `pages`. Front matter of Markdown is
               added, and replaces fields of the same name.
        """
        name = path.name if name is None else name
        try:
            modified = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        except OSError as error:
            report(unreadable(path, error), on_error)
            return
        except (ValueError, OverflowError):  # A time that no calendar has.
            modified = datetime.fromtimestamp(0, UTC)
        time = modified.isoformat().replace("+00:00", "Z")
        budget = _Budget(self.limits.members, self.limits.expanded)
        yield from self._read(_File(path, name, path, time), budget, on_error)

    def close(self) -> None:
        """End the process that converts files, if there is one."""
        self.converter.close()

    def __enter__(self) -> FileReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, file: _File, budget: _Budget, on_error: OnError | None) -> Iterator[Document]:
        try:
            format_ = self._format(file)
            if format_.archive:
                folder, unpacked = self._unpacked(file, format_, budget)
            else:
                document = _document(file, format_, self._fields(file, format_))
        except SourceError as error:
            error.path = file.shown
            report(error, on_error)
        except UnreadableError as error:
            report(SourceError(error.message, path=file.shown, reason=error.reason), on_error)
        except OSError as error:
            report(unreadable(file.shown, error), on_error)
        except InvalidInputError as error:
            report(SourceError(error.message, path=file.shown, field=error.field), on_error)
        else:
            if not format_.archive:
                yield document
                return
            with folder as place:
                yield from self._members(file, Path(place), unpacked, budget, on_error)

    def _fields(self, file: _File, format_: Format) -> dict[str, Any]:
        """Return the title, text and metadata of a file of any format except archives."""
        if format_.reader is None:
            return _text_fields(file, format_, self.limits)
        converted = self.converter.convert(file.path, format_)
        if not converted.text.strip():
            raise UnreadableError(EMPTY, "has no text")
        # The first heading may be "1 Introduction" or "Sheet1".
        headed = "" if format_ in (PDF, SHEETS) else first_heading(converted.text)
        return {
            "title": converted.title or headed,
            "text": converted.text,
            "metadata": converted.metadata,
        }

    def _format(self, file: _File) -> Format:
        promised = format_of(file.kind)
        if promised is None:
            kind = kind_of(Path(file.kind))
            message = f"files of the type {kind} are not supported; convert it to text or PDF"
            raise UnreadableError(OTHER_KIND, message)
        size = file.path.stat().st_size
        if not size:
            raise UnreadableError(EMPTY, "the file is empty")
        if size > self.limits.bytes:
            message = f"has {size:,} bytes, but the limit `bytes` is {self.limits.bytes:,}; "
            message += "split the file, or raise the limit"
            raise UnreadableError(TOO_LARGE, message)
        return checked_format(file.path, promised)

    def _unpacked(
        self, file: _File, format_: Format, budget: _Budget
    ) -> tuple[TemporaryDirectory[str], Unpacked]:
        """Unpack an archive into a temporary folder."""
        if file.depth >= self.limits.depth:
            message = f"is inside {file.depth} archives; unpack it, or raise the limit `depth`"
            raise UnreadableError(LIMIT, message)
        limits = replace(self.limits, members=budget.members, expanded=budget.expanded)
        folder = TemporaryDirectory(prefix="twindex-")
        try:
            unpacked = self.converter.unpack(file.path, Path(folder.name), format_, limits)
        except BaseException:
            folder.cleanup()
            raise
        if not unpacked.members and not unpacked.skipped:
            folder.cleanup()
            raise UnreadableError(EMPTY, "has no files, or only hidden files")
        budget.take(len(unpacked.members), unpacked.expanded)
        return folder, unpacked

    def _members(
        self,
        file: _File,
        folder: Path,
        unpacked: Unpacked,
        budget: _Budget,
        on_error: OnError | None,
    ) -> Iterator[Document]:
        for skipped in unpacked.skipped:
            where = file.member(skipped.name, file.path).shown
            report(SourceError(skipped.message, path=where, reason=skipped.reason), on_error)
        for member in sorted(unpacked.members, key=lambda one: one.name):
            inner = file.member(member.name, folder / member.file)
            yield from self._read(inner, budget, on_error)
            inner.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _File:
    """A file to read.

    path:   path of the content: of the file itself, or of an unpacked copy.
    name:   id of the file's document.
    shown:  path of the file in error messages.
    modified: time of the last change, in ISO 8601.
    depth:  number of archives that contain the file, each inside the next.
    layers: number of gzip layers that were removed from the content.
    """

    path: Path
    name: str
    shown: Path
    modified: str
    depth: int = 0
    layers: int = 0

    @property
    def kind(self) -> str:
        """Return the file's name without the `.gz` of unpacked layers; its suffix is the format."""
        name = PurePosixPath(self.name).name
        return name[: len(name) - self.layers * len(".gz")]

    def member(self, name: str, path: Path) -> _File:
        """Return a file of this archive.

        name: path inside the archive; "" for the content of a compressed file.
        path: path of the unpacked copy.
        """
        if not name:
            return replace(self, path=path, depth=self.depth + 1, layers=self.layers + 1)
        return _File(path, f"{self.name}/{name}", self.shown / name, self.modified, self.depth + 1)


class _Budget:
    """The files and bytes that an archive, with the archives in it, may still unpack.

    members:  number of files.
    expanded: number of bytes.

    Both numbers stay at least 1, because `Limits` allows no smaller ones.
    """

    def __init__(self, members: int, expanded: int) -> None:
        self.members = members
        self.expanded = expanded

    def take(self, members: int, expanded: int) -> None:
        self.members = max(1, self.members - members)
        self.expanded = max(1, self.expanded - expanded)


def _text_fields(file: _File, format_: Format, limits: Limits) -> dict[str, Any]:
    """Return the title, text and metadata of a text file."""
    text = read_whole(file.path)
    title: object = ""
    metadata: dict[str, Any] = {}
    if format_ is MARKDOWN:
        metadata, text = split_front_matter(text)
        title = metadata.pop("title", None)
        title = first_heading(text) if title is None else str(title)
    elif format_ is not PLAIN:
        title = PurePosixPath(file.kind).name
    if not text.strip() and not metadata and not title:
        raise UnreadableError(EMPTY, "has no text")
    check_characters(text, limits)
    return {"title": title, "text": text, "metadata": metadata}


def _document(file: _File, format_: Format, value: dict[str, Any]) -> Document:
    own = {"path": file.name, "type": format_.media_type, "modified": file.modified}
    return parse_document(
        {
            "id": file.name,
            "title": value["title"] or PurePosixPath(file.kind).stem,
            "text": value["text"],
            "metadata": {**own, **value["metadata"]},
        }
    )
