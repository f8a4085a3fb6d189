"""The pages show and change only what the key of the request may see and change."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

ROWS = [
    # method, path, fields, scope
    ("GET", "/compare?collection=shop&q=river", {}, "read"),
    ("GET", "/documents?collection=shop", {}, "read"),
    ("GET", "/edit-document?collection=shop&id=acme-00", {}, "read"),
    ("GET", "/collections", {}, "any"),
    ("GET", "/collection?name=shop", {}, "any"),
    ("GET", "/status", {}, "any"),
    ("GET", "/jobs", {}, "jobs"),
    ("GET", "/keys", {}, "admin"),
    ("POST", "/put-document", {"collection": "shop", "id": "new", "text": "river"}, "write"),
    ("POST", "/delete-document", {"collection": "shop", "id": "acme-02"}, "write"),
    ("POST", "/merge-collection", {"name": "shop"}, "admin"),
    ("POST", "/delete-collection", {"name": "shop", "confirm": "no"}, "admin"),
    ("POST", "/create-key", {"name": "", "token": "t"}, "admin"),
    ("POST", "/revoke-key", {"id": "none"}, "admin"),
]
GRANTED = {
    "read": {"read", "any"},
    "write": {"write", "jobs", "any"},
    "admin": {"admin", "jobs", "any"},
}


def send(client, method, path, fields, headers):
    return client.request(
        method, path, data=fields or None, headers=headers, follow_redirects=False
    )


@pytest.mark.parametrize("scope", sorted(GRANTED))
def test_a_key_reaches_only_the_pages_of_its_scope(tenants, keys, scope):
    headers = keys(scope)
    for method, path, fields, needed in ROWS:
        reply = send(tenants, method, path, fields, headers)
        if needed in GRANTED[scope]:
            assert reply.status_code not in (401, 403), (path, reply.text)
        else:
            assert reply.status_code == 403, (path, reply.text)
            assert "needs a key with the scope" in reply.text
        assert send(tenants, method, path, fields, {}).status_code == 401
    shop = tenants.get("/v1/collections/shop", headers=tenants.admin).json()
    assert shop["documents"] == (24 if scope != "write" else 24 + 1 - 1)


def test_the_menu_and_the_pages_offer_only_what_the_key_may_do(tenants, keys):
    page = "/collection?name=shop"
    for scopes, jobs, listed, add, merge in (
        (("read",), 0, 0, 0, 0),
        (("read", "write"), 1, 0, 1, 0),
        (("read", "write", "admin"), 1, 1, 1, 1),
    ):
        text = tenants.get(page, headers=keys(*scopes)).text
        assert ('href="./jobs"' in text) == bool(jobs)
        assert ('href="./keys"' in text) == bool(listed)
        assert ("Add a document" in text) == bool(add)
        assert ("merge-collection" in text) == bool(merge)
    text = tenants.get("/document?collection=shop&id=acme-00", headers=keys("read")).text
    assert "edit-document" not in text


def test_pages_hide_other_collections_and_tenants(tenants, keys):
    filtered = keys("read", "write", collections=("shop",), filter={"tenant": "acme"})
    lines = "\n".join(json.dumps({"id": f"n{n}", "text": "zeta"}) for n in range(3))
    tenants.post(
        "/v1/collections/vault/documents/bulk?async=true",
        content=lines,
        headers={**tenants.admin, "content-type": "application/x-ndjson"},
    )
    for path in (
        "/collections",
        "/collection?name=shop",
        "/documents?collection=shop",
        "/compare?collection=shop&q=river+bank+onlyzeta",
        "/?collection=shop&q=river&facet=tenant&facet=id&group=tenant",
        "/?collection=shop&sort=id&facet=title",
        "/jobs",
        "/status",
    ):
        text = tenants.get(path, headers=filtered).text
        text = text.replace("onlyzeta", "") if path.startswith("/compare") else text
        assert "zeta" not in text, path
        assert "vault" not in text, path
    for path in (
        "/collection?name=vault",
        "/documents?collection=vault",
        "/edit-document?collection=vault",
        "/edit-document?collection=shop&id=zeta-01",
        "/compare?collection=vault&q=river",
    ):
        assert tenants.get(path, headers=filtered).status_code == 404, path
    assert "Thread pools" not in tenants.get("/status", headers=filtered).text


def test_forms_change_only_documents_within_the_filter(tenants, keys):
    filtered = keys("read", "write", filter={"tenant": "acme"})
    foreign = {"collection": "shop", "id": "zeta-01", "text": "taken", "metadata": "{}"}
    assert tenants.post("/put-document", data=foreign, headers=filtered).status_code >= 400
    assert tenants.post("/delete-document", data=foreign, headers=filtered).status_code == 404
    stored = tenants.get("/v1/collections/shop/documents/zeta-01", headers=tenants.admin).json()
    assert stored["metadata"]["tenant"] == "zeta"


def token_of(text):
    return re.search(r'name="token" value="([^"]+)"', text)[1]


def test_a_key_is_created_once_shown_once_and_revoked(tenants, keys):
    admin = tenants.admin
    token = token_of(tenants.get("/keys", headers=admin).text)
    fields = {
        "name": "page key",
        "scopes": ["read"],
        "collections": "sh*, other",
        "filter": '{"tenant": "acme"}',
        "requests": "100",
        "token": token,
    }
    reply = tenants.post("/create-key", data=fields, headers=admin)
    assert reply.status_code == 201, reply.text
    assert reply.headers["cache-control"] == "no-store"
    secret = re.search(r'value="(tw_[^"]+)"', reply.text)[1]
    found = tenants.post(
        "/v1/collections/shop/search", json={"query": "river"}, headers={"api-key": secret}
    ).json()
    assert {hit["metadata"]["tenant"] for hit in found["hits"]} == {"acme"}
    again = tenants.post("/create-key", data=fields, headers=admin)
    assert again.status_code == 409
    assert "sent before" in again.text
    text = tenants.get("/keys", headers=admin).text
    assert secret not in text
    assert text.count("page key <code") == 1
    (key,) = [
        one
        for one in tenants.get("/v1/keys", headers=admin).json()["keys"]
        if one["name"] == "page key"
    ]
    assert key["collections"] == ["sh*", "other"]
    assert key["requests"] == 100
    reply = send(tenants, "POST", "/revoke-key", {"id": key["id"]}, admin)
    assert (reply.status_code, reply.headers["location"]) == (303, "keys")
    refused = tenants.get("/v1/collections", headers={"api-key": secret})
    assert refused.status_code == 401


def test_a_refused_key_keeps_what_was_entered(tenants):
    fields = {"name": "x", "scopes": "read", "expires": "soon", "collections": "a b", "token": "t1"}
    reply = tenants.post("/create-key", data=fields, headers=tenants.admin)
    assert reply.status_code == 422
    assert "<code>expires</code>" in reply.text
    assert 'value="a b"' in reply.text


def test_a_key_cannot_create_one_that_may_do_more(tenants, keys):
    own = keys("admin", collections=("shop",))
    token = token_of(tenants.get("/keys", headers=own).text)
    fields = {"name": "x", "scopes": "read", "collections": "*", "token": token}
    reply = tenants.post("/create-key", data=fields, headers=own)
    assert reply.status_code == 403
    assert "more than itself" in unescape(reply.text) or "exceeds" in unescape(reply.text)


def test_forms_write_the_audit_log(serve, keys, fake_config, tmp_path):
    admin = keys("read", "write", "admin")
    client = serve(audit_log=tmp_path / "audit.log")
    client.put("/v1/collections/shop", json=fake_config, headers=admin)
    document = {"collection": "shop", "id": "new", "text": "river"}
    for path, fields in (
        ("/put-document", document),
        ("/delete-document", document),
        ("/merge-collection", {"name": "shop"}),
        ("/delete-collection", {"name": "shop", "confirm": "wrong"}),
        ("/revoke-key", {"id": "none"}),
    ):
        send(client, "POST", path, fields, admin)
    lines = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()][1:]
    assert [(line["action"], line["collection"], line["status"]) for line in lines] == [
        ("put_from_page", "shop", 303),
        ("delete_document_from_page", "shop", 303),
        ("merge_from_page", "shop", 303),
        ("delete_from_page", "shop", 422),
        ("revoke_key_from_page", None, 404),
    ]
    assert lines[0]["id"] == lines[1]["id"] == "new"
    assert lines[2]["job"]


def test_a_browser_gets_a_page_for_a_refused_request(tenants, keys):
    accept = {"accept": "text/html,*/*"}
    reply = tenants.get("/keys", headers={**keys("read"), **accept})
    assert reply.status_code == 403
    assert "Not allowed</h1>" in reply.text
    assert "needs a key with the scope admin" in reply.text
    assert 'href="./keys"' not in reply.text
    reply = tenants.get("/keys", headers=accept)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Basic")
    assert "enter the key as the password" in reply.text
    for headers in (accept, {}):  # Programs get problem details.
        reply = tenants.get("/v1/keys", headers={**keys("read"), **headers})
        assert reply.headers["content-type"] == "application/problem+json"
    reply = tenants.get("/keys", headers=keys("read"))
    assert reply.headers["content-type"] == "application/problem+json"
    reply = tenants.post(
        "/delete-collection",
        data={"name": "shop", "confirm": "shop"},
        headers={**tenants.admin, **accept, "origin": "http://evil.example"},
    )
    assert reply.status_code == 403
    assert "Not allowed</h1>" in reply.text
