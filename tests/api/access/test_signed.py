"""Signed filters narrow a request, and nothing but the secret makes them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from twindex.api.serving.access import signed
from twindex.api.serving.access.key_file import new_key
from twindex.api.serving.access.signed import condition_of
from twindex.api.serving.problems import Problem
from twindex.client import AsyncClient, Client, sign_filter
from twindex.core import InvalidInputError
from twindex.core.filters import parse_filter

FILTER = {"groups": {"in": ["sales", "\u00fc"]}}


@pytest.fixture
def created():
    return new_key("app", signed="accepted")


def header(created, **fields) -> bytes:
    fields = {"key": created.secret, "secret": created.signing, **fields}
    return sign_filter(fields.pop("filter", FILTER), **fields).encode()


def test_a_signed_filter_is_read(created):
    now = time.time()
    assert condition_of(header(created), created.key, now) == parse_filter(FILTER)
    assert condition_of(header(created, key=created.key.id), created.key, now) is not None
    assert condition_of(None, created.key, now) is None


def test_every_changed_character_is_refused(created):
    good = header(created)
    for i in range(len(good)):
        for other in (b"A", b"B", b"0", b"."):
            bad = good[:i] + other + good[i + 1 :]
            if bad != good:
                with pytest.raises(Problem) as caught:
                    condition_of(bad, created.key, time.time())
                assert caught.value.status == 403


def test_a_filter_expires_and_is_not_valid_for_longer_than_a_day(created):
    good = header(created, seconds=60)
    with pytest.raises(Problem, match="has expired"):
        condition_of(good, created.key, time.time() + 61)
    with pytest.raises(Problem, match="at most 86400 seconds"):
        condition_of(header(created, seconds=86_400), created.key, time.time() - 3_600)


def test_a_filter_of_another_key_or_secret_is_refused(created):
    other = new_key("other", signed="accepted")
    for bad in (header(created, key=other.secret), header(created, secret=other.signing)):
        with pytest.raises(Problem, match="signature"):
            condition_of(bad, created.key, time.time())


def test_a_filter_that_would_be_ignored_is_refused(created):
    for key in (None, new_key("app").key):
        with pytest.raises(Problem, match="needs a key with a secret"):
            condition_of(header(created), key, time.time())
    required = new_key("app", signed="required")
    with pytest.raises(Problem, match="requires the header"):
        condition_of(None, required.key, time.time())


@pytest.mark.parametrize("wrong", [{"a": {"near": 1}}, None, [], 7])
def test_an_invalid_filter_is_refused(created, wrong):
    with pytest.raises(Problem):
        condition_of(header(created, filter=wrong), created.key, time.time())


def test_signatures_are_compared_in_constant_time():
    assert "compare_digest(given, signature(" in Path(signed.__file__).read_text()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"key": "x"}, "key"),
        ({"secret": ""}, "secret"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 1e6}, "seconds"),
        ({"filter": {"a": object()}}, "filter"),
    ],
)
def test_wrong_arguments_are_named(created, fields, named):
    with pytest.raises(InvalidInputError) as caught:
        header(created, **fields)
    assert caught.value.field == named


def test_a_request_is_narrowed_and_never_widened(tenants, keys):
    made = new_key("app", scopes=("read", "write"), filter={"tenant": "acme"}, signed="accepted")
    keys.file.add(made.key)
    path = "/v1/collections/shop/documents"

    def ids(condition):
        headers = {"api-key": made.secret}
        if condition is not None:
            headers["twindex-filter"] = header(made, filter=condition).decode()
        reply = tenants.get(path, headers=headers)
        return {one["id"] for one in reply.json()["documents"]}

    every = ids(None)
    assert every == {f"acme-{i:02d}" for i in range(0, 24, 2)}
    assert ids({"year": {"lt": 4}}) == {"acme-00", "acme-02"}
    assert ids({"tenant": "zeta"}) == set()
    assert ids({"or": [{"tenant": "zeta"}, {"year": 0}]}) == {"acme-00"}
    assert ids({}) == every
    headers = {"api-key": made.secret, "twindex-filter": header(made, filter={"year": 0}).decode()}
    body = {"text": "new", "metadata": {"tenant": "acme", "year": 1}}
    assert tenants.put(f"{path}/n", json=body, headers=headers).status_code == 422
    assert tenants.put(f"{path}/acme-02", json=body, headers=headers).status_code == 422
    assert tenants.delete(f"{path}/acme-02", headers=headers).status_code == 404


def test_users_of_one_key_share_no_jobs_and_no_replies(tenants, keys):
    made = new_key("app", scopes=("write",), filter={"tenant": "acme"}, signed="required")
    keys.file.add(made.key)
    ann, bob = (
        {
            "api-key": made.secret,
            "twindex-filter": header(made, filter={"user": user}).decode(),
            "content-type": "application/x-ndjson",
            "idempotency-key": "same",
        }
        for user in ("ann", "bob")
    )
    path = "/v1/collections/shop/documents/bulk?async=true"
    line = json.dumps({"id": "new", "text": "a", "metadata": {"tenant": "acme", "user": "ann"}})
    first = tenants.post(path, content=line, headers=ann)
    assert first.status_code == 202
    second = tenants.post(path, content=line, headers=bob)
    assert second.status_code == 422
    assert first.json()["id"] not in second.text
    assert len(tenants.get("/v1/jobs", headers=ann).json()["jobs"]) == 1
    assert tenants.get("/v1/jobs", headers=bob).json()["jobs"] == []
    assert tenants.get(f"/v1/jobs/{first.json()['id']}", headers=bob).status_code == 404


def test_a_server_without_keys_does_not_ignore_a_signed_filter(client, created):
    headers = {"twindex-filter": header(created).decode()}
    assert client.get("/v1/collections", headers=headers).status_code == 403


@pytest.mark.parametrize("fresh", [True, False])
def test_the_client_sends_a_signed_filter(fresh, created):
    import httpx2

    seen = []

    def answer(request):
        seen.append(request.headers["twindex-filter"])
        return httpx2.Response(200, json={"collections": []})

    count = iter(range(9))
    value = (lambda: f"signed {next(count)}") if fresh else "signed"
    client = Client(transport=httpx2.MockTransport(answer), signed_filter=value)
    client.collections()
    client.collections()
    assert seen == (["signed 0", "signed 1"] if fresh else ["signed", "signed"])
    with pytest.raises(InvalidInputError, match="signed_filter"):
        AsyncClient(signed_filter=3)
    assert json.dumps(seen)
