"""Reads the changed files of a sync, and records which document came from which file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import time_ns

from ... import __version__
from ...core import Document, InvalidInputError, MissingExtraError, SourceError
from ...core.files import unreadable
from ...index.store.manifest import (
    Synced,
    SyncedDocument,
    SyncedFile,
)
from ...sources import FieldNames, FileReader, Limits, read_records
from ...sources.formats.reasons import DAMAGED, EMPTY, EXTRA, IMAGES, LIMIT, TOO_LARGE
from ...sources.listing import SourceFile, digest, stamp
from .claims import Claims
from .record import FileContent, SyncRecord, from_json

PROBLEMS = 100
"""Maximum number of problems that are recorded for one file. Further problems are only counted."""
_SETTLED_NS = 2_000_000_000
"""Nanoseconds. If a file is read sooner after its last change, the file's times are not trusted.

The file may change once more without a change of its times, so the next sync compares content."""
_NO_TEXT = frozenset({EMPTY, IMAGES})
"""Reasons of problems of files that were read completely and contain no document."""
_NOT_READ = frozenset({DAMAGED, TOO_LARGE, LIMIT})
"""Reasons why a file of records was not read to its end."""


class SyncReading:
    """Yields the documents of changed files. Lists new, changed and unchanged files, and problems.

    record:   collects what was read, for the transactions.
    synced:   the record of synced files at the start of this sync.
    claims:   decides which file owns a document id.
    earlier:  function: number of a file -> its documents at the last sync.
    stored:   function: id -> stored document, or None.
    check:    function that raises InvalidInputError for a document that cannot be indexed.
    reread:   read every file, even if its content is unchanged.
    strict:   raise the first problem instead of recording it.
    """

    def __init__(
        self,
        record: SyncRecord,
        synced: Synced,
        claims: Claims,
        *,
        earlier: Callable[[int], Sequence[SyncedDocument]],
        stored: Callable[[str], Document | None],
        check: Callable[[Document], None],
        fields: FieldNames,
        limits: Limits,
        reread: bool,
        strict: bool,
    ) -> None:
        self.new: list[Path] = []
        self.changed: list[Path] = []
        self.unchanged: list[Path] = []
        self.reread: list[Path] = []
        self.problems: dict[tuple[str, str], list[SourceError]] = {}
        self.reasons: dict[tuple[str, str], Mapping[str, int]] = {}
        self.kept: dict[tuple[str, str], int] = {}
        self._record = record
        self._synced = synced
        self._claims = claims
        self._earlier = earlier
        self._stored_document = stored
        self._check = check
        self._fields = fields
        self._limits = limits
        self._recipes = {True: _recipe(fields), False: _recipe(limits)}
        self._all = reread
        self._strict = strict
        self._next = max(synced.by_number, default=0) + 1
        self._numbers: dict[tuple[str, str], int] = {}
        self._keys: dict[int, tuple[str, str]] = {}
        self._taken: dict[SourceFile, Sequence[str]] = {}

    # -- reading ---------------------------------------------------------------------------

    def documents(self, files: Sequence[SourceFile]) -> Iterator[Document]:
        """Yield the documents of the files that have changed since the last sync."""
        with FileReader(self._limits) as reader:
            for file in files:
                content = self._changed(file, again=False)
                if content is not None:
                    yield from self._read(content, reader)

    def documents_again(self, files: Sequence[SourceFile]) -> Iterator[Document]:
        """Yield the documents of all the files, even if they are unchanged or were read before."""
        with FileReader(self._limits) as reader:
            for file in files:
                self._claims.forget_wanted(self._taken.pop(file), self._number(file))
                content = self._changed(file, again=True)
                if content is not None:
                    yield from self._read(content, reader)

    def waiting(self) -> list[SourceFile]:
        """Return files with an id that another file owned, and that no file owns now."""
        return [
            file
            for file, ids in self._taken.items()
            if any(self._claims.available(id_, self._number(file)) for id_ in ids)
        ]

    def report(self, key: tuple[str, str], error: SourceError) -> None:
        """Report a file or folder that cannot be read now. Its documents stay in the collection.

        key: (source, name) of the file or folder.
        """
        if self._strict:
            raise error
        self.problems[key] = [error]
        self.reasons[key] = {error.reason: 1}
        source, name = key
        self.kept[key] = sum(
            self._synced.documents.get(known.number, 0)
            for (other, inner), known in self._synced.files.items()
            if other == source and (not name or inner == name or inner.startswith(f"{name}/"))
        )

    def all_problems(self) -> list[SourceError]:
        """Return the problems of all files, at most `PROBLEMS` of each."""
        return [error for found in self.problems.values() for error in found]

    def all_reasons(self) -> dict[str, int]:
        """Return the number of problems for each reason."""
        return dict(sum(map(Counter, self.reasons.values()), Counter()))

    def _changed(self, file: SourceFile, *, again: bool) -> FileContent | None:
        """Return an empty FileContent for a file that must be read, otherwise None.

        Returns None for an unchanged file. Returns None for a file that cannot be read, and reports
        it.

        again: True to read the file even if it is unchanged.
        """
        known = self._synced.files.get(file.key)
        state = {} if known is None else known.state
        recipe = self._recipes[file.has_records]
        same = (
            known is not None
            and not (again or self._all or state.get("retry"))
            and state.get("recipe") == recipe
            and known.number not in self._synced.altered
        )
        try:
            found = stamp(file.path)
            if same and found == state.get("stamp"):
                self._pass_by(file, known)
                return None
            settled = time_ns() - max(found[1], found[2]) > _SETTLED_NS
            content = digest(file.path)
        except FileNotFoundError:
            return None  # It was removed after the folder was listed. The next sync notices.
        except OSError as error:
            self.report(file.key, unreadable(file.path, error))
            return None
        made = {"stamp": found if settled else None, "digest": content, "recipe": recipe}
        if same and content == state.get("digest"):
            assert known is not None
            if made["stamp"] != state.get("stamp"):
                self._record.touch(replace(known, state={**state, **made}))
            self._pass_by(file, known)
            return None
        if not again:
            unchanged = state.get("digest") == content
            kinds = (self.new, self.changed, self.reread)
            kinds[0 if known is None else 2 if unchanged else 1].append(file.path)
        number = self._number(file)
        row = known or SyncedFile(number, file.source, file.name, {})
        return FileContent(file, row, made)

    def _pass_by(self, file: SourceFile, known: SyncedFile | None) -> None:
        """Count a file as unchanged, and report its problems again."""
        assert known is not None
        self.unchanged.append(file.path)
        if problems := known.state.get("problems"):
            self.problems[file.key] = [from_json(one) for one in problems]
            self.reasons[file.key] = known.state["reasons"]
        if kept := known.state.get("kept"):
            self.kept[file.key] = kept
        if taken := known.state.get("taken"):
            self._taken[file] = taken
            for id_ in taken:
                self._claims.want(id_, known.number)

    def _read(self, content: FileContent, reader: FileReader) -> Iterator[Document]:
        file, number = content.file, content.known.number
        self._record.reading = content
        fail = self._fail
        try:
            found = (
                read_records(file.path, self._fields, fail, reader.converter)
                if file.has_records
                else reader.read(file.path, file.id, fail)
            )
            for document in found:
                try:
                    self._check(document)
                except InvalidInputError as error:
                    place = file.path if file.has_records else file.base / document.id
                    fail(SourceError(error.message, path=place, field=error.field))
                    content.failed.add(document.id)
                    continue
                if not self._claims.claim(document.id, number):
                    content.taken.append(document.id)
                    fail(self._conflict(document.id, file))
                    continue
                content.ids.add(document.id)
                self._record.add(document.id, number)
                yield document if file.has_records else self._with_stored_time(document)
        except SourceError as error:
            if self._strict:
                raise
            fail(error)
            content.failed.add("")
        except MissingExtraError as error:
            if self._strict:
                raise
            fail(SourceError(str(error), path=file.path, reason=EXTRA))
            content.failed.add("")
        self._finish(content)

    def _with_stored_time(self, document: Document) -> Document:
        """Return the document, with its stored `modified` time if nothing else has changed.

        All files in an archive have the time of the archive. With the new time, a change of one
        file would cause all files of the archive to be encoded again.
        """
        stored = None if document.brings else self._stored_document(document.id)
        if stored is None or "modified" not in stored.metadata:
            return document
        time = {"modified": stored.metadata["modified"]}
        same = replace(document, metadata={**document.metadata, **time})
        return same if same == stored else document

    def _fail(self, error: SourceError) -> None:
        if self._strict:
            raise error
        content = self._record.reading
        assert content is not None
        content.reasons[error.reason] += 1
        if len(content.problems) < PROBLEMS:
            content.problems.append(error)
        if content.file.has_records:
            if error.line is None and error.reason in _NOT_READ:
                content.failed.add("")
            return
        if error.field == "id" or error.reason in _NO_TEXT:
            return
        inside = error.path.is_relative_to(content.file.base)
        part = error.path.relative_to(content.file.base).as_posix() if inside else ""
        content.failed.add(part)

    def _conflict(self, id_: str, file: SourceFile) -> SourceError:
        number = self._claims.owner_of(id_) or 0
        known = self._synced.by_number.get(number)
        other = known.path if known else Path(*self._keys.get(number, ("another file",)))
        message = (
            f"the id {id_!r} is already used by a document of {other}, so this document is not "
            "indexed; sync one folder that contains both files, or change an id"
        )
        return SourceError(message, path=file.path, field="id", reason="same id")

    def _finish(self, content: FileContent) -> None:
        """Record that a file was read to its end, with its problems and lost documents."""
        file, number = content.file, content.known.number
        for found in (self.problems, self.reasons, self.kept):
            found.pop(file.key, None)
        if content.problems:
            self.problems[file.key] = content.problems
            self.reasons[file.key] = content.reasons
        if content.taken:
            self._taken[file] = content.taken
        for one in self._earlier(number):
            if one.id in content.ids or not one.live:
                continue
            if content.keeps(one.id):
                content.kept += 1
            elif self._claims.claimed.get(one.id, number) == number:
                self._claims.retired.add(one.id)
                content.lost.append(one)
        if content.kept:
            self.kept[file.key] = content.kept
        self._record.finish(content)

    def _number(self, file: SourceFile) -> int:
        known = self._synced.files.get(file.key)
        if known is not None:
            return known.number
        if file.key not in self._numbers:
            self._numbers[file.key] = self._next
            self._keys[self._next] = file.key
            self._next += 1
        return self._numbers[file.key]


def _recipe(options: object) -> str:
    """Return a checksum of the options and the release, because they decide how a file is read.

    If this checksum differs from the recorded one, an unchanged file is read again.
    """
    return hashlib.blake2b(f"{__version__} {options}".encode(), digest_size=8).hexdigest()
