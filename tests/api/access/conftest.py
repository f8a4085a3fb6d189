"""Servers that require keys, and documents of two tenants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from twindex.api.serving.access import keyring
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key

TENANTS = ("acme", "zeta")


def documents() -> list[dict[str, Any]]:
    """Documents of two tenants, whose texts share words. Ids and words name the tenant."""
    found = []
    for i in range(24):
        tenant = TENANTS[i % 2]
        words = ["river", "bank", "boat", "money", "bridge", f"only{tenant}"][: 2 + i % 5]
        found.append(
            {
                "id": f"{tenant}-{i:02d}",
                "title": f"Title {tenant}",
                "text": f"{' '.join(words)} only{tenant} number {i}.",
                "metadata": {"tenant": tenant, "year": i, f"field_{tenant}": i},
            }
        )
    return found


class Keys:
    """Creates keys for a server whose folder is `root`."""

    def __init__(self, root: Path) -> None:
        self.file = KeyFile(root / FILE_NAME)

    def __call__(self, *scopes: str, **fields: Any) -> dict[str, str]:
        """Create a key and return the header of its requests."""
        created = new_key("test", scopes=scopes or ("read",), **fields)
        self.file.add(created.key)
        return {"api-key": created.secret}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Servers notice changes of keys at once."""
    monkeypatch.setattr(keyring, "CHECK_SECONDS", 0.0)


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path)


@pytest.fixture
def tenants(serve, keys, fake_config):
    """A server with a key for everything, and the collections `shop` and `vault`."""
    admin = keys("read", "write", "admin")
    client = serve()
    client.admin = admin
    lines = "\n".join(map(json.dumps, documents()))
    headers = {**admin, "content-type": "application/x-ndjson"}
    for name in ("shop", "vault"):
        made = client.put(f"/v1/collections/{name}", json=fake_config, headers=admin)
        assert made.status_code == 201, made.text
        path = f"/v1/collections/{name}/documents/bulk"
        assert client.post(path, content=lines, headers=headers).status_code == 200
    return client
