"""Builds, searches, serves and evaluates with the kinds of the plug-in; prints the results."""

import json
import sys
from pathlib import Path

from fastapi.testclient import TestClient

from twindex.api.cli.main import main
from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings

root = Path(sys.argv[1])
(root / "served").mkdir()
names = ["swift", "kiwi", "heron", "gannet", "plover", "avocet", "curlew", "dunlin", "godwit"]
documents = [
    {"_id": f"{n}{i}", "text": f"{n} number {i} of the shore"} for n in names for i in range(60)
]


def lines(objects):
    return "".join(json.dumps(one) + "\n" for one in objects)


(root / "corpus.jsonl").write_text(lines(documents))
(root / "queries.jsonl").write_text(lines({"_id": n, "text": n} for n in names))
(root / "qrels.tsv").write_text(
    "query-id\tcorpus-id\tscore\n" + "".join(f"{n}\t{n}{i}\t1\n" for n in names for i in range(60))
)
birds = str(root / "served" / "birds")
flags = ["--encoder", "trigram", "--trigram-width", "64", "--index", "buckets", "--sparse", "none"]
assert main(["build", birds, "--documents", str(root / "corpus.jsonl"), *flags, "--quiet"]) == 0
print("---")
rerank = ["--rerank", "shared-trigrams@20"]
rewriter = ["--rewriter", "reversed"]
assert main(["search", birds, "siwik", "--legs", "dense", *rerank, *rewriter, "--json"]) == 0
print("---")
assert main(["info", birds, "--json"]) == 0
print("---")
quoting = ["--generator", "quoting"]
assert main(["ask", birds, "kiwi", *quoting, "--json"]) == 0
print("---")
judged = ["--queries", str(root / "queries.jsonl"), "--qrels", str(root / "qrels.tsv")]
assert (
    main(["eval", birds, *judged, *rerank, "--legs", "dense", "--measures", "P@10", "--json"]) == 0
)
print("---")
(root / "rerankers.toml").write_text(
    '[rerankers.mine]\nkind = "shared_trigrams"\nshortest = true\n'
)
(root / "rewriters.toml").write_text('[rewriters.back]\nkind = "reversed"\n')
(root / "generators.toml").write_text(
    '[generators.quote]\nkind = "quoting"\nwords = 3\n[backgrounds.own]\nkind = "echo"\n'
)
settings = Settings(
    rerankers=root / "rerankers.toml",
    rewriters=root / "rewriters.toml",
    generators=root / "generators.toml",
)
with TestClient(create_app(root / "served", settings), "http://localhost") as client:
    while client.get("/readyz").status_code != 200:
        pass
    leg = {"kind": "dense", "encoder": {"kind": "trigram"}, "index": {"kind": "buckets"}}
    made = client.put("/v1/collections/more", json={"legs": {"dense": leg}})
    added = client.put("/v1/collections/more/documents/a", json={"text": "a kiwi"})
    found = client.post("/v1/collections/more/search", json={"query": "kiwis"})
    built = client.post("/v1/collections/birds/search", json={"query": "kiwis", "limit": 3})
    asked = {"query": "kiwi number 7", "rerank": {"model": "mine"}}
    best = client.post("/v1/collections/birds/search", json=asked).json()["hits"][0]
    asked = {"query": "kiwis", "rewrite": "back"}
    stages = client.post("/v1/collections/birds/search", json=asked).json()["stages"]
    asked = {
        "question": "kiwi number 7",
        "background": "own",
        "search": {"rerank": {"model": "mine"}},
    }
    answered = client.post("/v1/collections/birds/answer", json=asked).json()
    leg["encoder"] = {"kind": "twindex_trigrams.encoder:TrigramConfig"}
    path = client.put("/v1/collections/path", json={"legs": {"dense": leg}})
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    print(
        json.dumps(
            {
                "reranked": [best["id"], best["rerank"]["score"]],
                "status": [
                    made.status_code,
                    added.status_code,
                    found.status_code,
                    path.status_code,
                ],
                "hits": [hit["id"] for hit in found.json()["hits"]],
                "built": [hit["id"] for hit in built.json()["hits"]],
                "rewritten": stages[0]["queries"],
                "answered": answered,
                "refused": path.json()["errors"],
                "fields": sorted(schemas["TrigramConfig"]["properties"]),
            }
        )
    )
