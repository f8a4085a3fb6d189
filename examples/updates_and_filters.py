"""Insert, replace and delete documents, and search with filters.

Shows: insert, replace, skip and delete, and filters on metadata in searches and deletes.
Needs: no model. The collection is lexical and in a temporary folder.
Prints: the result of each write, and the hits for each filter.

    python examples/updates_and_filters.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import twindex

FILMS: list[dict[str, Any]] = [
    {"id": "1", "text": "A robot learns to love.", "metadata": {"year": 1999, "genres": ["drama"]}},
    {"id": "2", "text": "A robot steals a bank.", "metadata": {"year": 2012, "genres": ["crime"]}},
    {"id": "3", "text": "A dog learns to surf.", "metadata": {"year": 2020, "genres": ["comedy"]}},
]
FILTERS: list[dict[str, Any]] = [
    {"year": {"gte": 2000}},
    {"genres": {"in": ["drama", "comedy"]}},
    {"or": [{"year": {"lt": 2000}}, {"genres": "crime"}]},
    {"not": {"genres": "crime"}},
]


def main() -> None:
    config = twindex.CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    with (
        tempfile.TemporaryDirectory() as folder,
        twindex.create(Path(folder) / "films", config) as films,
    ):
        print("first write:", films.add(FILMS).documents, "documents")
        again = films.add([*FILMS[:2], {**FILMS[2], "text": "A dog and a robot learn to surf."}])
        print(f"second write: {again.replaced} replaced, {again.unchanged} unchanged")
        for condition in FILTERS:
            hits = films.search("robot learns", filter=condition).hits
            print(f"{condition}: {', '.join(hit.id for hit in hits)}")

        # A field that no document has is probably a mistake, so the result has a warning.
        print("warning:", *films.search("robot", filter={"yaer": 1999}).warnings)

        print("deleted by id:", films.delete(["2", "no such id"]))
        print("deleted by filter:", int(films.delete_where({"year": {"gte": 2000}})))
        print("left:", [document.id for document in films.scan()], "count:", films.count())


if __name__ == "__main__":
    main()
