"""A key does only what its scopes and patterns allow, and sees no other collection."""

from __future__ import annotations

import json

import pytest

from twindex.api.http.keys import scopes_of
from twindex.api.serving.settings import OPEN_PATHS

ROWS = [
    # method, path, body, scope
    ("POST", "/v1/collections/shop/search", {"query": "river"}, "read"),
    ("POST", "/v1/collections/shop/search/batch", {"requests": [{"query": "river"}]}, "read"),
    ("POST", "/v1/collections/shop/answer", {"question": "river?"}, "read"),
    ("POST", "/v1/vector_stores/shop/search", {"query": "river"}, "read"),
    ("POST", "/v1/search", {"collections": ["shop"], "query": "river"}, "read"),
    ("POST", "/v1/collections/shop/complete", {"text": "riv"}, "read"),
    ("GET", "/v1/collections/shop/documents/acme-04/history", None, "read"),
    ("POST", "/v1/rerank", {"model": "m", "query": "q", "documents": ["d"]}, "read"),
    ("POST", "/v1/embeddings", {"model": "fake", "input": "river"}, "read"),
    ("POST", "/v1/chat/completions", {"model": "rag:shop", "messages": []}, "read"),
    ("POST", "/v1/responses", {"model": "rag:shop", "input": "river?"}, "read"),
    ("POST", "/v2/chat", {"model": "rag:shop", "messages": []}, "read"),
    ("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "read"),
    ("GET", "/v1/collections/shop/documents", None, "read"),
    ("GET", "/v1/collections/shop/documents/acme-00", None, "read"),
    ("GET", "/", None, "read"),
    ("GET", "/document?collection=shop&id=acme-00", None, "read"),
    ("GET", "/ask", None, "read"),
    ("PUT", "/v1/collections/shop/documents/new", {"text": "river"}, "write"),
    ("DELETE", "/v1/collections/shop/documents/acme-00", None, "write"),
    ("POST", "/v1/collections/shop/documents/delete", {"ids": ["acme-02"]}, "write"),
    ("PATCH", "/v1/collections/shop/documents/acme-04", {"metadata": {"year": 1}}, "write"),
    ("POST", "/v1/collections/shop/documents/update", {"ids": [], "metadata": {}}, "write"),
    ("POST", "/v1/collections/shop/documents/acme-04/revert", {"version": 1}, "write"),
    ("POST", "/v1/collections/shop/documents/bulk", {"id": "b", "text": "river"}, "write"),
    ("GET", "/v1/jobs", None, "jobs"),
    ("GET", "/v1/jobs/none", None, "jobs"),
    ("GET", "/metrics", None, "admin"),
    ("PUT", "/v1/collections/shop/history", {}, "admin"),
    ("POST", "/v1/collections/shop/documents/purge", {"ids": []}, "admin"),
    ("PUT", "/v1/collections/new", {}, "admin"),
    ("POST", "/v1/collections/shop/merge", None, "admin"),
    ("POST", "/v1/collections/shop/reconfigure", {"legs": {}}, "admin"),
    ("DELETE", "/v1/collections/none", None, "admin"),
    ("POST", "/v1/aliases", {"actions": []}, "admin"),
    ("DELETE", "/v1/aliases/none", None, "admin"),
    ("POST", "/v1/collections/shop/snapshots", None, "admin"),
    ("GET", "/v1/collections/shop/snapshots", None, "admin"),
    ("POST", "/v1/collections/shop/reembed", {"legs": {"absent": None}}, "admin"),
    ("POST", "/v1/collections/shop/reembed/confirm", None, "admin"),
    ("POST", "/v1/collections/shop/reembed/roll-back", None, "admin"),
    ("POST", "/v1/collections/new/restore", {"collection": "shop"}, "admin"),
    ("POST", "/v1/reload", None, "admin"),
    ("GET", "/v1/keys", None, "admin"),
    ("POST", "/v1/keys", {"name": ""}, "admin"),
    ("DELETE", "/v1/keys/none", None, "admin"),
    ("DELETE", "/v1/collections/shop/snapshots/none", None, "admin"),
    ("GET", "/v1/aliases", None, "any"),
    ("GET", "/v1/collections", None, "any"),
    ("GET", "/v1/collections/shop", None, "any"),
    ("GET", "/v1/models", None, "any"),
    ("GET", "/v1/info", None, "any"),
    ("GET", "/info", None, "any"),
    ("GET", "/healthz", None, "any"),
    ("GET", "/docs", None, "any"),
    ("GET", "/openapi.json", None, "any"),
]
GRANTED = {
    "read": {"read", "any"},
    "write": {"write", "jobs", "any"},
    "admin": {"admin", "jobs", "any"},
}


def send(client, method, path, body, headers):
    if path.endswith("/bulk"):
        headers = {**headers, "content-type": "application/x-ndjson"}
        return client.request(method, path, content=json.dumps(body), headers=headers)
    return client.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize("scope", sorted(GRANTED))
def test_a_key_does_only_what_its_scope_allows(tenants, keys, problem, scope):
    headers = keys(scope)
    for method, path, body, needed in ROWS:
        if needed in GRANTED[scope]:
            assert send(tenants, method, path, body, headers).status_code not in (401, 403), path
        else:
            reply = send(tenants, method, path, body, headers)
            assert reply.status_code == 403, (path, reply.text)
            assert "needs a key with the scope" in reply.text
        assert send(tenants, method, path, body, {}).status_code == 401
        wrong = {"api-key": headers["api-key"][:-1] + "-"}
        assert send(tenants, method, path, body, wrong).status_code == 401


def test_every_operation_of_the_reference_has_a_row(tenants):
    document = tenants.get("/openapi.json", headers=tenants.admin).json()
    described = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if path not in OPEN_PATHS
    }
    tested = {(method, scopes_of(method, path.partition("?")[0])) for method, path, *_ in ROWS}
    for method, path in described:
        example = path.replace("{collection}", "shop").replace("{id}", "x")
        assert (method, scopes_of(method, example)) in tested
        if method != "GET" and scopes_of(method, example) == ("admin",):
            assert example in {
                "/v1/aliases",
                "/v1/aliases/{alias}",
                "/v1/reload",
                "/v1/keys",
                "/v1/keys/x",
                "/v1/collections/shop/snapshots/{snapshot}",
                "/v1/collections/shop",
                "/v1/collections/shop/snapshots",
                "/v1/collections/shop/reembed",
                "/v1/collections/shop/reembed/confirm",
                "/v1/collections/shop/reembed/roll-back",
                "/v1/collections/shop/restore",
                "/v1/collections/shop/merge",
                "/v1/collections/shop/history",
                "/v1/collections/shop/documents/purge",
                "/v1/collections/shop/reconfigure",
            }


