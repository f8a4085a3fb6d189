"""Keys are listed, created and revoked over REST, and no key can create one that may do more."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from itertools import product
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

import twindex
from twindex.api.http.app import create_app
from twindex.api.http.shapes.upkeep import KeyList, NewKey, StoredKey
from twindex.api.serving.access.access import SCOPES, Access, Limits
from twindex.api.serving.access.granting import MOST_BUDGETS, contains, exceeded
from twindex.api.serving.access.key_file import new_key
from twindex.api.serving.settings import Settings
from twindex.client import Client

KEYS = "/v1/keys"


def create(client, headers, status=201, **fields):
    reply = client.post(KEYS, json={"name": "new", **fields}, headers=headers)
    assert reply.status_code == status, reply.text
    return reply


def listed(client, headers):
    reply = client.get(KEYS, headers=headers)
    assert reply.status_code == 200, reply.text
    return {key.name: key for key in KeyList.model_validate(reply.json()).keys}


def test_a_key_is_created_shown_once_used_and_revoked(tenants):
    reply = create(
        tenants,
        tenants.admin,
        scopes=["read", "write"],
        collections=["shop"],
        filter={"tenant": "acme"},
        expires="2100-01-31T12:00:00Z",
        requests=100,
        signed_filter="accepted",
    )
    assert reply.headers["cache-control"] == "no-store"
    made = NewKey.model_validate(reply.json())
    assert made.signing_secret
    assert (made.state, made.expires, made.requests) == ("valid", "2100-01-31T12:00:00Z", 100)
    own = {"api-key": made.key}
    found = tenants.post("/v1/collections/shop/search", json={"query": "river"}, headers=own)
    assert {hit["id"][:4] for hit in found.json()["hits"]} == {"acme"}
    assert tenants.get("/v1/collections/vault", headers=own).status_code == 404
    text = tenants.get(KEYS, headers=tenants.admin).text
    assert made.key not in text
    assert made.signing_secret not in text
    assert "digest" not in text
    gone = tenants.delete(f"{KEYS}/{made.id}", headers=tenants.admin)
    assert StoredKey.model_validate(gone.json()).state == "revoked"
    assert tenants.get("/v1/collections", headers=own).status_code == 401
    assert listed(tenants, tenants.admin)["new"].state == "revoked"


def test_no_key_creates_a_key_that_may_do_more(tenants, keys, problem):
    shop = keys("read", "admin", collections=("shop*",))
    for field, wanted in (
        ("scopes", {"scopes": ["write"]}),
        ("collections", {"collections": ["*"]}),
        ("collections", {"collections": ["shop-1", "vault"]}),
        ("collections", {"collections": ["*shop"]}),
    ):
        details = problem(create(tenants, shop, 403, **wanted), 403, "forbidden")
        assert details.errors[0].field == field
    for wanted in ({}, {"collections": ["shop"]}, {"collections": ["shop-*", "shop1"]}):
        create(tenants, shop, **wanted)
    made = create(tenants, shop, scopes=["admin"]).json()
    assert made["collections"] == ["shop*"], "what is left out is as for the key of the request"
    for scope in ("read", "write"):
        create(tenants, keys(scope), 403)
    filtered = keys("read", "write", filter={"tenant": "acme"})
    create(tenants, filtered, 403)


def test_limits_and_the_end_of_a_key_are_passed_on(tenants, keys, problem):
    limited = keys("read", "admin", limits=Limits(5_000, 50, 9.0), expires=4_000_000_000.0)
    made = create(tenants, limited).json()
    assert (made["requests"], made["concurrent"], made["model_seconds"]) == (5_000, 50, 9.0)
    assert made["expires"].startswith("2096-")
    assert create(tenants, limited, requests=10).json()["requests"] == 10
    for field, value in (
        ("requests", 5_001),
        ("concurrent", 51),
        ("model_seconds", 9.5),
        ("expires", "2100-01-01T00:00:00Z"),
    ):
        details = problem(create(tenants, limited, 403, **{field: value}), 403, "forbidden")
        assert details.errors[0].field == field


def test_keys_that_a_key_creates_share_its_limits(tenants, keys, problem):
    limited = keys("read", "admin", limits=Limits(requests=5))
    made = create(tenants, limited).json()
    own = listed(tenants, limited)
    assert made["creator"] == own["test"].id
    assert own["test"].creator is None
    headers = {"api-key": made["key"]}
    for _ in range(3):
        reply = tenants.get("/v1/collections", headers=headers)
        assert reply.status_code == 200
    for one in (headers, limited):
        reply = tenants.get("/v1/collections", headers=one)
        problem(reply, 429, "too_many_requests")
    unlimited = create(tenants, tenants.admin).json()
    assert unlimited["creator"] is not None
    for _ in range(9):
        reply = tenants.get("/v1/collections", headers={"api-key": unlimited["key"]})
        assert reply.status_code == 200


def test_a_chain_of_keys_that_create_each_other_ends(tenants, keys, problem):
    own = keys("read", "admin", limits=Limits(requests=1_000))
    for _ in range(MOST_BUDGETS - 1):
        own = {"api-key": create(tenants, own, scopes=["read", "admin"]).json()["key"]}
    reply = tenants.post(KEYS, json={"name": "new"}, headers=own)
    assert "create it with one of the keys above" in problem(reply, 409, "conflict").detail
    own = tenants.admin
    for _ in range(MOST_BUDGETS + 1):
        own = {"api-key": create(tenants, own, scopes=["read", "write", "admin"]).json()["key"]}


def test_a_key_sees_and_revokes_only_keys_that_may_do_no_more(tenants, keys, problem):
    shop = keys("read", "admin", collections=("shop*",))
    other = create(tenants, tenants.admin, name="other", collections=["vault"]).json()
    inner = create(tenants, tenants.admin, name="inner", collections=["shop-1"]).json()
    assert set(listed(tenants, shop)) == {"inner", "test"}
    assert {"inner", "other", "test"} <= set(listed(tenants, tenants.admin))
    problem(tenants.delete(f"{KEYS}/{other['id']}", headers=shop), 404, "not_found")
    assert tenants.delete(f"{KEYS}/{inner['id']}", headers=shop).status_code == 200
    problem(tenants.delete(f"{KEYS}/none", headers=tenants.admin), 404, "not_found")


def test_a_key_that_is_revoked_while_its_request_comes_creates_no_key(tmp_path, serving, keys):
    secret = keys("read", "admin")["api-key"]
    body = json.dumps({"name": "later", "scopes": ["admin"]})
    with serving(create_app(tmp_path, Settings())) as url:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
        connection.putrequest("POST", KEYS)
        headers = {"api-key": secret, "content-type": "application/json"}
        for name, value in {**headers, "content-length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body[:5].encode())
        time.sleep(0.5)  # The server checks the key when the head has come.
        own = keys.file.read()[0]
        keys.file.revoke(own.id)
        connection.send(body[5:].encode())
        reply = connection.getresponse()
        assert (reply.status, reply.getheader("content-type")) == (401, "application/problem+json")
        connection.close()
    assert [key.name for key in keys.file.read()] == ["test"]


def test_wrong_fields_are_named(tenants, problem):
    for field, wanted in (
        ("name", {"name": ""}),
        ("scopes[0]", {"scopes": ["all"]}),
        ("collections", {"collections": ["a b"]}),
        ("expires", {"expires": "soon"}),
        ("expires", {"expires": "2001-01-01T00:00:00Z"}),
        ("requests", {"requests": 0}),
        ("scopes", {"scopes": ["admin"], "filter": {"tenant": "acme"}}),
        ("secret", {"secret": "mine"}),
    ):
        reply = tenants.post(KEYS, json={"name": "new", **wanted}, headers=tenants.admin)
        assert problem(reply, 422, "invalid").errors[0].field == field


def test_a_server_without_keys_creates_none(client, problem):
    problem(client.post(KEYS, json={"name": "first"}), 409, "conflict")
    assert client.get("/v1/collections").status_code == 200, "nobody is locked out"
    assert client.get(KEYS).json() == {"keys": []}


def test_the_audit_log_names_the_key_that_was_created_and_revoked(serve, keys, tmp_path, run):
    admin = keys("read", "write", "admin")
    log = tmp_path / "audit.jsonl"
    client = serve(audit_log=log, audit_chain=True)
    made = create(client, admin).json()
    client.delete(f"{KEYS}/{made['id']}", headers=admin)
    options = ("--audit-log", str(log), "--audit-chain")
    by_command = run("keys", "create", str(tmp_path), "--name", "c", "--json", *options).json
    run("keys", "revoke", str(tmp_path), by_command["id"], *options)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(one["action"], one["id"]) for one in lines] == [
        ("create_key", made["id"]),
        ("revoke_key", made["id"]),
        ("create_key", by_command["id"]),
        ("revoke_key", by_command["id"]),
    ]
    for secret in (made["key"], by_command["key"]):
        assert secret not in log.read_text()
    assert run("verify", str(log)).status == 0


def test_the_client_has_the_same_methods(tmp_path, serving, keys):
    secret = keys("read", "write", "admin")["api-key"]
    app = create_app(tmp_path, Settings())
    with serving(app) as url, Client(url, api_key=secret) as client:
        made = client.create_key("shop", collections=["shop*"])
        assert [key["name"] for key in client.api_keys()] == ["test", "shop"]
        with Client(url, api_key=made["key"], patience=0) as other:
            assert other.info()["key"]["name"] == "shop"
            with pytest.raises(twindex.AccessError):
                other.api_keys()
        assert client.revoke_key(made["id"])["state"] == "revoked"
        with pytest.raises(twindex.NotFoundError):
            client.revoke_key("none")


PATTERN = st.text("ab*", min_size=1, max_size=5)


@given(PATTERN, PATTERN)
def test_a_pattern_that_contains_another_matches_all_of_its_names(pattern, other):
    if not contains(pattern, other):
        return
    wide, narrow = Access(collections=(pattern,)), Access(collections=(other,))
    for length in range(1, 6):
        for letters in product("ab", repeat=length):
            name = "".join(letters)
            assert wide.sees(name) or not narrow.sees(name), (pattern, other, name)


@given(
    st.sets(st.sampled_from(SCOPES), min_size=1),
    st.sets(st.sampled_from(SCOPES), min_size=1),
    st.lists(PATTERN, min_size=1, max_size=2),
    st.lists(PATTERN, min_size=1, max_size=2),
)
def test_a_granted_key_never_sees_or_does_more(own, wanted, patterns, others):
    access = Access(scopes=frozenset(own), collections=tuple(patterns))
    key = new_key("new", scopes=tuple(wanted), collections=tuple(others)).key
    if exceeded(access, key) is None:
        granted = key.access()
        assert granted.scopes <= access.scopes
        for letters in product("ab", repeat=3):
            name = "".join(letters)
            assert access.sees(name) or not granted.sees(name)
