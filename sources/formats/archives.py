"""Unpacks archives into a folder, within limits.

A member is a file in an archive. The unpacked members are named by numbers, so that no name in an
archive can choose a place on disk. Only members with a known format are unpacked. Links are not
followed.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from .converted import Member, Skipped, Unpacked
from .kinds import RECORD_SUFFIXES, format_of, kind_of
from .limits import RATIO_FROM, Limits
from .reasons import (
    DAMAGED,
    ENCRYPTED,
    LIMIT,
    LINK,
    OTHER_KIND,
    RECORDS,
    REPLACED,
    TOO_LARGE,
    UnreadableError,
)

_NO_NAMES = ("/", "..", ".")
_PIECE = 1 << 18
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError,
    OSError, ValueError, NotImplementedError,
)  # fmt: skip


def unpack_zip(path: Path, into: Path, limits: Limits) -> Unpacked:
    """Unpack a ZIP archive into the folder `into`. Encrypted and damaged members are skipped.

    Raises UnreadableError for a damaged archive, and for one that exceeds `limits`.
    """
    with _damage(path), zipfile.ZipFile(path) as archive:
        filling = _Filling(path, into, limits)
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if len(infos) > limits.members:
            filling.exceed("members", limits.members, "files")
        wanted = [info for info in infos if filling.wants(info.filename)]
        filling.check(sum(info.file_size for info in wanted))
        for info in wanted:
            if info.external_attr >> 16 & 0o170000 == 0o120000:
                filling.skip(info.filename, LINK, "is a link")
            elif info.flag_bits & 1:
                filling.skip(info.filename, ENCRYPTED, "is encrypted; unpack the archive first")
            else:
                try:
                    with archive.open(info) as file:
                        filling.add(info.filename, file)
                except _BROKEN as error:
                    filling.skip(info.filename, DAMAGED, f"cannot be unpacked ({error})")
        return filling.result()


def unpack_tar(path: Path, into: Path, limits: Limits) -> Unpacked:
    """Unpack a tar archive, which may be compressed, into the folder `into`.

    Raises UnreadableError if the archive is damaged or exceeds `limits` before its first member is
    unpacked. If the damage or excess comes later, the rest of the archive is skipped instead.
    """
    filling = _Filling(path, into, limits)
    members = 0
    try:
        with _opened(path) as plain:
            counted = _Counted(plain, filling)
            with tarfile.open(fileobj=counted, mode="r|") as archive:  # type: ignore[call-overload]
                for info in archive:
                    archive.members.clear()  # The list would grow with the archive.
                    if info.isdir():
                        continue
                    members += 1
                    if members > limits.members:
                        filling.exceed("members", limits.members, "files")
                    if not info.isreg():
                        filling.skip(info.name, LINK, "is a link or a special file")
                    elif filling.wants(info.name) and (file := archive.extractfile(info)):
                        filling.add(info.name, file)
    except _BROKEN as error:
        message = f"the archive is damaged ({error}); the rest of it is not read; create it again"
        if not filling.members:
            raise UnreadableError(
                DAMAGED, f"is not a valid archive ({error}); create it again"
            ) from None
        filling.skip("", DAMAGED, message)
    except UnreadableError as error:
        if not filling.members:
            raise
        filling.skip("", error.reason, f"{error.message}; the rest of it is not read")
    return filling.result()


def unpack_gzip(path: Path, into: Path, limits: Limits) -> Unpacked:
    """Unpack a gzip file into the folder `into`. The result has one member, whose name is "".

    Raises UnreadableError for a damaged file, and for one that exceeds `limits`.
    """
    with _damage(path), gzip.open(path) as file:
        filling = _Filling(path, into, limits)
        filling.add("", file)
        return filling.result()


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Filling:
    """A folder that receives the members of an archive. Counts their bytes, and checks limits."""

    def __init__(self, archive: Path, into: Path, limits: Limits) -> None:
        self.members: dict[str, Member] = {}
        self.skipped: list[Skipped] = []
        self.expanded = 0
        self._limits = limits
        self._into = into
        self._number = 0
        self._most = min(
            limits.expanded, max(RATIO_FROM, limits.ratio * max(1, archive.stat().st_size))
        )

    def wants(self, name: str) -> bool:
        """Return True if a member has a known format and is not hidden.

        Other members that are not hidden are added to `skipped`.
        """
        parts = PurePosixPath(name).parts
        if any(part.startswith(".") and part not in _NO_NAMES for part in parts):
            return False
        if format_of(PurePosixPath(name).name) is not None:
            return True
        kind = kind_of(Path(name))
        if kind.removesuffix(".gz") in RECORD_SUFFIXES:
            message = "contains many records; unpack the archive and name the file"
            self.skip(name, RECORDS, message)
        else:
            self.skip(name, OTHER_KIND, f"files of the type {kind} are not supported")
        return False

    def add(self, name: str, file: _Readable) -> None:
        """Unpack a member. A later member with the same name replaces an earlier one."""
        name = "/".join(part for part in PurePosixPath(name).parts if part not in _NO_NAMES)
        self._number += 1
        target = self._into / str(self._number)
        size = 0
        try:
            with target.open("wb") as out:
                while piece := file.read(_PIECE):
                    size += len(piece)
                    self.check(len(piece))
                    self.expanded += len(piece)
                    if size > self._limits.bytes:
                        break
                    out.write(piece)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        if size > self._limits.bytes:
            target.unlink()
            message = f"has more than {self._limits.bytes:,} bytes; raise the limit `bytes`"
            self.skip(name, TOO_LARGE, message)
            return
        if (other := self.members.get(name)) is not None:
            self.skip(name, REPLACED, "a later file of the archive has the same name")
            (self._into / other.file).unlink()
        self.members[name] = Member(name, target.name)

    def skip(self, name: str, reason: str, message: str) -> None:
        self.skipped.append(Skipped(name, reason, message))

    def check(self, more: int) -> None:
        """Raise UnreadableError if unpacking `more` further bytes would exceed the limits."""
        if self.expanded + more > self._most:
            kind = "expanded" if self._most == self._limits.expanded else "ratio"
            self.exceed(kind, self._most, "bytes when unpacked")

    def exceed(self, limit: str, value: int, unit: str) -> None:
        raise UnreadableError(
            LIMIT, f"has more than {value:,} {unit}; unpack it, or raise the limit `{limit}`"
        )

    def result(self) -> Unpacked:
        return Unpacked(list(self.members.values()), self.skipped, self.expanded)


class _Counted:
    """A tar file whose unpacked bytes, including headers, are checked against the limits."""

    def __init__(self, file: _Readable, filling: _Filling) -> None:
        self._file = file
        self._filling = filling
        self._read = 0

    def read(self, size: int) -> bytes:
        # Headers have sizes of their own, and are read into memory at once.
        self._filling.check(size + self._read - self._filling.expanded)
        content = self._file.read(size)
        self._read += len(content)
        return content


@contextmanager
def _opened(path: Path) -> Iterator[_Readable]:
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(file) as plain:
                yield plain
        elif start.startswith(b"BZh"):
            with bz2.open(file) as plain:
                yield plain
        elif start == b"\xfd7zXZ\0":
            with lzma.open(file) as plain:
                yield plain
        else:
            yield file


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Raise UnreadableError for errors in the `with` block that a damaged archive causes."""
    try:
        yield
    except _BROKEN as error:
        message = f"is damaged ({error}); create it again"
        raise UnreadableError(DAMAGED, message) from None
