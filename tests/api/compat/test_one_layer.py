"""The same question gives the same result through every interface.

`interfaces.py` asks each interface by its official client, and returns what its reply has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import twindex

from .conftest import KEY
from .doors import Doors, Refused
from .interfaces import ADAPTERS, ANSWERS, SEARCHES

QUESTION = "Which bird cannot fly, and where does it live?"
SEARCH = {"limit": 2, "filter": {"id": {"in": ["emu", "kiwi", "swift"]}}}
OPTIONS = {**SEARCH, "fusion": "rrf", "rerank": {"model": "fast"}}
PLAIN = ("MCP",)
"""Interfaces of which a search has a limit and a filter only."""

WRONG = {"limit": 2, "filter": {"year": {"in": [[1]]}}}

WHOLE = {"text", "sources", "scores", "places", "citations", "usage"}
PARTS = {
    "Cohere chat": {"text", "citations", "usage"},
    "answer page": {"text", "sources", "places", "cited", "usage"},
}
"""Interface -> what its answers have, where it is not everything."""

FOLDERS = ("library", "command line")
"""Interfaces that open a folder. An unknown one is named by its path."""


QUICK = "LangChain retriever"
"""The adapter whose framework is imported fastest. Tests of the others with a server are slow."""


def named(asks: Any, *begin: Any) -> list[Any]:
    """Return a parameter for each interface."""
    slow = {*ADAPTERS} - {QUICK}
    return [
        pytest.param(
            name,
            *begin,
            id=name,
            marks=[pytest.mark.slow] if name.partition(",")[0] in slow else [],
        )
        for name in asks
    ]


ASKED = [*named(SEARCHES, SEARCHES), *named(ANSWERS, ANSWERS)]


@pytest.fixture(scope="module")
def doors(server: Any, openai: Any, cohere: Any) -> Iterator[Doors]:
    pytest.importorskip("mcp", reason="mcp is not installed")
    with twindex.Client(server.url, api_key=KEY, patience=0) as remote:
        yield Doors(server, remote, openai, cohere)


@pytest.mark.parametrize("interface", named(SEARCHES))
def test_a_search_finds_the_same_ids_with_the_same_scores(doors, interface):
    for fields in (SEARCH, OPTIONS):
        if fields is SEARCH or interface not in PLAIN:
            expected = SEARCHES["REST"](doors, "birds", QUESTION, fields)
            assert len(expected) == 2
            assert SEARCHES[interface](doors, "birds", QUESTION, fields) == expected


@pytest.mark.parametrize("interface", named(ANSWERS))
def test_an_answer_has_the_same_sources_citations_and_usage(doors, interface):
    expected = ANSWERS["REST"](doors, "birds", QUESTION, SEARCH)
    assert len(expected["citations"]) == len(expected["sources"]) == 2
    assert min(expected["usage"]) > 0
    expected["cited"] = [id_ for _, _, ids in expected["citations"] for id_ in ids]
    found = ANSWERS[interface](doors, "birds", QUESTION, SEARCH)
    assert set(found) == PARTS.get(interface, WHOLE)
    assert found == {name: expected[name] for name in found}


def refusal(doors: Any, ask: Any, name: str, fields: Any) -> tuple[object, str]:
    """Return (class or status of the error, message) of a question that is refused."""
    try:
        ask(doors, name, QUESTION, fields)
    except Exception as error:  # noqa: BLE001 - each client has its own classes
        body = getattr(error, "body", None)
        message = body["message"] if body else str(error)
        return (error.status if isinstance(error, Refused) else type(error).__name__), message
    raise AssertionError("the question is not refused")


UNKNOWN = {"REST": 404, "answer page": 404, "MCP": "tool", "command line": 2}
"""Interface -> status of an error for an unknown collection, if its client raises none."""
INVALID = {
    "REST": 422,
    "answer page": 422,
    "MCP": "tool",
    "command line": 2,
    "OpenAI chat": "BadRequestError",
    "OpenAI responses": "BadRequestError",
    "OpenAI vector store": "BadRequestError",
    "Cohere chat": "UnprocessableEntityError",
}
"""Interface -> status or class of an error for an invalid field. Others: InvalidInputError."""
FIELDS = {
    "MCP": "filter",
    "OpenAI chat": "twindex.search.filter",
    "OpenAI responses": "twindex.search.filter",
    "Cohere chat": "twindex.search.filter",
    "OpenAI vector store": "filters.value",
}
"""Interface -> path of the value, or of the filter, whose paths continue with the field and the
operator. Others: filter, and search.filter in answers."""


@pytest.mark.parametrize(("interface", "asks"), ASKED)
def test_an_unknown_collection_has_the_same_message(doors, interface, asks):
    kind, message = refusal(doors, asks[interface], "bird", SEARCH)
    assert kind == UNKNOWN.get(interface, "NotFoundError")
    if interface in FOLDERS or interface.endswith("local"):
        folder = doors.server.root / "bird"
        assert message == f"{folder}: no such folder; did you mean {folder}s?"
    else:
        assert message == "no collection 'bird'; did you mean 'birds'?"


@pytest.mark.parametrize(("interface", "asks"), ASKED)
def test_an_invalid_filter_has_the_same_message(doors, interface, asks):
    kind, message = refusal(doors, asks[interface], "birds", WRONG)
    if interface.startswith("Haystack"):  # Its filters have a grammar of their own.
        assert kind == "TwindexFilterError"
        assert message.startswith("filters.value[0]: must be a string, a number, a boolean, ")
        assert message.endswith(", got a list")
        return
    assert kind == INVALID.get(interface, "InvalidInputError")
    path = FIELDS.get(interface, "filter" if asks is SEARCHES else "search.filter")
    place = path if path.endswith(".value") else f"{path}.year.in"
    assert message == f"{place}: must be a string, a finite number or a boolean, got a list"


def test_the_search_page_shows_the_same_documents_and_errors(doors):
    fields = {"collection": "birds", "q": QUESTION, "limit": "2"}
    fields["filter"] = json.dumps(SEARCH["filter"])
    for rerank in ({}, {"rerank": "fast"}):
        native = {**SEARCH, "rerank": {"model": "fast"}} if rerank else SEARCH
        page = doors.page("/", **fields, **rerank)
        found = re.findall(r'<h2><a href="document\?[^"]*?;id=([a-z]+)', page)
        assert found == [id_ for id_, _ in SEARCHES["REST"](doors, "birds", QUESTION, native)]
    wrong = {**fields, "filter": json.dumps(WRONG["filter"])}
    with pytest.raises(Refused) as raised:
        doors.page("/", **wrong)
    assert raised.value.status == 422
    native = refusal(doors, SEARCHES["REST"], "birds", WRONG)[1]
    assert str(raised.value) == native
    with pytest.raises(Refused) as raised:
        doors.page("/", **{**fields, "collection": "bird"})
    assert raised.value.status == 404
    assert str(raised.value).startswith("Did you mean birds?")