def test_unknown_paths_that_change_something_need_admin():
    for path in ("/v1/new", "/v1/collections/a/new", "/v1/collections/a/search/x", "/mcp/a/b"):
        assert scopes_of("POST", path) == ("admin",)
        assert scopes_of("PUT", path) == ("admin",)


def test_what_does_not_exist_is_not_explained_by_a_missing_scope(tenants, keys):
    headers = keys("read")
    for path, code in [
        ("/v1/moderations", ("error", "code")),
        ("/v2/parse", ("code",)),
        ("/embed_all", ("code",)),
        ("/v1/collections/shop/new", ("code",)),
    ]:
        reply = tenants.post(path, json={}, headers=headers)
        assert reply.status_code == 404, path
        found = reply.json()
        for part in code:
            found = found[part]
        assert found in ("unknown_url", "not_found")
        assert tenants.post(path, json={}).status_code == 401
    reply = tenants.delete("/v1/chat/completions", headers=headers)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    hint = tenants.post("/chat/completions", json={}, headers=headers).json()["error"]["message"]
    assert "did you mean '/v1/chat/completions'?" in hint


def test_an_alias_names_models_only_for_keys_that_see_its_collection(tenants, keys):
    made = tenants.post(
        "/v1/aliases", json=actions(("s", "shop"), ("v", "vault")), headers=tenants.admin
    )
    assert made.is_success
    headers = keys("read", collections=("shop", "v"))
    listed = {one["id"] for one in tenants.get("/v1/models", headers=headers).json()["data"]}
    assert "rag:s" in listed
    assert not {one for one in listed if one.startswith(("rag:v", "v"))}
    for name in ("v/dense", "vault/dense"):
        assert tenants.get(f"/v1/models/{name}", headers=headers).status_code == 404
        body = {"model": name, "input": "river"}
        assert tenants.post("/v1/embeddings", json=body, headers=headers).status_code == 404


