"""A key that is revoked while the body of its request arrives writes nothing."""

from __future__ import annotations

import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx2
import pytest

from twindex.api.http.app import create_app
from twindex.api.serving.access.key_file import KeyFile, new_key
from twindex.api.serving.access.keyring import Keyring
from twindex.api.serving.settings import Settings

PATH = "/v1/collections/shop"
LEGS = {"legs": {"words": {"kind": "lexical"}}}


@pytest.mark.parametrize(
    ("method", "path", "kind", "body"),
    [
        ("POST", "/documents/bulk", "application/x-ndjson", b'{"id": "a", "text": "kiwi"}\n'),
        ("PUT", "/documents/a", "application/json", b'{"text": "kiwi"}'),
    ],
)
@pytest.mark.parametrize("revoked", [True, False])
def test_a_key_that_is_revoked_while_its_body_comes_writes_nothing(
    tmp_path, serving, keys, method, path, kind, body, revoked
):
    admin = keys("read", "write", "admin")
    secret = keys("write")["api-key"]
    with serving(create_app(tmp_path, Settings())) as url:
        made = httpx2.put(f"{url}{PATH}", json=LEGS, headers=admin)
        assert made.status_code == 201, made.text
        connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
        connection.putrequest(method, PATH + path)
        headers = {"api-key": secret, "content-type": kind, "content-length": str(len(body))}
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body[:5])
        time.sleep(0.4)  # The server checks the key when the head has come.
        if revoked:
            keys.file.revoke(keys.file.read()[1].id)
        time.sleep(0.4)
        connection.send(body[5:])
        reply = connection.getresponse()
        assert (reply.status == 401) is revoked, reply.read()
        connection.close()
        stored = httpx2.get(f"{url}{PATH}", headers=admin).json()["documents"]
        assert stored == (0 if revoked else 1)


def test_a_worker_that_starts_after_the_file_of_keys_disappeared_requires_a_key(tmp_path):
    path, mark = tmp_path / "keys.json", tmp_path / "mark"
    assert not Keyring(path, mark=mark).required
    KeyFile(path).add(new_key("app").key)
    assert Keyring(path, mark=mark).required
    path.unlink()
    assert Keyring(path, mark=mark).required
    assert not Keyring(path).required
