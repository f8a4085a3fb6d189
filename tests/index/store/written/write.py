"""Writes `collection.tar.gz` and `found.json`. Run it in a checkout of an earlier commit.

python write.py FOLDER
"""

from __future__ import annotations

import json
import random
import sys
import tarfile
from pathlib import Path

import twindex.search as search

if hasattr(search, "Collection"):
    from twindex.index import CollectionConfig
    from twindex.search import Collection
else:  # Commits before the class had this name.
    from twindex.core import CollectionConfig
    from twindex.search import Engine as Collection

FAKE = {"kind": "dense", "model": "fake"}
INDEXES = {
    "flat": {"index": {"kind": "flat"}, "codec": {"kind": "int8"}},
    "pca": {"projection": {"kind": "pca", "share": 0.5}, "codec": {"kind": "float16"}},
    "hnsw": {"index": {"kind": "hnsw", "flat_below": 50, "recall": 0.9}},
    "ivf": {"index": {"kind": "ivf", "flat_below": 50, "nprobe": 4, "lists": 8}},
    "spann": {"index": {"kind": "spann", "flat_below": 50}, "codec": {"kind": "int4"}},
}
LEGS = {
    **{name: {"kind": "dense", "encoder": FAKE, **more} for name, more in INDEXES.items()},
    "tokens": {"kind": "dense", "role": "rerank", "encoder": {"kind": "late", "model": "fake"}},
    "sparse": {"kind": "sparse", "encoder": {"kind": "sparse", "model": "fake"}},
    "lexical": {"kind": "lexical", "k1": 1.2},
}
WORDS = "kiwi heron gannet plover avocet shore marsh cliff reed gull tern ringed grey night"


def text(number: int) -> str:
    drawn = random.Random(number)
    return " ".join(drawn.choices(WORDS.split(), k=12)) + f" n{number}"


def main(folder: Path) -> None:
    config = CollectionConfig.parse({"legs": LEGS, "storage": {"seal_passages": 1_000_000}})
    path = folder / "collection"
    with Collection.create(path, config) as collection:
        for start in (0, 130, 260):  # Two segments, then a delta.
            documents = ({"id": f"d{n}", "text": text(n), "metadata": {"n": n}}
                         for n in range(start, start + 130))  # fmt: skip
            collection.add(documents)
            if start < 260:
                collection.seal()
        collection.delete([f"d{n}" for n in range(0, 390, 13)])
        collection.add([{"id": "d7", "title": "Seventh", "text": text(7)}])
        searches = [
            {"query": query, "fields": {"legs": [{"name": leg}], **where}}
            for query in ("kiwi shore", "grey heron n100", "night")
            for leg in LEGS
            for where in ({}, {"filter": {"n": {"gte": 100, "lt": 300}}})
        ]
        searches.append({"query": "reed gull", "fields": {}})
        for case in searches:
            found = collection.search(case["query"], limit=20, **case["fields"])
            case["hits"] = [[hit.id, hit.score] for hit in found.hits]
        expected = {
            "count": collection.count(),
            "config": json.loads(collection.config.model_dump_json()),
            "searches": searches,
        }
    (folder / "found.json").write_text(json.dumps(expected) + "\n")
    with tarfile.open(folder / "collection.tar.gz", "w:gz") as archive:
        archive.add(path, "collection")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
