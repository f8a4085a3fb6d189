"""Parts of an answer that several interfaces show: addresses of sources, quotes and details."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from ....core.answers import Answer, Source
from ...pages.links import source as web_source
from .. import render


class Links:
    """The addresses of the sources of an answer.

    It is the first web address in the metadata of the document or, without one, the page of the
    document on this server, with the passage marked. A document of the request has no address.
    """

    def __init__(self, request: Request, collection: str | None, answer: Answer) -> None:
        self._collection = collection
        self._base = str(request.base_url)
        hits = () if answer.search is None else answer.search.hits
        self._documents = {hit.id: hit.document for hit in hits if hit.document is not None}
        self._sources = {one.number: one for one in real_sources(answer)}

    def url(self, number: int) -> str:
        """Return the address of the source with this number."""
        if self._collection is None:
            return ""
        place = self._sources[number]
        document = self._documents.get(place.id)
        if document is not None and (found := web_source(document.metadata)):
            return found
        fields = {"collection": self._collection, "id": place.id}
        marked = {"start": place.start, "end": place.end}
        return f"{self._base}document?{urlencode(fields | marked)}#passage"

    def title(self, number: int) -> str:
        """Return the title of the document of a source; its id if it has no title."""
        place = self._sources[number]
        return place.title or place.id


def real_sources(answer: Answer) -> list[Source]:
    """Return the sources that can be cited, by number."""
    found = [one for one in answer.sources if one.kind == "document"]
    return sorted(found, key=lambda one: one.number)


def search_results(answer: Answer, links: Links) -> list[dict[str, Any]]:
    """Return the sources as search results, in the order of their numbers.

    Their order is that of the markers: [1] is the first result.
    """
    return [
        {
            "title": links.title(one.number),
            "url": links.url(one.number),
            "date": None,
            "snippet": one.text,
            "id": one.id,
            "number": one.number,
            "start": one.start,
            "end": one.end,
            "page": one.page,
            "headings": one.headings,
            "score": one.score,
        }
        for one in real_sources(answer)
    ]


def further(answer: Answer, links: Links) -> dict[str, Any]:
    """Return what replies in OpenAI's forms have in addition: sources and the native reply."""
    found = search_results(answer, links)
    return {
        "citations": [one["url"] for one in found],
        "search_results": found,
        "twindex": details(answer),
    }


def details(answer: Answer) -> dict[str, Any]:
    """Return the native reply without the text, the sources and the usage."""
    whole = render.answer(answer)
    return {name: whole[name] for name in whole if name not in ("text", "sources", "usage")}
