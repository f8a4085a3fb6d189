"""Requests by keys with forced filters never return anything of a document outside.

The ids, titles, texts, metadata and field names of each tenant contain its name, so a reply that
shows anything of another tenant's documents contains that name. Requests do not contain it, except
for ids and cursors, which the replies may repeat.
"""

from __future__ import annotations

import json
import random
import re
import time

import pytest

from twindex.api.http import cursor

from .conftest import TENANTS, documents

JSON = {"content-type": "application/json"}
MCP = {**JSON, "accept": "application/json, text/event-stream"}
WORDS = ["river", "bank", "boat", "money", "bridge", "number", "title", "rivr", "bnak"]
FORCED = {
    "acme": [
        {"tenant": "acme"},
        {"tenant": "acme", "year": {"lt": 12}},
        {"not": {"tenant": "zeta"}},
        {"id": {"prefix": "acme-"}},
        {"or": [{"tenant": "acme"}, {"and": [{"tenant": "acme"}, {"year": 3}]}]},
    ],
}
FORCED["zeta"] = [
    json.loads(json.dumps(one).replace("acme", "#").replace("zeta", "acme").replace("#", "zeta"))
    for one in FORCED["acme"]
]
OTHER = {"acme": "zeta", "zeta": "acme"}
COUNTS = re.compile(r'"(?:documents|value|total)": ?(\d+)')