def test_collections_outside_the_patterns_do_not_exist(tenants, keys):
    headers = keys("read", "write", "admin", collections=("sh*", "nothing"))
    for method, path, body, _ in ROWS:
        hidden = path.replace("shop", "vault")
        absent = path.replace("shop", "vaul1")
        if hidden == path or (method == "PUT" and path.count("/") == 3):
            continue
        same = {**headers, "x-request-id": "same"}
        one = send(tenants, method, hidden, body, same)
        two = send(tenants, method, absent, body, same)
        assert one.status_code == two.status_code, path
        replaced = one.text.replace("vault", "vaul1")
        assert replaced == two.text, path
        assert "did you mean" not in one.text
    listed = tenants.get("/v1/collections", headers=headers).json()["collections"]
    assert [one["name"] for one in listed] == ["shop"]
    for path in ("/v1/models", "/healthz", "/", "/ask", "/docs"):
        assert "vault" not in tenants.get(path, headers=headers).text, path
    assert tenants.get("/v1/info", headers=headers).json()["collections"] == 1
    reply = tenants.get("/v1/collections/shup", headers=headers)
    assert "did you mean 'shop'" in reply.json()["detail"]
    assert tenants.get("/v1/collections/vaul", headers=headers).json()["detail"].endswith("'vaul'")


def test_a_name_outside_the_patterns_cannot_be_created_whether_it_exists_or_not(tenants, keys):
    headers = keys("admin", collections=("sh*",))
    for name in ("vault", "unused"):
        reply = tenants.put(f"/v1/collections/{name}", json={}, headers=headers)
        assert reply.status_code == 403
        assert "named sh*" in reply.json()["detail"]
    assert tenants.delete("/v1/collections/vault", headers=headers).status_code == 404
    assert tenants.delete("/v1/collections/shop", headers=headers).status_code == 204


def test_metrics_need_a_key_that_sees_all_collections(tenants, keys):
    assert tenants.get("/metrics", headers=keys("admin", collections=("sh*",))).status_code == 403
    assert "vault" in tenants.get("/metrics", headers=keys("admin")).text


def test_readiness_names_collections_only_to_keys_that_see_them(tenants, keys):
    assert tenants.get("/readyz").json()["collections"] == {}
    assert tenants.get("/readyz").status_code == 200
    wrong = {"api-key": "tw_x"}
    assert tenants.get("/readyz", headers=wrong).json()["collections"] == {}
    shown = tenants.get("/readyz", headers=keys("read", collections=("shop",))).json()
    assert shown["collections"] == {"shop": "ready"}


def test_a_server_without_keys_is_open(client):
    assert client.get("/v1/collections/birds").status_code == 200
    assert client.get("/readyz").json()["collections"] == {"birds": "ready"}


def test_the_first_key_closes_a_running_server(client, keys):
    headers = keys("read")
    assert client.get("/v1/collections").status_code == 401
    assert client.get("/v1/collections", headers=headers).status_code == 200


def test_the_key_of_the_setting_may_do_everything(serve, keys, fake_config):
    keys("read")
    client = serve(api_key="operator")
    headers = {"Authorization": "Bearer operator"}
    assert client.put("/v1/collections/a", json=fake_config, headers=headers).status_code == 201
    assert client.get("/metrics", headers=headers).status_code == 200


