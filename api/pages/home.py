"""The collections on the home page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from ...core import Document, TwindexError
from ...search import Collection
from ..serving.problems import Problem
from ..serving.served import Served

LISTED = 50
"""Maximum number of collections with a description. Only the names of the others are shown."""
SAMPLES = 3
"""Maximum number of sample queries of a collection."""
READ = 10
"""Number of documents that sample queries are taken from."""
LONGEST = 70
"""Maximum number of characters of a sample query."""


def first_ready(collections: Sequence[Served]) -> str:
    """Return the name of the first collection that is ready; "" if there is none."""
    return next((served.name for served in collections if served.status == "ready"), "")


def cards(collections: Sequence[Served]) -> list[dict[str, Any]]:
    """Return the values that the home page shows of each collection.

    They are its status, number of documents, legs with encoders, and sample queries.
    """
    return [_card(served, described=i < LISTED) for i, served in enumerate(collections)]


def _card(served: Served, *, described: bool) -> dict[str, Any]:
    card: dict[str, Any] = {
        "name": served.name,
        "status": served.status,
        "link": "./?" + urlencode({"collection": served.name}),
        "browse": "./?" + urlencode({"collection": served.name, "sort": "id"}),
        "documents": None,
        "legs": [],
        "samples": [],
    }
    if described and served.collection is not None:
        try:
            collection, _ = served.ready()
            card["documents"] = collection.count()
            card["legs"] = [
                {"name": name, "kind": leg.kind, "encoder": served.encoders.get(name, "")}
                for name, leg in collection.config.legs.items()
            ]
            card["samples"] = [
                {"text": text, "link": "./?" + urlencode({"collection": served.name, "q": text})}
                for text in samples(collection)
            ]
        except (TwindexError, Problem):  # Deleted or damaged meanwhile; a search shows why.
            card["status"] = "unavailable"
    return card


def samples(collection: Collection) -> list[str]:
    """Return sample queries that find a document of the collection.

    A sample query is the title of one of the first documents by id, or the first words of its text
    if it has no title.
    """
    found = dict.fromkeys(_sample(document) for document in collection.documents(limit=READ))
    return [text for text in found if text][:SAMPLES]


def _sample(document: Document) -> str:
    words = (document.title.strip() or document.text[: LONGEST * 4]).split()
    text = ""
    for word in words[: 12 if document.title.strip() else 6]:
        if len(text) + len(word) + 1 > LONGEST:
            break
        text = f"{text} {word}".strip()
    return text
