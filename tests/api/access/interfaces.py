"""Random requests of keys with forced filters over the remaining interfaces, and wrong requests."""

from __future__ import annotations

import json

from .asker import JSON, Asker

DENSE, SPARSE = "shop/dense", "shop/sparse"


class WiderAsker(Asker):
    """Also asks for embeddings, rerankings, jobs and administration, and makes mistakes."""

    others: set[str] = set()  # noqa: RUF012 - shared by all askers
    """Ids of the jobs of all keys."""

    def _embed(self):
        text, model = self.text(), self.chance.choice([DENSE, SPARSE, "live/dense", "none/dense"])
        kind = self.chance.choice(["/embed", "/embed_sparse", "/v1/embeddings", "/v2/embed"])
        body = {
            "/embed": {"model": DENSE, "inputs": text},
            "/embed_sparse": {"model": SPARSE, "inputs": text},
            "/v1/embeddings": {"model": model, "input": text},
            "/v2/embed": {
                "model": DENSE,
                "texts": [text],
                "input_type": "search_query",
                "embedding_types": ["float"],
            },
        }[kind]
        return "POST", kind, body, JSON

    def _sparse_embed(self):
        return "POST", "/v1/sparse_embeddings", {"model": SPARSE, "input": self.text()}, JSON

    def _rerank_texts(self):
        texts = [self.text() for _ in range(3)]
        path = self.chance.choice(["/v1/rerank", "/v2/rerank", "/rerank"])
        body = {"query": self.text(), "documents": texts, "model": "fast"}
        if path == "/rerank":
            body = {"query": self.text(), "texts": texts}
        return "POST", path, body, JSON

    def _information(self):
        paths = [
            *("/info", f"/info?model={DENSE}", "/health", "/readyz", "/metrics", "/openapi.json"),
            *(f"/v1/models/{DENSE}", "/v1/models/rag:shop", "/v1/models/rag:live", "/v1/aliases"),
            *("/v1/models/rag:vault", "/v1/collections/vaul", "/v1/collections/live"),
        ]
        return "GET", self.chance.choice(paths), None, {}

    def _one_job(self):
        known = [*self.others, "0000000000000000"]
        return "GET", f"/v1/jobs/{self.chance.choice(sorted(known))}", None, {}

    def _administration(self):
        """A request that no key with a filter may send."""
        shop = self.shop()
        path, body = self.chance.choice(
            [
                (f"{shop}/snapshots", None),
                (f"{shop}/merge", None),
                (f"{shop}/reconfigure", {"legs": {"dense": {"codec": {"kind": "int8"}}}}),
                (f"{shop}/reembed", {"legs": {"dense": None}}),
                (f"{shop}/reembed/confirm", None),
                (f"{shop}/reembed/roll-back", None),
                ("/v1/collections/new/restore", {"collection": "shop"}),
                ("/v1/aliases", {"actions": [{"action": "delete", "alias": "live"}]}),
                ("/v1/keys", {"name": "new"}),
            ]
        )
        method = "POST"
        if self.chance.random() < 0.3:
            method = "DELETE"
            path, body = self.chance.choice([shop, "/v1/aliases/live"]), None
        elif self.chance.random() < 0.1:
            method, body = "GET", None
            path = self.chance.choice([f"{shop}/snapshots", "/v1/keys"])
        return method, path, body, JSON

    def _mistake(self):
        """A request with an error, whose reply may explain it."""
        body = self.search()
        chance = self.chance
        path = f"{self.shop()}/search"
        kind = chance.randint(0, 7)
        if kind == 0:
            body["filter"] = {"tenan": chance.choice(["x", 1])}
        elif kind == 1:
            body["filter"] = {"field_": {"near": 1}}
        elif kind == 2:
            body["legs"] = [{"name": "densee"}]
        elif kind == 3:
            body["rerank"] = {"model": "fasst"}
        elif kind == 4:
            body["query"] = "tenan:x fiel:3 " + body.get("query", "")
            body["parse_filters"] = True
        elif kind == 5:
            path = f"/v1/collections/{chance.choice(['shp', 'liv', 'vaul'])}/search"
        elif kind == 6:
            return "POST", path, json.dumps(body)[:-2], JSON
        else:
            line = json.dumps({"id": f"{self.tenant}-00", "text": 3, "metadata": {"tenant": 1}})
            kinds = {"content-type": "application/x-ndjson"}
            return "POST", f"{self.shop()}/documents/bulk", line, kinds
        return "POST", path, body, JSON

    def _suggestion(self):
        body = {"query": self.chance.choice(["rivr", "bnak", "brigde", "onlya", "only"])}
        body["suggest"] = True
        return "POST", f"{self.shop()}/search", body, JSON

    def _completion(self):
        texts = ["r", "b", "on", "only", "t", "title ", "title a", "title z", "n", self.other[:2]]
        body = {"text": self.chance.choice(texts), "typos": self.chance.choice([0, 1])}
        body |= {"limit": 100, "titles": 100, "filter": self.filter()}
        if self.chance.random() < 0.5:
            body["text"] = f"{self.text()} {body['text']}"
        return "POST", f"{self.shop()}/complete", body, JSON

    def _like(self):
        body = self.search()
        for name in ("query", "suggest", "feedback", "parse_filters", "rerank"):
            body.pop(name, None)
        ids = [self.document() for _ in range(self.chance.randint(1, 2))]
        body["like"] = {"ids": ids, "unlike": [self.document()]}
        return "POST", f"{self.shop()}/search", body, JSON

    def _federated(self):
        body = self.search()
        for name in ("rerank", "group"):
            body.pop(name, None)
        body["collections"] = self.chance.choice([["shop"], ["live"], ["shop", "vault"]])
        return "POST", "/v1/search", body, JSON

    def _repeated(self):
        """A write with a key of idempotency that other keys use too."""
        _, path, body, headers = self._put()
        name = path.rpartition("/")[2]
        headers = {"content-type": "application/x-ndjson", "idempotency-key": f"k{name}"}
        line = json.dumps({"id": name, **body})
        return "POST", f"{self.shop()}/documents/bulk?async=true", line, headers


WiderAsker.kinds = [
    name[1:] for name in dir(WiderAsker) if name.startswith("_") and not name.startswith("__")
]
WiderAsker.kinds += [
    *["search"] * 4,
    "batch",
    "answer",
    "list",
    "tool",
    "mistake",
    "suggestion",
    "completion",
    "like",
]