def test_jobs_and_idempotency_keys_belong_to_their_key(tenants, keys, wait_for_job):
    one, two = keys("write"), keys("write")
    path = "/v1/collections/shop/documents/bulk?async=true"
    line = json.dumps({"id": "new", "text": "river"})
    kind = {"content-type": "application/x-ndjson", "idempotency-key": "same"}
    first = tenants.post(path, content=line, headers={**one, **kind})
    second = tenants.post(path, content=line, headers={**two, **kind})
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] != second.json()["id"]
    again = tenants.post(path, content=line, headers={**one, **kind})
    assert again.headers["Idempotent-Replayed"] == "true"
    for headers, own, other in ((one, first, second), (two, second, first)):
        listed = [job["id"] for job in tenants.get("/v1/jobs", headers=headers).json()["jobs"]]
        assert listed == [own.json()["id"]]
        reply = tenants.get(f"/v1/jobs/{other.json()['id']}", headers=headers)
        assert reply.status_code == 404
        absent = tenants.get("/v1/jobs/0000000000000000", headers=headers).json()["detail"]
        assert reply.json()["detail"].partition("; ")[2] == absent.partition("; ")[2]
    every = tenants.get("/v1/jobs", headers=tenants.admin).json()["jobs"]
    assert len(every) == 2
    hidden = keys("admin", collections=("vault",))
    assert tenants.get("/v1/jobs", headers=hidden).json()["jobs"] == []


def actions(*pairs):
    return {
        "actions": [
            {"action": "set", "alias": alias, "collection": name}
            if name
            else {"action": "delete", "alias": alias}
            for alias, name in pairs
        ]
    }


def test_an_alias_opens_no_collection_and_no_filter(tenants, keys):
    post = tenants.post
    made = post("/v1/aliases", json=actions(("s", "shop"), ("v", "vault")), headers=tenants.admin)
    assert made.status_code == 200
    headers = keys("read", collections=("shop", "v"), filter={"tenant": "acme"})
    hits = post("/v1/collections/s/search", json={"query": "river"}, headers=headers).json()["hits"]
    assert {hit["id"].partition("-")[0] for hit in hits} == {"acme"}
    same = {**headers, "x-request-id": "same"}
    one = post("/v1/collections/v/search", json={"query": "river"}, headers=same)
    two = post("/v1/collections/w/search", json={"query": "river"}, headers=same)
    assert one.status_code == 404
    assert one.text.replace("'v'", "'w'") == two.text
    listed = tenants.get("/v1/aliases", headers=headers).json()["aliases"]
    assert listed == [{"alias": "s", "collection": "shop"}]


def test_an_administrator_changes_only_aliases_within_its_patterns(tenants, keys):
    assert tenants.post(
        "/v1/aliases", json=actions(("shv", "vault"), ("sh2", "shop")), headers=tenants.admin
    ).is_success
    headers = keys("admin", collections=("sh*",))
    for pairs, status in [
        ([("sha", "vault")], 404),
        ([("sha", "vaulted")], 404),
        ([("other", "shop")], 403),
        ([("shv", "shop")], 409),
        ([("shv", None)], 404),
        ([("none", None)], 404),
        ([("sha", "shop"), ("sh2", None)], 200),
    ]:
        reply = tenants.post("/v1/aliases", json=actions(*pairs), headers=headers)
        assert reply.status_code == status, reply.text
        if pairs != [("sha", "vault")] and pairs != [("sha", "vaulted")]:
            assert "vault" not in reply.text
    assert reply.json()["aliases"] == [{"alias": "sha", "collection": "shop"}]
    assert tenants.put("/v1/collections/shv", json={}, headers=headers).status_code == 409
    assert tenants.delete("/v1/collections/shv", headers=headers).status_code == 404
    kept = tenants.get("/v1/aliases", headers=tenants.admin).json()["aliases"]
    assert {one["alias"] for one in kept} == {"sha", "shv"}
