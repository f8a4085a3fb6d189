"""The tools return what the REST interface returns, in the shapes that assistants expect."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jsonschema
import pytest
from mcp.shared.exceptions import MCPError

import twindex
from twindex.api.http.app import create_app
from twindex.api.mcp.server import KINDS, UNEXPECTED
from twindex.api.mcp.tools import SNIPPET, Tools, shortened
from twindex.api.serving.settings import Settings

from .conftest import BIRDS, MODES, ODD, detail, error_of, once, remote, run, value_of


def post(address: str, path: str, body: Any) -> Any:
    reply = httpx.post(f"{address}/v1/collections/{path}", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


# -- descriptions ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_every_tool_has_valid_schemas_and_reads_only(address: str, mode: str) -> None:
    async def tools() -> Any:
        async with remote(address, mode=mode) as client:
            assert client.server_info is not None
            assert client.server_info.name == "twindex"
            assert "not instructions" in (client.instructions or "")
            return (await client.list_tools()).tools

    found = {tool.name: tool for tool in run(tools())}
    assert list(found) == ["search", "fetch", "answer", "list_collections"] == list(KINDS)
    for tool in found.values():
        for schema in (tool.input_schema, tool.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
            for one in (schema, *schema.get("$defs", {}).values()):
                for name, field in one["properties"].items():
                    assert field["description"].endswith("."), (tool.name, name)
        assert tool.input_schema["additionalProperties"] is False
        assert tool.annotations.read_only_hint
        assert not tool.annotations.open_world_hint
    assert found["search"].input_schema["required"] == ["query"]
    assert found["fetch"].input_schema["required"] == ["id"]
    limit = found["search"].input_schema["properties"]["limit"]
    assert (limit["default"], limit["minimum"], limit["maximum"]) == (10, 1, 100)


def test_an_unknown_tool_is_an_error_of_the_protocol(address: str) -> None:
    async def call() -> None:
        async with remote(address) as client:
            with pytest.raises(MCPError, match="no tool 'serch'; did you mean 'search'"):
                await client.call_tool("serch", {})

    run(call())


# -- results -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "fields", [{}, {"limit": 1}, {"filter": {"year": {"gte": 1800}}}, {"filter": {"id": "none"}}]
)
def test_search_equals_the_rest_interface(address: str, mode: str, fields: dict[str, Any]) -> None:
    arguments = {"query": "bird that cannot fly", "collection": "birds", **fields}
    found = value_of(once(address, "search", arguments, mode=mode))
    rest = post(address, "birds/search", {"query": "bird that cannot fly", **fields})
    assert (found["suggestion"], found["filter"]) == (None, None)
    assert [(one["id"], one["score"]) for one in found["results"]] == [
        (f"birds/{hit['id']}", hit["score"]) for hit in rest["hits"]
    ]
    assert (found["total"], found["warnings"]) == (rest["total"], rest["warnings"])


def test_a_result_has_title_text_address_and_metadata(single: str) -> None:
    found = value_of(once(single, "search", {"query": "bird that cannot fly"}))["results"]
    kiwi, emu, swift = (
        next(one for one in found if one["id"] == f"birds/{name}")
        for name in ("kiwi", "emu", "swift")
    )
    assert (kiwi["title"], kiwi["text"], kiwi["metadata"]) == (
        "Kiwi",
        BIRDS[0]["text"],
        BIRDS[0]["metadata"],
    )
    assert emu["url"] == "https://birds.example/emu"
    assert swift["title"] == "swift"
    page = httpx.get(swift["url"])
    assert page.status_code == 200
    assert "while they sleep" in page.text


def test_a_long_passage_is_shortened_and_says_so(address: str) -> None:
    (found,) = value_of(
        once(address, "search", {"query": "word7", "collection": "lakes", "limit": 1})
    )["results"]
    assert found["id"] == "lakes/long"
    whole = value_of(once(address, "fetch", {"id": found["id"]}))["text"]
    assert whole[found["start"] : found["end"]] == found["text"]
    assert len(found["text"]) <= SNIPPET
    assert found.get("cut", False) is (len(found["text"]) == found["end"] and "word7" in whole)


def test_texts_are_shortened_between_words() -> None:
    assert shortened("one two three", 13) == "one two three"
    assert shortened("one two three", 9) == "one two"
    assert shortened("x" * 20, 9) == "x" * 9


@pytest.mark.parametrize("mode", MODES)
def test_fetch_returns_what_search_found_for_any_id(address: str, mode: str) -> None:
    async def fetched() -> dict[str, str]:
        async with remote(address, mode=mode) as client:
            query = {"query": "lake", "collection": "lakes", "filter": {"id": {"in": ODD}}}
            found = value_of(await client.call_tool("search", query))["results"]
            documents = [
                value_of(await client.call_tool("fetch", {"id": one["id"]})) for one in found
            ]
            assert [one["id"] for one in documents] == [one["id"] for one in found]
            return {one["id"]: one["text"] for one in documents}

    expected = {f"lakes/{id_}": f"Lake number {n} is deep." for n, id_ in enumerate(ODD)}
    assert run(fetched()) == expected


def test_fetch_returns_a_part_of_the_text(address: str) -> None:
    text = BIRDS[0]["text"]
    found = value_of(once(address, "fetch", {"id": "birds/kiwi", "start": 46, "end": 60}))
    assert found["text"] == text[46:60] == "🐦 It has 2 leg"
    assert (found["start"], found["end"], found["characters"]) == (46, 60, len(text))
    rest = value_of(once(address, "fetch", {"id": "birds/kiwi", "start": 46, "end": 999}))
    assert (rest["text"], rest["end"]) == (text[46:], len(text))
    late = error_of(once(address, "fetch", {"id": "birds/kiwi", "start": 99}))
    assert late == f"start: must be at most {len(text)}, the end of the text to return, got 99"


@pytest.mark.parametrize("mode", MODES)
def test_answer_equals_the_rest_interface(address: str, mode: str) -> None:
    question = "Which bird lives in New Zealand?"
    arguments = {"question": question, "collection": "birds", "limit": 2}
    found = value_of(once(address, "answer", arguments, mode=mode))
    rest = post(address, "birds/answer", {"question": question, "search": {"limit": 2}})
    for same in ("outcome", "text", "reason", "finish", "generator", "warnings"):
        assert found[same] == rest[same]
    assert found["usage"] == rest["usage"]
    assert found["citations"], "the answer cites something"
    for one, other in zip(found["citations"], rest["citations"], strict=True):
        assert {key: one[key] for key in ("start", "end", "supported")} == {
            key: other[key] for key in ("start", "end", "supported")
        }
        assert one["quotes"] == [
            {
                **{key: quote[key] for key in ("number", "text", "start", "end")},
                "id": f"birds/{quote['id']}",
            }
            for quote in other["quotes"]
        ]
    for one, other in zip(found["sources"], rest["sources"], strict=True):
        assert one["title"] == (other["title"] or other["id"])
        for same in ("number", "kind", "text", "start", "end", "score"):
            assert one[same] == other[same]
        assert one["id"] == f"birds/{other['id']}"
        assert httpx.get(one["url"]).status_code == 200


def test_no_answer_is_an_outcome_and_no_error(address: str) -> None:
    arguments = {"question": "Who?", "collection": "birds", "filter": {"id": "emperor"}}
    found = value_of(once(address, "answer", arguments))
    assert (found["outcome"], found["reason"]) == ("no_answer", "no sources")
    assert (found["citations"], found["sources"]) == ([], [])


@pytest.fixture(scope="module")
def feathered(tmp_path_factory: pytest.TempPathFactory, serving: Any) -> Iterator[str]:
    """The address of a service with a collection in which most documents have a word."""
    root = tmp_path_factory.mktemp("feathered")
    with twindex.open_or_create(root / "many", {"legs": {"lexical": {"kind": "lexical"}}}) as many:
        many.add(
            {"id": str(n), "text": "Birds have feathers.", "metadata": {"year": 1700 + n}}
            for n in range(200)
        )
    with serving(create_app(root)) as found:
        yield found


@pytest.mark.parametrize(("tool", "text"), [("search", "query"), ("answer", "question")])
def test_what_was_read_from_the_text_is_that_of_the_rest_interface(
    feathered: str, tool: str, text: str
) -> None:
    asked = "Which birds have fethers? year:>1800"
    fields = {"parse_filters": True, "suggest": True}
    body = {"query": asked, **fields} if tool == "search" else {"question": asked, "search": fields}
    rest = post(feathered, f"many/{tool}", body)
    assert rest["suggestion"] == "Which birds have feathers? year:>1800"
    found = value_of(once(feathered, tool, {text: asked, "parse_filters": True}))
    assert (found["suggestion"], found["filter"]) == (rest["suggestion"], rest["filter"])
    assert found["filter"] == {"year": {"gt": 1800}}
    plain = value_of(once(feathered, tool, {text: "birds year:>1800"}))
    assert plain["filter"] is None, "a filter is read on request only"


# -- collections -------------------------------------------------------------------------


def test_collections_are_listed(address: str) -> None:
    found = value_of(once(address, "list_collections", {}))["collections"]
    assert found == [
        {"name": "birds", "status": "ready", "documents": 3, "problem": None},
        {"name": "lakes", "status": "ready", "documents": len(ODD) + 1, "problem": None},
    ]


@pytest.mark.parametrize(
    ("tool", "arguments"), [("search", {"query": "x"}), ("answer", {"question": "x"})]
)
def test_the_collection_is_required_if_there_are_several(
    address: str, tool: str, arguments: dict[str, Any]
) -> None:
    message = error_of(once(address, tool, arguments))
    assert message == "collection: is required, because there are 2 collections: birds, lakes"


def test_the_only_collection_needs_no_argument(single: str) -> None:
    assert value_of(once(single, "search", {"query": "x"}))["collection"] == "birds"
    assert value_of(once(single, "answer", {"question": "kiwi?"}))["collection"] == "birds"


def test_an_alias_may_be_the_only_collection(address: str) -> None:
    actions = [{"action": "set", "alias": "now", "collection": "birds"}]
    assert httpx.post(f"{address}/v1/aliases", json={"actions": actions}).status_code == 200
    try:
        listed = value_of(once(address, "list_collections", {}, only="now"))["collections"]
        found = value_of(once(address, "search", {"query": "kiwi"}, only="now"))
    finally:
        assert httpx.delete(f"{address}/v1/aliases/now").status_code == 204
    assert [(one["name"], one["documents"]) for one in listed] == [("now", 3)]
    assert found["collection"] == "now"


def test_tools_of_one_collection_read_no_other(address: str) -> None:
    only = {"only": "lakes"}
    found = value_of(once(address, "list_collections", {}, **only))["collections"]
    assert [one["name"] for one in found] == ["lakes"]
    assert value_of(once(address, "search", {"query": "deep"}, **only))["collection"] == "lakes"
    refused = "no collection 'birds'; the only collection is 'lakes'"
    for tool, arguments in (
        ("search", {"query": "x", "collection": "birds"}),
        ("answer", {"question": "x", "collection": "birds"}),
        ("fetch", {"id": "birds/kiwi"}),
    ):
        assert error_of(once(address, tool, arguments, **only)) == refused


def test_a_server_without_collections_says_how_to_make_one(serve: Any, serving: Any) -> None:
    with serving(serve().app) as address:
        message = error_of(once(address, "search", {"query": "x"}))
    assert message == "collection: the server has no collection; `twindex build` makes one"


# -- errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("search", {"qury": "x"}, "qury: unknown argument; did you mean 'query'?"),
        ("search", {"query": "x", "top_k": 3}, "top_k: unknown argument; the arguments are "),
        ("list_collections", {"all": True}, "all: unknown argument; remove it"),
        ("search", {}, "query: is required"),
        ("search", {"query": 7}, "query: must be a string, got 7"),
        ("search", {"query": "x", "limit": 0}, "limit: must be an integer between 1 and 100"),
        ("search", {"query": "x", "limit": "3"}, "limit: must be an integer between 1 and 100"),
        ("search", {"query": "x", "filter": "y"}, "filter: must be an object, got 'y'"),
        ("fetch", {"id": "kiwi"}, "id: must have the form COLLECTION/ID, as `search` returns it"),
        ("fetch", {"id": "birds/"}, "id: must have the form COLLECTION/ID"),
        ("fetch", {"id": "birds/kiwi", "start": -1}, "start: must be an integer between 0 and"),
        ("answer", {"query": "x"}, "query: unknown argument; the arguments are question, "),
    ],
)
def test_wrong_arguments_are_refused_by_name(
    address: str, tool: str, arguments: dict[str, Any], message: str
) -> None:
    assert error_of(once(address, tool, arguments)).startswith(message)


@pytest.mark.parametrize(
    ("tool", "arguments", "path", "body"),
    [
        ("search", {"query": "x", "collection": "bird"}, "bird/search", {"query": "x"}),
        (
            "search",
            {"query": "x", "collection": "birds", "filter": {"year": {"over": 1}}},
            "birds/search",
            {"query": "x", "filter": {"year": {"over": 1}}},
        ),
        ("fetch", {"id": "birds/dodo"}, "birds/documents/dodo", None),
        ("answer", {"question": " ", "collection": "birds"}, "birds/answer", {"question": " "}),
        (
            "search",
            {"query": "x" * 100_001, "collection": "birds"},
            "birds/search",
            {"query": "x" * 100_001},
        ),
    ],
    ids=["collection", "filter", "document", "question", "long"],
)
def test_errors_are_those_of_the_rest_interface(
    address: str, tool: str, arguments: dict[str, Any], path: str, body: Any
) -> None:
    assert error_of(once(address, tool, arguments)) == detail(address, path, body)


def test_an_error_in_the_filter_of_an_answer_names_the_argument(address: str) -> None:
    arguments = {"question": "x", "collection": "birds", "filter": {"year": {"over": 1}}}
    assert error_of(once(address, "answer", arguments)).startswith("filter.year: unknown operator")


def test_a_question_that_is_too_long_for_the_generator_names_the_argument(
    root: Path, serving: Any, tmp_path: Path
) -> None:
    file = tmp_path / "generators.toml"
    file.write_text('[generators.small]\nkind = "fake"\n')
    arguments = {"question": "kiwi " * 3_000, "collection": "birds"}
    with serving(create_app(root, Settings(generators=file))) as address:
        message = error_of(once(address, "answer", arguments))
    assert message.startswith("question: the prompt may have ")
    assert message.endswith(
        "; ask a shorter question, or set `context.tokens` in the REST interface"
    )


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("fetch", {"id": f"birds/{'x' * 1_000_000}"}),
        ("fetch", {"id": "x" * 1_000_000}),
        ("fetch", {"id": f"{'x' * 1_000_000}/kiwi"}),
        ("search", {"query": "kiwi", "collection": "x" * 1_000_000}),
        ("search", {"query": "kiwi", "x" * 1_000_000: 1}),
    ],
    ids=["document", "form", "collection of an id", "collection", "argument"],
)
def test_an_error_shortens_a_long_argument(
    address: str, tool: str, arguments: dict[str, Any]
) -> None:
    assert len(error_of(once(address, tool, arguments))) < 300


def test_an_unexpected_error_hides_its_details(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(Tools, "_collection", broken)
    assert error_of(once(address, "search", {"query": "x"})) == UNEXPECTED
    assert "/secret/path" in caplog.text


# -- many calls --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_calls_of_one_connection_run_concurrently(address: str, mode: str) -> None:
    async def many() -> list[Any]:
        async with remote(address, mode=mode) as client:
            calls = [
                client.call_tool("fetch", {"id": f"birds/{BIRDS[n % 3]['id']}"}) for n in range(30)
            ]
            return await asyncio.gather(*calls)

    found = [value_of(one)["text"] for one in run(many())]
    assert found == [BIRDS[n % 3]["text"] for n in range(30)]