class Asker:
    """Makes random requests of one key, over every interface."""

    def __init__(self, chance: random.Random, tenant: str, forced) -> None:
        self.chance = chance
        self.tenant = tenant
        self.forced = forced
        self.other = OTHER[tenant]
        self.sent: set[str] = set()
        self.jobs: set[str] = set()

    def text(self) -> str:
        return " ".join(self.chance.choices(WORDS, k=self.chance.randint(1, 4)))

    def filter(self):
        leaf = self.chance.choice(
            [
                {},
                {"year": {"gte": self.chance.randint(0, 24)}},
                {"tenant": {"exists": True}},
                {"tenant": {"exists": False}},
                {"tenant": {"ne": "none"}},
                {"id": {"prefix": ""}},
                {"title": {"prefix": "Title"}},
                {"nothing": 1},
                {"field_": 1},
            ]
        )
        wrap = self.chance.randint(0, 4)
        if wrap == 0:
            return {"not": leaf}
        if wrap == 1:
            return {"or": [leaf, {"year": {"gte": 0}}]}
        return leaf

    def search(self) -> dict:
        chance = self.chance
        body = {"query": self.text(), "filter": self.filter(), "limit": chance.randint(1, 50)}
        if chance.random() < 0.3:
            body["legs"] = [{"name": chance.choice(["dense", "sparse", "lexical"])}]
        if chance.random() < 0.3:
            body["explain"] = True
        if chance.random() < 0.2:
            body["suggest"] = True
        if chance.random() < 0.2:
            body["feedback"] = chance.choice(["rm3", "rocchio"])
        if chance.random() < 0.2:
            body["parse_filters"] = True
            body["query"] += chance.choice([" year:>3", " tenant:none", " -year:3"])
        if chance.random() < 0.2:
            body["neighbours"] = 2
        if chance.random() < 0.2:
            body["predictors"] = ["idf_max", "avg_score"]
            del body["predictors"]
        if chance.random() < 0.2:
            body["rerank"] = {"model": "fast"}
        return body

    def document(self, own: int = 0, other: int = 0, end: int = 24) -> str:
        """Return the id of a document of either tenant.

        own, other: least number of the document, for a document of the own or the other tenant.
        """
        tenant = self.chance.choice([self.tenant, self.other])
        least = own if tenant == self.tenant else other
        number = self.chance.randrange(least + TENANTS.index(tenant), end, 2)
        return f"{tenant}-{number:02d}"

    def request(self):
        """Return (method, path, body, headers) of a random request."""
        return getattr(self, f"_{self.chance.choice(KINDS)}")()

    def _search(self):
        return "POST", "/v1/collections/shop/search", self.search(), JSON

    def _batch(self):
        requests = [self.search() for _ in range(self.chance.randint(1, 3))]
        return "POST", "/v1/collections/shop/search/batch", {"requests": requests}, JSON

    def _get(self):
        return "GET", f"/v1/collections/shop/documents/{self.document()}", None, {}

    def _list(self):
        path = f"/v1/collections/shop/documents?limit={self.chance.randint(1, 40)}"
        condition = self.filter()
        if self.chance.random() < 0.5:
            path += f"&filter={json.dumps(condition)}"
            if self.chance.random() < 0.5:
                path += f"&cursor={cursor.encode(self.document(), condition)}"
        elif self.chance.random() < 0.5:
            path += f"&after={self.document()}"
        return "GET", path, None, {}

    def _describe(self):
        paths = ["/v1/collections", "/v1/collections/shop", "/v1/models", "/v1/info", "/healthz"]
        return "GET", self.chance.choice(paths), None, {}

    def _answer(self):
        search = self.search()
        del search["query"]
        search.pop("parse_filters", None)
        body = {"question": self.text(), "search": search}
        body["stream"] = self.chance.random() < 0.3
        return "POST", "/v1/collections/shop/answer", body, JSON

    def _chat(self):
        search = {"filter": self.filter(), "limit": 5}
        messages = [{"role": "user", "content": self.text()}]
        body = {"model": "rag:shop", "messages": messages, "twindex": {"search": search}}
        body["stream"] = self.chance.random() < 0.3
        path = self.chance.choice(["/v1/chat/completions", "/v2/chat"])
        return "POST", path, body, JSON

    def _responses(self):
        return "POST", "/v1/responses", {"model": "rag:shop", "input": self.text()}, JSON

    def _store(self):
        body = {"query": self.text(), "max_num_results": 20}
        return "POST", "/v1/vector_stores/shop/search", body, JSON

    def _tool(self):
        name = self.chance.choice(["search", "fetch", "answer", "list_collections"])
        arguments = {
            "search": {"query": self.text(), "collection": "shop", "limit": 20},
            "fetch": {"id": f"shop/{self.document()}"},
            "answer": {"question": self.text(), "collection": "shop"},
            "list_collections": {},
        }[name]
        params = {"name": name, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        path = self.chance.choice(["/mcp", "/mcp/shop"])
        if path == "/mcp/shop":
            arguments.pop("collection", None)
        return "POST", path, body, MCP

    def _page(self):
        query = self.text().replace(" ", "+")
        path = self.chance.choice(
            [
                f"/?collection=shop&q={query}&explain=1",
                f"/?collection=shop&q={query}&suggest=1",
                "/?collection=shop",
                "/",
                f"/ask?collection=shop&q={query}",
                f"/document?collection=shop&id={self.document()}",
            ]
        )
        return "GET", path, None, {}

    def _put(self):
        # Nobody deletes the first twelve documents, so no other tenant can take their ids.
        name = self.document(end=12)
        if name.startswith(self.tenant):
            name = f"{self.tenant}-{self.chance.randrange(TENANTS.index(self.tenant), 24, 2):02d}"
        if name.startswith(self.other):
            tenant = self.chance.choice([self.tenant, "none"])
        else:
            tenant = self.tenant
        metadata = {"tenant": tenant, "year": 3}
        body = {"text": f"{self.text()} only{self.tenant}", "title": f"Title {self.tenant}"}
        path = f"/v1/collections/shop/documents/{name}"
        return "PUT", path, {**body, "metadata": metadata}, JSON

    def _bulk(self):
        lines = []
        for _ in range(self.chance.randint(1, 4)):
            _, path, body, _ = self._put()
            lines.append(json.dumps({"id": path.rpartition("/")[2], **body}))
        suffix = "?async=true" if self.chance.random() < 0.2 else ""
        path = f"/v1/collections/shop/documents/bulk{suffix}"
        return "POST", path, "\n".join(lines), {"content-type": "application/x-ndjson"}

    def _delete(self):
        path = "/v1/collections/shop/documents"
        chosen = self.chance.randint(0, 2)
        if chosen == 0:
            return "DELETE", f"{path}/{self.document(own=12)}", None, {}
        body = {"ids": [self.document(own=12), self.document(own=12)]}
        if chosen == 1:
            body = {"filter": {"and": [self.filter(), {"year": self.chance.randint(12, 24)}]}}
        return "POST", f"{path}/delete", body, JSON

    def _jobs(self):
        return "GET", "/v1/jobs", None, {}


KINDS = [name[1:] for name in vars(Asker) if name.startswith("_") and not name.startswith("__")]
KINDS = [*KINDS, *["search"] * 4, "batch", "answer", "list", "tool"]


def send(client, request, headers):
    method, path, body, own = request
    content = None if body is None else body if isinstance(body, str) else json.dumps(body)
    return client.request(method, path, content=content, headers={**own, **headers})


def stored(client, tenant: str) -> list:
    path = f"/v1/collections/shop/documents?limit=1000&filter={json.dumps({'tenant': tenant})}"
    return client.get(path, headers=client.admin).json()["documents"]


def changes(request) -> bool:
    """Return True if a request changes documents."""
    method, path, *_ = request
    return method != "GET" and "/documents" in path


def wait_for_jobs(client) -> None:
    for _ in range(1_000):
        jobs = client.get("/v1/jobs", headers=client.admin).json()["jobs"]
        if all(job["state"] in ("done", "failed") for job in jobs):
            return
        time.sleep(0.01)
    raise AssertionError(jobs)


def check(tenants, keys, rounds: int, seed: int) -> dict[str, int]:
    """Send random requests by random keys. Return kind of reply -> number of replies."""
    chance = random.Random(seed)
    holders = []
    for tenant, filters in FORCED.items():
        for forced in filters:
            headers = keys("read", "write", filter=forced)
            holders.append((Asker(chance, tenant, forced), headers))
    counts = {"sent": 0, "ok": 0, "shows own": 0}
    for i in range(rounds):
        asker, headers = chance.choice(holders)
        request, before = asker.request(), None
        if request[1] == "/v1/collections" or (changes(request) and (i < 1_000 or i % 10 == 0)):
            wait_for_jobs(tenants)  # Jobs of the other tenant may change its documents.
            before = stored(tenants, asker.other)
        reply = send(tenants, request, headers)
        counts["sent"] += 1
        counts["ok"] += reply.status_code < 300
        counts["shows own"] += f"only{asker.tenant}" in reply.text
        assert reply.status_code < 500 or reply.status_code == 503, (request, reply.text)
        text = reply.text
        # A reply may repeat ids that the key has sent, in an error or as an id that was not found.
        asker.sent |= set(re.findall(rf"{asker.other}-\d\d", json.dumps(request[:3])))
        for name in asker.sent:
            text = text.replace(name, "")
        assert asker.other not in text, (asker.forced, request, reply.text)
        if reply.status_code == 202:
            asker.jobs.add(reply.json()["id"])
        if request[1] == "/v1/jobs":
            assert {job["id"] for job in reply.json()["jobs"]} <= asker.jobs
        if before is not None:
            wait_for_jobs(tenants)
            assert stored(tenants, asker.other) == before, request
        if request[0] == "GET" and request[1] == "/v1/collections":
            (one,) = [c for c in reply.json()["collections"] if c["name"] == "shop"]
            own = tenants.get(
                f"/v1/collections/shop/documents?limit=1&filter={json.dumps(asker.forced)}",
                headers=tenants.admin,
            )
            assert one["documents"] == own.json()["total"]
    return counts


@pytest.fixture
def two_tenants(serve, keys, fake_config, tmp_path):
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.fast]\nkind = "fake"\n')
    fake_config["passages"] = {"unit": "words", "size": 5, "overlap": 1, "threshold": 6}
    admin = keys("read", "write", "admin")
    client = serve(rerankers=file)
    client.admin = admin
    assert client.put("/v1/collections/shop", json=fake_config, headers=admin).status_code == 201
    lines = "\n".join(map(json.dumps, documents()))
    kind = {"content-type": "application/x-ndjson"}
    path = "/v1/collections/shop/documents/bulk"
    assert client.post(path, content=lines, headers={**admin, **kind}).status_code == 200
    return client


def test_nothing_of_another_tenant_leaves(two_tenants, keys):
    counts = check(two_tenants, keys, 300, seed=17)
    assert counts["ok"] > 150
    assert counts["shows own"] > 80


@pytest.mark.slow
def test_nothing_of_another_tenant_leaves_in_100_000_requests(two_tenants, keys):
    counts = check(two_tenants, keys, 100_000, seed=1)
    assert counts["sent"] == 100_000
