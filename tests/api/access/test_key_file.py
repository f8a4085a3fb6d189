"""The file of keys has digests only, survives kill -9, and a server follows its changes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.api.serving.access import key_file
from twindex.api.serving.access import keyring as keyring_module
from twindex.api.serving.access.access import Access
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key
from twindex.api.serving.access.keyring import Keyring
from twindex.api.serving.problems import Problem
from twindex.core import ConfigError, InvalidInputError, NotFoundError


@pytest.fixture
def file(tmp_path):
    return KeyFile(tmp_path / FILE_NAME)


@pytest.fixture
def keyring(file):
    return Keyring(file.path)


def found(keyring, secret: str):
    return keyring.find(secret.encode())


def test_the_file_has_no_key_and_only_its_owner_reads_it(file):
    created = new_key("app")
    file.add(created.key)
    assert created.secret not in file.path.read_text()
    assert created.secret.split("_", 2)[2] not in file.path.read_text()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert repr(created.key).count(created.key.digest) == 0


def test_a_file_that_could_not_be_read_again_is_not_written(file, monkeypatch):
    kept = new_key("kept").key
    file.add(kept)
    monkeypatch.setattr(key_file, "MOST_BYTES", 20_000)
    with pytest.raises(InvalidInputError, match="shorter filters"):
        file.add(new_key("large", filter={"tenant": "x" * 20_000}).key)
    assert file.read() == [kept]


def test_a_key_is_valid_until_it_is_revoked(file, keyring):
    assert not keyring.required
    created = new_key("app", scopes=("write",), collections=("a*",), filter={"tenant": "acme"})
    file.add(created.key)
    assert keyring.required
    key, access = found(keyring, created.secret)
    assert key.name == "app"
    assert access.scopes == {"write"}
    assert access.sees("abc")
    assert not access.sees("xabc")
    assert found(keyring, created.secret[:-1] + "!") is None
    assert found(keyring, created.secret[:-1] + ("a" if created.secret[-1] != "a" else "b")) is None
    assert found(keyring, "") is None
    file.revoke(created.key.id)
    assert found(keyring, created.secret) is None
    assert keyring.required  # The last key is gone, and the server stays closed.


def test_a_key_expires(file, keyring, monkeypatch):
    created = new_key("app", expires=time.time() + 100)
    file.add(created.key)
    assert found(keyring, created.secret) is not None
    later = time.time() + 101
    monkeypatch.setattr(keyring_module.time, "time", lambda: later)
    assert found(keyring, created.secret) is None


def test_a_server_whose_file_of_keys_disappears_or_breaks_stays_closed(file, keyring):
    created = new_key("app")
    file.add(created.key)
    assert found(keyring, created.secret) is not None
    text = file.path.read_text()
    for damage in (file.path.unlink, lambda: file.path.write_text(text[:-9])):
        damage()
        assert keyring.required
        with pytest.raises(Problem) as caught:
            found(keyring, created.secret)
        assert caught.value.status == 503
        file.path.write_text(text)
        assert found(keyring, created.secret) is not None


def test_an_invalid_file_is_refused_by_name(file):
    file.path.write_text('{"format": 2, "keys": []}')
    with pytest.raises(ConfigError, match="format 2 needs a newer version"):
        file.read()
    file.path.write_text('{"format": 1, "keys": [{"id": "x"}]}')
    with pytest.raises(ConfigError, match="not a valid file of keys"):
        file.read()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": " "}, "name"),
        ({"scopes": ()}, "scopes"),
        ({"scopes": ("all",)}, "scopes"),
        ({"collections": ("a/b",)}, "collections"),
        ({"filter": {"a": {"near": 1}}}, "filter"),
        ({"scopes": ("admin",), "filter": {"a": 1}}, "scopes"),
        ({"scopes": ("admin",), "signed": "accepted"}, "scopes"),
        ({"expires": 1.0}, "expires"),
    ],
)
def test_an_invalid_key_is_refused_by_field(fields, named):
    with pytest.raises(InvalidInputError) as caught:
        new_key(**{"name": "app", **fields})
    assert str(caught.value.field).startswith(named)


@given(
    st.text("ab*", min_size=1, max_size=6),
    st.text("abc", max_size=8),
)
def test_a_pattern_matches_as_the_shell_does(pattern, name):
    assert Access(collections=(pattern,)).sees(name) == fnmatchcase(name, pattern)


def test_patterns_of_many_stars_are_fast():
    access = Access(collections=("a*" * 30 + "b",))
    began = time.perf_counter()
    assert not access.sees("a" * 64)
    assert time.perf_counter() - began < 0.5


ADDING = """
import sys
from pathlib import Path
from twindex.api.serving.access.key_file import KeyFile, new_key
file = KeyFile(Path(sys.argv[1]))
while True:
    created = new_key("app")
    file.add(created.key)
    print(created.key.id, flush=True)
"""


@pytest.mark.slow
def test_no_key_is_lost_to_kills(file):
    told = set()
    for seconds in (0.05, 0.1, 0.2, 0.15, 0.3):
        command = [sys.executable, "-c", ADDING, str(file.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            told.add(process.stdout.readline().strip())
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            told |= {line.strip() for line in process.stdout if line.endswith("\n")}
        assert told <= {key.id for key in file.read()}


def test_commands_create_list_and_revoke(run, tmp_path, file):
    root = str(tmp_path)
    made = run("keys", "create", root, "--name", "app", "--filter", '{"tenant": "acme"}', "--json")
    assert made.status == 0
    assert made.json["key"].startswith(f"tw_{made.json['id']}_")
    assert made.json["signing_secret"] is None
    plain = run("keys", "create", root, "--name", "two", "--scope", "write", "--expires", "12h")
    assert plain.out.startswith("tw_")
    assert len(plain.out.splitlines()) == 1
    listed = run("keys", "list", root, "--json").json["keys"]
    assert [(one["name"], one["scopes"], one["state"]) for one in listed] == [
        ("app", ["read"], "valid"),
        ("two", ["write"], "valid"),
    ]
    assert "app" in run("keys", "list", root).out
    assert run("keys", "revoke", root, made.json["id"]).status == 0
    assert run("keys", "list", root, "--json").json["keys"][0]["state"] == "revoked"
    assert run("keys", "revoke", root, "nothing").status == 2
    assert run("keys", "create", root, "--name", "app", "--expires", "soon").status == 2
    assert run("keys", "create", root, "--name", "app", "--requests", "0").status == 2
    assert run("keys", "list", str(tmp_path / "none")).status == 2
    text = json.loads(file.path.read_text())
    assert made.json["key"] not in json.dumps(text)
    assert os.listdir(tmp_path)


def test_revoking_an_unknown_key_names_it(file):
    with pytest.raises(NotFoundError, match="no key 'x'"):
        file.revoke("x")
