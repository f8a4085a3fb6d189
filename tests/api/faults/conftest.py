"""A server whose file operations fail on request, and collections for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from ...durability.shim import Control, compiled
from .forked import Parent
from .requests import BIRDS, NDJSON, finished

LEGS: dict[str, Any] = {
    "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
    "lexical": {"kind": "lexical"},
}
CONFIG = {"legs": LEGS, "storage": {"seal_passages": 40, "max_segments": 4}}
DOCUMENTS = {f"d{n}": f"bird {n} of many words" for n in range(90)}


@dataclass
class Watched:
    """Starts servers whose file operations below `folder` `control` counts and lets fail."""

    folder: Path
    parent: Parent
    control: Control
    made: Path
    """Folder with `data`, which has collections, and `backups`, which has a snapshot."""
    _last: int = 0

    def number(self) -> int:
        """Return a number that no other folder has."""
        self._last += 1
        return self._last

    def fresh(self) -> Path:
        """Return a new copy of `made`."""
        return Path(shutil.copytree(self.made, self.folder / str(self.number())))

    def start(self, root: Path, *options: str) -> httpx.Client:
        """Start a server of a copy of `made`, and return a client of it."""
        more = ("--snapshots", str(root / "backups"), "--snapshots-keep", "2", *options)
        address = self.parent.start(root / "data", *more)
        return httpx.Client(base_url=address, timeout=60, trust_env=False)


@pytest.fixture
def watched(watched_session: Watched) -> Iterator[Watched]:
    """Servers of one test. None runs when it begins, and no operation fails."""
    yield watched_session
    watched_session.control.clear()
    watched_session.control.move_clock(0)
    watched_session.parent.stop()


@pytest.fixture(scope="session")
def watched_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    control = Control(folder / "control")
    environment = {
        "LD_PRELOAD": str(compiled(folder)),
        "SHIM_ROOT": str(folder),
        "SHIM_CONTROL": str(control.path),
    }
    parent = Parent(folder / "log", environment)
    try:
        found = Watched(folder, parent, control, folder / "made")
        _make(found)
        yield found
    finally:
        parent.close()


def _make(watched: Watched) -> None:
    """Write the collections `birds` and `emus`, the alias `live` and a snapshot of `birds`."""
    (watched.made / "data").mkdir(parents=True)
    with watched.start(watched.made) as client:
        lines = [json.dumps({"id": name, "text": text}) for name, text in DOCUMENTS.items()]
        for name, part in (("birds", lines), ("emus", lines[:3])):
            assert client.put(f"/v1/collections/{name}", json=CONFIG).status_code == 201
            for at in range(0, len(part), 45):
                path = f"/v1/collections/{name}/documents/bulk"
                content = "\n".join(part[at : at + 45])
                assert client.post(path, content=content, headers=NDJSON).status_code == 200
        assert client.delete(f"{BIRDS}/documents/d7").status_code == 204
        finished(client, client.post(f"{BIRDS}/snapshots"))
        action = {"action": "set", "alias": "live", "collection": "birds"}
        assert client.post("/v1/aliases", json={"actions": [action]}).status_code == 200
    assert watched.parent.end() == -9
