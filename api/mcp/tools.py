"""The tools: `search`, `fetch`, `answer` and `list_collections`, over a Backend."""

from __future__ import annotations

from dataclasses import dataclass

from ...client import Answer
from ...core import Document, Hit, InvalidInputError, NotFoundError
from ...core.errors import shown
from ...core.results import SearchResult
from ..pages.links import source
from . import shapes
from .arguments import AnswerArguments, FetchArguments, ListArguments, SearchArguments
from .backend import Backend
from .places import Place

SNIPPET = 2_000
"""Maximum number of characters of a passage in a result of `search`."""

SUGGEST = {"suggest": True}
"""Fields of every search."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools for one call.

    place: which collections the tools may read, and the addresses of documents.
    """

    backend: Backend
    place: Place

    async def list_collections(self, _: ListArguments) -> shapes.CollectionsResult:
        found = await self.backend.collections()
        only = self.place.only
        target = only if only is None else (await self.backend.aliases()).get(only, only)
        return {
            "collections": [
                {
                    "name": only or one.name,
                    "status": one.status,
                    "documents": one.documents,
                    "problem": one.problem,
                }
                for one in found
                if target in (None, one.name)
            ]
        }

    async def search(self, arguments: SearchArguments) -> shapes.SearchResults:
        collection = await self._collection(arguments.collection)
        fields = arguments.model_dump(exclude_unset=True, exclude={"collection"})
        result = await self.backend.search(collection, {**fields, **SUGGEST})
        return self._found(collection, result)

    async def fetch(self, arguments: FetchArguments) -> shapes.FetchedDocument:
        collection, slash, name = arguments.id.partition("/")
        only = self.place.only
        if not (collection and slash and name):
            raise InvalidInputError(
                "must have the form COLLECTION/ID, as `search` returns it, got "
                f"{shown(arguments.id)}",
                field="id",
            )
        if only not in (None, collection):
            raise NotFoundError(
                f"no collection {shown(collection)}; the only collection is {only!r}"
            )
        document = await self.backend.get(collection, name)
        return self._fetched(collection, document, arguments)

    async def answer(self, arguments: AnswerArguments) -> shapes.AnswerResult:
        collection = await self._collection(arguments.collection)
        given = arguments.model_dump(exclude_unset=True, exclude={"collection", "question"})
        request = {"question": arguments.question, "search": {**given, **SUGGEST}}
        try:
            result = await self.backend.answer(collection, request)
        except InvalidInputError as error:
            raise _renamed(error) from None
        return self._answered(collection, result)

    async def _collection(self, given: str) -> str:
        """Return the name of the collection to use. given: the argument; "" without it.

        Raises InvalidInputError if the argument is missing and there is not exactly one collection,
        and NotFoundError if the tools may not read the collection.
        """
        only = self.place.only
        if only is not None:
            if given in ("", only):
                return only
            raise NotFoundError(f"no collection {shown(given)}; the only collection is {only!r}")
        if given:
            return given
        names = [one.name for one in await self.backend.collections()]
        if len(names) == 1:
            return names[0]
        raise InvalidInputError(
            f"is required, because there are {len(names)} collections: {', '.join(names)}"
            if names
            else "the server has no collection; `twindex build` makes one",
            field="collection",
        )

    def _found(self, collection: str, result: SearchResult) -> shapes.SearchResults:
        return {
            "results": [self._hit(collection, hit) for hit in result.hits],
            "collection": collection,
            "total": {"value": result.total, "relation": result.relation},
            **_understood(result),
            "warnings": list(result.warnings),
        }

    def _hit(self, collection: str, hit: Hit) -> shapes.FoundDocument:
        start = 0 if hit.passage is None else hit.passage.start
        text = shortened(hit.passage_text, SNIPPET)
        end = start + len(text)
        found: shapes.FoundDocument = {
            "id": f"{collection}/{hit.id}",
            "title": hit.title or hit.id,
            "url": source(hit.metadata) or self.place.address(collection, hit.id, start, end),
            "text": text,
            "start": start,
            "end": end,
            "score": hit.score,
            "metadata": dict(hit.metadata),
        }
        if len(text) < len(hit.passage_text):
            found["cut"] = True
        return found

    def _fetched(
        self, collection: str, document: Document, arguments: FetchArguments
    ) -> shapes.FetchedDocument:
        whole = document.text
        end = len(whole) if arguments.end is None else min(arguments.end, len(whole))
        start = arguments.start
        if start > end:
            raise InvalidInputError(
                f"must be at most {end}, the end of the text to return, got {start}", field="start"
            )
        return {
            "id": f"{collection}/{document.id}",
            "title": document.title or document.id,
            "text": whole[start:end],
            "url": source(document.metadata) or self.place.address(collection, document.id),
            "metadata": dict(document.metadata),
            "start": start,
            "end": end,
            "characters": len(whole),
        }

    def _answered(self, collection: str, result: Answer) -> shapes.AnswerResult:
        usage = result.usage
        return {
            "outcome": result.outcome,
            "text": result.text,
            "reason": result.reason,
            "citations": [
                {
                    "start": one.start,
                    "end": one.end,
                    "supported": one.supported,
                    "quotes": [
                        {
                            "number": quote.number,
                            "id": f"{collection}/{quote.id}",
                            "text": quote.text,
                            "start": quote.start,
                            "end": quote.end,
                        }
                        for quote in one.quotes
                    ],
                }
                for one in result.citations
            ],
            "sources": [
                {
                    "number": one.number,
                    "kind": one.kind,
                    "id": one.id and f"{collection}/{one.id}",
                    "title": one.title or one.id,
                    "url": one.id and self.place.address(collection, one.id, one.start, one.end),
                    "text": one.text,
                    "start": one.start,
                    "end": one.end,
                    "score": one.score,
                }
                for one in result.sources
            ],
            "finish": result.finish,
            "generator": result.generator,
            "collection": collection,
            **_understood(result),
            "usage": {
                "calls": usage.calls,
                "prompt_tokens": usage.prompt_tokens,
                "cached_tokens": usage.cached_tokens,
                "completion_tokens": usage.completion_tokens,
                "cache_hits": usage.cache_hits,
                "seconds": round(usage.seconds, 6),
            },
            "warnings": list(result.warnings),
        }


def _understood(result: SearchResult | Answer) -> shapes.Understood:
    """Return what the search read from the text, and the text with misspelled words replaced."""
    return {
        "suggestion": result.suggestion,
        "filter": None if result.filter is None else dict(result.filter),
    }


_BUDGETS = ("context.tokens", "max_tokens", "tokens")
"""Fields of a request for an answer that no argument of `answer` sets. Their defaults are too small
for a long question."""


def _renamed(error: InvalidInputError) -> InvalidInputError:
    """Return an error of a request for an answer, with the name of the argument of `answer`."""
    field = error.field or ""
    if field in _BUDGETS:
        cause = error.message.partition(";")[0]
        remedy = f"ask a shorter question, or set `{field}` in the REST interface"
        return InvalidInputError(f"{cause}; {remedy}", field="question")
    if field.startswith("search."):
        return InvalidInputError(error.message, field=field.removeprefix("search."))
    return error


def shortened(text: str, most: int) -> str:
    """Return at most `most` characters of the start of a text, cut between words if possible."""
    if len(text) <= most:
        return text
    cut = text[:most]
    return cut[: cut.rfind(" ")] if " " in cut[most // 2 :] else cut
