"""The file of `--skipped`, which lists what is not indexed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ....core import InvalidInputError, SourceError
from ....sources import list_source


class SkippedList:
    """A file of JSON lines, one for each file or record that is not indexed, with the reason."""

    def __init__(self, path: Path, sources: Sequence[Path], exclude: Sequence[str]) -> None:
        self._path = path
        skipped = [
            (found, reason)
            for folder in sources
            if folder.is_dir()
            for found, reason in list_source(folder, exclude).skipped
        ]
        self._listed = {found for found, _ in skipped}
        self._write("w", ({"path": str(found), "reason": reason} for found, reason in skipped))

    def add(self, error: SourceError) -> None:
        """Add a file or record, unless the list names the file already."""
        if error.path in self._listed:
            return
        place = {"line": error.line, "field": error.field}
        place = {name: value for name, value in place.items() if value is not None}
        what = {"reason": error.reason, "message": error.message}
        self._write("a", [{"path": str(error.path), **place, **what}])

    def _write(self, mode: str, lines: Iterable[Mapping[str, object]]) -> None:
        try:
            with self._path.open(mode, encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
        except OSError as error:
            message = f"cannot write {self._path}: {error.strerror}"
            raise InvalidInputError(message, field="--skipped") from None
