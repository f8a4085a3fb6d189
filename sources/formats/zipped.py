"""Checks of files that are ZIP archives inside: Office files and EPUB."""

from __future__ import annotations

import zipfile
from pathlib import Path

from .limits import RATIO_FROM, Limits
from .reasons import DAMAGED, ENCRYPTED, LIMIT, UnreadableError


def check_zip(path: Path, limits: Limits, part: str) -> None:
    """Raise UnreadableError unless a file is a ZIP archive with a given part, within the limits.

    part: name of a required file in the archive, such as "word/document.xml".

    The sizes that the archive declares are compared with the limits. A part is never read beyond
    its declared size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        message = f"is damaged ({error}); save it again"
        raise UnreadableError(DAMAGED, message) from None
    expanded = sum(info.file_size for info in infos)
    most = min(limits.expanded, max(RATIO_FROM, limits.ratio * path.stat().st_size))
    if len(infos) > limits.members:
        message = f"has {len(infos):,} parts, but the limit `members` is {limits.members:,}; "
        message += "split the file, or raise the limit"
        raise UnreadableError(LIMIT, message)
    if expanded > most:
        kind = "expanded" if most == limits.expanded else "ratio"
        message = f"has {expanded:,} bytes when unpacked, but the limit `{kind}` allows {most:,}; "
        message += "split the file, or raise the limit"
        raise UnreadableError(LIMIT, message)
    if any(info.flag_bits & 1 for info in infos):
        raise UnreadableError(ENCRYPTED, "is encrypted; save it without a password")
    if part not in {info.filename for info in infos}:
        message = f"has no {part}, so its suffix is wrong or it is damaged; save it again"
        raise UnreadableError(DAMAGED, message)
