"""The manifest of a snapshot: its files with their sizes and checksums."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ....core import CorruptFileError, StorageError
from ..database.schema import COLLECTION_FORMAT

MANIFEST = "snapshot.json"
"""Name of the manifest. It is written last: a snapshot without a manifest does not exist."""
SNAPSHOT_FORMAT = 1
"""Version of the format of snapshots, which their manifests name."""

_NAME = re.compile(r"([A-Za-z0-9_-]{1,64})\.(\d{6})\.(\d{8}T\d{6}Z)\.([0-9a-f]{8})")
_FILE = re.compile(r"collection\.db|segments/[A-Za-z0-9._/-]{1,500}")


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """Size in bytes and SHA-256 of a file of a snapshot."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A complete snapshot.

    name:       name in its target. Names sort by age, also if the clock was moved back.
    collection: name of the folder of the collection.
    created:    time at which it was begun, in seconds since 1970.
    generation: number of changes of the collection that the snapshot contains.
    documents:  number of documents.
    files:      path -> size and checksum of each file.
    """

    name: str
    collection: str
    created: float
    generation: int
    documents: int
    files: Mapping[str, SnapshotFile] = field(repr=False)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.size for file in self.files.values())

    def summary(self) -> dict[str, Any]:
        """Return the snapshot as JSON values, without its files."""
        return {
            "name": self.name,
            "collection": self.collection,
            "created": self.created,
            "generation": self.generation,
            "documents": self.documents,
            "bytes": self.bytes,
            "files": len(self.files),
        }


def label(collection: str) -> str:
    """Return the name of a collection's folder as the first part of the names of its snapshots."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", collection)[:64] or "_"


def new_name(collection: str, present: Iterable[str]) -> str:
    """Return the name of a new snapshot of a collection.

    present: names of the snapshots in the target. The number in the new name is higher than theirs.
    """
    numbers = [int(match[2]) for name in present if (match := _NAME.fullmatch(name))]
    number = max(numbers, default=0) + 1
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return f"{label(collection)}.{number:06d}.{moment}.{secrets.token_hex(4)}"


def is_name(name: str) -> bool:
    """Return True if `name` has the form of a snapshot's name."""
    return _NAME.fullmatch(name) is not None


def collection_of(name: str) -> str:
    """Return the first part of a snapshot's name: the `label` of its collection."""
    return name.partition(".")[0]


def by_age(names: Iterable[str]) -> list[str]:
    """Return names of snapshots, oldest first."""
    return sorted(names, key=lambda name: (name.split(".")[1:], name))


def dump(info: SnapshotInfo) -> bytes:
    """Return the manifest of a snapshot as JSON. Its last field is a checksum of the others."""
    value = {
        "format": SNAPSHOT_FORMAT,
        "collection_format": COLLECTION_FORMAT,
        "name": info.name,
        "collection": info.collection,
        "created": info.created,
        "generation": info.generation,
        "documents": info.documents,
        "files": {path: [file.size, file.sha256] for path, file in sorted(info.files.items())},
    }
    return json.dumps({**value, "sha256": _digest(value)}, indent=1).encode() + b"\n"


def parse(data: bytes, where: str) -> SnapshotInfo:
    """Return the snapshot that a manifest describes.

    where: address of the manifest, for errors.

    Raises CorruptFileError for a damaged manifest, and StorageError for one of a later release.
    """
    try:
        value = json.loads(data)
        found = value.pop("sha256")
        if found != _digest(value):
            raise ValueError("its checksum does not match")
        if value["format"] != SNAPSHOT_FORMAT or value["collection_format"] != COLLECTION_FORMAT:
            raise StorageError(
                f"{where}: has format {value['format']}.{value['collection_format']}, and this "
                f"release reads {SNAPSHOT_FORMAT}.{COLLECTION_FORMAT}; use the release that wrote "
                "it"
            )
        files = {path: SnapshotFile(*file) for path, file in value["files"].items()}
        for path in files:
            if not _FILE.fullmatch(path) or ".." in path.split("/"):
                raise ValueError(f"it names the file {path!r}")
        return SnapshotInfo(
            value["name"],
            value["collection"],
            value["created"],
            value["generation"],
            value["documents"],
            files,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(where, f"the manifest is damaged ({error})") from None


def damaged(where: str, problem: str) -> CorruptFileError:
    """Return the error for a damaged file of a snapshot. where: address of the file."""
    return CorruptFileError(where, problem, remedy="restore another snapshot")  # type: ignore[arg-type]


def _digest(value: Mapping[str, Any]) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
