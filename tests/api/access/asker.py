"""Random requests of keys with forced filters."""

from __future__ import annotations

import json
import random
from typing import Any, ClassVar

from twindex.api.http import cursor

from .conftest import TENANTS

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


class Asker:
    """Makes random requests of one key: documents, searches, answers, pages and tools."""

    kinds: ClassVar[list[str]] = []
    """Kinds of requests, some more often than others."""

    def __init__(self, chance: random.Random, tenant: str, forced: Any) -> None:
        self.chance = chance
        self.tenant = tenant
        self.forced = forced
        self.other = OTHER[tenant]
        self.sent: set[str] = set()
        self.jobs: set[str] = set()

    def shop(self) -> str:
        """Return the path of the collection, by its name or its alias."""
        return f"/v1/collections/{self.chance.choice(['shop', 'shop', 'live'])}"

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
        self.arrange(body)
        return body

    def arrange(self, body: dict) -> None:
        """Ask for facets, groups, an order or boosts, sometimes without a query."""
        chance, fields = self.chance, ["tenant", "year", "id", "title", "none"]
        if chance.random() < 0.3:
            body["facets"] = [
                {
                    "field": chance.choice(fields),
                    "limit": 100,
                    "order": chance.choice(["count", "value"]),
                }
                for _ in range(chance.randint(1, 3))
            ]
        if chance.random() < 0.2:
            body["group"] = {"field": chance.choice(fields), "size": chance.randint(1, 5)}
        if chance.random() < 0.2:
            condition = chance.choice([self.filter(), {"tenant": self.other}])
            body["boosts"] = [
                {"kind": "filter", "filter": condition or {"year": 3}},
                {"kind": "number", "field": chance.choice(fields), "pivot": 3},
            ]
        if "rerank" not in body and chance.random() < 0.2:
            body["sort"] = [chance.choice(["", "-"]) + chance.choice(fields) for _ in range(2)]
            plain = body.keys() <= {"query", "filter", "limit", "facets", "group", "sort"}
            if plain and chance.random() < 0.5:
                del body["query"]

    def document(self, own: int = 0, other: int = 0, end: int = 24) -> str:
        """Return the id of a document of either tenant.

        own, other: least number of the document, for a document of the own or the other tenant.
        """
        tenant = self.chance.choice([self.tenant, self.other])
        least = own if tenant == self.tenant else other
        number = self.chance.randrange(least + TENANTS.index(tenant), end, 2)
        return f"{tenant}-{number:02d}"

    def _search(self):
        return "POST", f"{self.shop()}/search", self.search(), JSON

    def _batch(self):
        requests = [self.search() for _ in range(self.chance.randint(1, 3))]
        return "POST", f"{self.shop()}/search/batch", {"requests": requests}, JSON

    def _get(self):
        return "GET", f"{self.shop()}/documents/{self.document()}", None, {}

    def _list(self):
        path = f"{self.shop()}/documents?limit={self.chance.randint(1, 40)}"
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
        return "POST", f"{self.shop()}/answer", body, JSON

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
        path = f"{self.shop()}/documents/{name}"
        return "PUT", path, {**body, "metadata": metadata}, JSON

    def _bulk(self):
        lines = []
        for _ in range(self.chance.randint(1, 4)):
            _, path, body, _ = self._put()
            lines.append(json.dumps({"id": path.rpartition("/")[2], **body}))
        suffix = "?async=true" if self.chance.random() < 0.2 else ""
        path = f"{self.shop()}/documents/bulk{suffix}"
        return "POST", path, "\n".join(lines), {"content-type": "application/x-ndjson"}

    def _delete(self):
        path = f"{self.shop()}/documents"
        chosen = self.chance.randint(0, 2)
        if chosen == 0:
            return "DELETE", f"{path}/{self.document(own=12)}", None, {}
        body = {"ids": [self.document(own=12), self.document(own=12)]}
        if chosen == 1:
            body = {"filter": {"and": [self.filter(), {"year": self.chance.randint(12, 24)}]}}
        return "POST", f"{path}/delete", body, JSON

    def _patch(self):
        tenant = self.chance.choice([self.tenant, self.tenant, "none", self.other[::-1]])
        patch = self.chance.choice([{"seen": 3}, {"tenant": tenant}, {"tenant": None}, {"year": 4}])
        path = f"{self.shop()}/documents"
        chosen = self.chance.randint(0, 2)
        if chosen == 0:
            own = {**JSON, "if-match": "*"} if self.chance.random() < 0.5 else JSON
            return "PATCH", f"{path}/{self.document(own=12)}", {"metadata": patch}, own
        body = {"ids": [self.document(own=12), self.document(own=12)], "metadata": {"seen": 4}}
        if chosen == 1:
            body = {"filter": self.filter(), "metadata": {"seen": self.chance.randint(0, 9)}}
        return "POST", f"{path}/update", body, JSON

    def _jobs(self):
        return "GET", "/v1/jobs", None, {}
