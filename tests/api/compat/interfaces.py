"""How each interface is asked, and what is read from its reply, in one form for all of them.

A search is a list of (id, score). An answer is a mapping with the fields that its interface has:
`text`, `sources`: ids, `scores` and `places` (start, end) of the sources, `citations`: (start, end,
ids), `cited`: ids, and `usage`: (tokens read, tokens written).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import twindex
from twindex.client import RemoteCollection

from .doors import Doors

Found = list[tuple[str, float]]

# -- search ------------------------------------------------------------------------------


def hits_of(result: Any) -> Found:
    """Return the hits of a search of the library or of a client."""
    return [(hit.id, hit.score) for hit in result.hits]


def search_rest(doors: Doors, name: str, query: str, fields: Any) -> Found:
    hits = doors.post(f"{name}/search", {"query": query, **fields})["hits"]
    return [(hit["id"], hit["score"]) for hit in hits]


def search_library(doors: Doors, name: str, query: str, fields: Any) -> Found:
    with doors.folder(name) as collection:
        return hits_of(collection.search(query, **fields))


def search_client(doors: Doors, name: str, query: str, fields: Any) -> Found:
    return hits_of(RemoteCollection(doors.remote, name).search(query, **fields))


def search_vector_store(doors: Doors, name: str, query: str, fields: Any) -> Found:
    own = dict(fields)
    ((key, condition),) = own.pop("filter").items()
    ((operator, value),) = condition.items()
    page = doors.openai.vector_stores.search(
        name,
        query=query,
        max_num_results=own.pop("limit"),
        filters={"type": operator, "key": key, "value": value},
        extra_body={"twindex": own},
    )
    return [(one.file_id, one.score) for one in page]


def search_mcp(doors: Doors, name: str, query: str, fields: Any) -> Found:
    found = doors.tool("search", {"query": query, "collection": name, **fields})["results"]
    return [(one["id"].removeprefix(f"{name}/"), one["score"]) for one in found]


def search_command(doors: Doors, name: str, query: str, fields: Any) -> Found:
    options = ["--limit", str(fields["limit"]), "--filter", json.dumps(fields["filter"])]
    if "fusion" in fields:
        options += ["--fusion", fields["fusion"]]
    if "rerank" in fields:
        options += ["--rerank", fields["rerank"]["model"]]
        options += ["--rerankers", str(doors.server.root.parent / "rerankers.toml")]
    found = doors.command("search", str(doors.server.root / name), query, *options)
    return [(hit["id"], hit["score"]) for hit in found["hits"]]


def search_langchain(collection: Any, query: str, fields: Any) -> Found:
    from twindex.integrations.langchain import TwindexRetriever

    own = dict(fields)
    retriever = TwindexRetriever(collection=collection, k=own.pop("limit"), **own)
    found = [one.metadata["twindex"] for one in retriever.invoke(query)]
    return [(one["id"], one["score"]) for one in found]


def search_langchain_store(collection: Any, query: str, fields: Any) -> Found:
    from twindex.integrations.langchain import TwindexVectorStore

    own = dict(fields)
    limit = own.pop("limit")
    store = TwindexVectorStore(collection, options=own)
    return [(one.id, score) for one, score in store.similarity_search_with_score(query, k=limit)]


def search_llama_index(collection: Any, query: str, fields: Any) -> Found:
    from twindex.integrations.llama_index import TwindexRetriever

    own = dict(fields)
    limit, filters = own.pop("limit"), own.pop("filter")
    retriever = TwindexRetriever(collection, similarity_top_k=limit, filters=filters, **own)
    return [(one.node.ref_doc_id, one.score) for one in retriever.retrieve(query)]


def search_haystack(collection: Any, query: str, fields: Any) -> Found:
    from twindex.integrations.haystack import TwindexDocumentStore, TwindexRetriever

    own = dict(fields)
    limit = own.pop("limit")
    ((key, condition),) = own.pop("filter").items()
    ((operator, value),) = condition.items()
    filters = {"field": key, "operator": {"gt": ">"}.get(operator, operator), "value": value}
    retriever = TwindexRetriever(
        TwindexDocumentStore(collection), top_k=limit, filters=filters, **own
    )
    return [(one.id, one.score) for one in retriever.run(query)["documents"]]


def remotely(adapter: Any) -> Any:
    """Return a search of an adapter over the client."""
    return lambda doors, name, query, fields: adapter(
        RemoteCollection(doors.remote, name), query, fields
    )


def locally(adapter: Any) -> Any:
    """Return a search of an adapter over the library."""

    def search(doors: Doors, name: str, query: str, fields: Any) -> Found:
        with doors.folder(name) as collection:
            found: Found = adapter(collection, query, fields)
            return found

    return search


ADAPTERS = {
    "LangChain retriever": search_langchain,
    "LangChain vector store": search_langchain_store,
    "LlamaIndex retriever": search_llama_index,
    "Haystack retriever": search_haystack,
}
SEARCHES: dict[str, Callable[[Doors, str, str, Any], Found]] = {
    "REST": search_rest,
    "library": search_library,
    "client": search_client,
    "OpenAI vector store": search_vector_store,
    "MCP": search_mcp,
    "command line": search_command,
    **{name: remotely(adapter) for name, adapter in ADAPTERS.items()},
    **{f"{name}, local": locally(adapter) for name, adapter in ADAPTERS.items()},
}

# -- answers -----------------------------------------------------------------------------


def native(reply: Any) -> dict[str, Any]:
    """Return the parts of an answer in the JSON of the REST interface."""
    return {
        **listed(reply["sources"]),
        "text": reply["text"],
        "citations": quoted(reply["citations"]),
        "usage": (reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]),
    }


def listed(sources: Any) -> dict[str, Any]:
    """Return the ids, scores and places of sources."""
    return {
        "sources": [one["id"] for one in sources],
        "scores": [one["score"] for one in sources],
        "places": [(one["start"], one["end"]) for one in sources],
    }


def quoted(citations: Any) -> Any:
    """Return (start, end, ids of the sources) of each citation in JSON."""
    return [
        (one["start"], one["end"], [quote["id"] for quote in one["quotes"]]) for one in citations
    ]


def annotated(annotations: Any, results: Any) -> Any:
    """Return the citations of annotations, whose addresses are those of search results."""
    ids = {one["url"]: one["id"] for one in results}
    cited: dict[tuple[int, int], list[str]] = {}
    for one in annotations:
        cited.setdefault((one.start_index, one.end_index), []).append(ids[one.url])
    return [(start, end, found) for (start, end), found in cited.items()]


def own_answer(answer: twindex.Answer) -> dict[str, Any]:
    """Return the parts of an answer of the library or of a client."""
    return {
        "text": answer.text,
        "sources": [one.id for one in answer.sources],
        "scores": [one.score for one in answer.sources],
        "places": [(one.start, one.end) for one in answer.sources],
        "citations": [
            (one.start, one.end, [quote.id for quote in one.quotes]) for one in answer.citations
        ],
        "usage": (answer.usage.prompt_tokens, answer.usage.completion_tokens),
    }


def answer_rest(doors: Doors, name: str, question: str, search: Any) -> dict[str, Any]:
    return native(doors.post(f"{name}/answer", {"question": question, "search": search}))


def answer_library(doors: Doors, name: str, question: str, search: Any) -> dict[str, Any]:
    with doors.folder(name) as collection:
        return own_answer(collection.answer(question, search=search))


def answer_client(doors: Doors, name: str, question: str, search: Any) -> dict[str, Any]:
    return own_answer(RemoteCollection(doors.remote, name).answer(question, search=search))


def answer_chat(doors: Doors, name: str, question: str, search: Any) -> dict[str, Any]:
    reply = doors.openai.chat.completions.create(
        model=f"rag:{name}",
        messages=[{"role": "user", "content": question}],
        extra_body={"twindex": {"search": search}},
    )
    (choice,) = reply.choices
    places = [one.url_citation for one in choice.message.annotations]
    assert quoted(reply.twindex["citations"]) == annotated(places, reply.search_results)
    return {
        **listed(reply.search_results),
        "text": choice.message.content,
        "citations": annotated(places, reply.search_results),
        "usage": (reply.usage.prompt_tokens, reply.usage.completion_tokens),
    }


def answer_responses(doors: Doors, name: str, question: str, search: Any) -> dict[str, Any]:
    reply = doors.openai.responses.create(
        model=f"rag:{name}", input=question, extra_body={"twindex": {"search": search}}
    )
    places = reply.output[0].content[0].annotations
    assert quoted(reply.twindex["citations"]) == annotated(places, reply.search_results)
    return {
        **listed(reply.search_results),
        "text": reply.output_text,
        "citations": annotated(places, reply.search_results),
        "usage": (reply.usage.input_tokens, reply.usage.output_tokens),
    }


def answer_cohere(doors: Doors, name: str, question: str, search: Any) -> dict[str, Any]:
    own = {"search": search, "citations": {"markers": "keep"}}
    reply = doors.cohere.chat(
        model=f"rag:{name}",
        messages=[{"role": "user", "content": question}],
        request_options={"additional_body_parameters": {"twindex": own}},
    )
    return {
        "text": reply.message.content[0].text,
        "citations": [
            (one.start, one.end, [source.id for source in one.sources])
            for one in reply.message.citations
        ],
        "usage": (reply.usage.tokens.input_tokens, reply.usage.tokens.output_tokens),
    }


def answer_mcp(doors: Doors, name: str, question: str, search: Any) -> dict[str, Any]:
    reply = doors.tool("answer", {"question": question, "collection": name, **search})
    for one in (*reply["sources"], *(q for c in reply["citations"] for q in c["quotes"])):
        one["id"] = one["id"].removeprefix(f"{name}/")
    return {
        **listed(reply["sources"]),
        "text": reply["text"],
        "citations": quoted(reply["citations"]),
        "usage": (reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]),
    }


def answer_command(doors: Doors, name: str, question: str, search: Any) -> dict[str, Any]:
    options = ["--limit", str(search["limit"]), "--filter", json.dumps(search["filter"])]
    options += ["--generators", str(doors.server.root.parent / "generators.toml")]
    return native(doors.command("ask", str(doors.server.root / name), question, *options))


def answer_page(doors: Doors, name: str, question: str, search: Any) -> dict[str, Any]:
    fields = {"limit": str(search["limit"]), "filter": json.dumps(search["filter"])}
    page = doors.page("/ask", collection=name, q=question, **fields)
    answer = page.partition('<p class="answer">')[2].partition("</p>")[0]
    links = re.findall(r'class="marker" href="([^"]+)"', answer)
    ledger = page.partition('<details class="ledger">')[2]
    sources = [_linked(one) for one in re.findall(r'<a href="([^"]+)"', ledger)]
    (read,) = re.findall(r"([\d,]+) tokens read, ([\d,]+) written", page)
    return {
        "text": unescape(re.sub("<[^>]+>", "", answer)),
        "cited": [_linked(one)["id"] for one in links],
        "sources": [one["id"] for one in sources],
        "places": [(int(one["start"]), int(one["end"])) for one in sources],
        "usage": tuple(int(one.replace(",", "")) for one in read),
    }


def _linked(address: str) -> dict[str, str]:
    """Return the fields of a link to a document."""
    return {name: one for name, (one,) in parse_qs(urlsplit(unescape(address)).query).items()}


ANSWERS: dict[str, Callable[[Doors, str, str, Any], dict[str, Any]]] = {
    "REST": answer_rest,
    "library": answer_library,
    "client": answer_client,
    "OpenAI chat": answer_chat,
    "OpenAI responses": answer_responses,
    "Cohere chat": answer_cohere,
    "MCP": answer_mcp,
    "command line": answer_command,
    "answer page": answer_page,
}
