"""Documents over HTTP: put, get, delete, list, bulk."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from twindex.api.http.shapes.documents import (
    BulkReply,
    Deleted,
    DocumentPage,
    StoredDocument,
    Written,
)

DOCUMENTS = "/v1/collections/birds/documents"
BULK = DOCUMENTS + "/bulk"
NDJSON = {"content-type": "application/x-ndjson"}


def test_put_get_replace_delete(client, problem):
    path = f"{DOCUMENTS}/moa"
    response = client.put(path, json={"text": "Extinct.", "metadata": {"a": [1, {"b": None}]}})
    assert response.status_code == 201
    assert response.headers["location"] == path
    assert Written.model_validate(response.json()).created
    stored = StoredDocument.model_validate(client.get(path).json())
    assert stored == StoredDocument(
        id="moa", title="", text="Extinct.", metadata={"a": [1, {"b": None}]}
    )
    again = client.put(path, json={"_id": "moa", "title": "Moa", "text": "Gone."})
    assert again.status_code == 200
    assert not again.json()["created"]
    assert client.get(path).json()["title"] == "Moa"
    assert client.delete(path).status_code == 204
    problem(client.get(path), 404, "not_found")
    problem(client.delete(path), 404, "not_found")


@pytest.mark.parametrize(
    "name",
    ["a/b", "/a//b/", "bulk", "delete", "Übér ñ 鳥 🐦", "100%", "a?b#c&d=e", "x y+z", "�", "a\\b"],
)
def test_any_text_can_be_an_id(client, name):
    path = f"{DOCUMENTS}/{quote(name, safe='')}"
    response = client.put(path, json={"id": name, "text": "t"})
    assert response.status_code == 201, response.text
    assert response.headers["location"] == path
    assert client.get(path).json()["id"] == name
    assert client.delete(path).status_code == 204


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("%FF", 400, "malformed"),
        ("%00", 422, "invalid"),
        ("", 422, "invalid"),
        ("x" * 513, 422, "invalid"),
        ("%2E", 422, "invalid"),
        ("%2E%2E", 422, "invalid"),
    ],
)
def test_an_invalid_id_is_rejected(client, path, status, code, problem):
    problem(client.put(f"{DOCUMENTS}/{path}", json={"text": "t"}), status, code)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": 3}, "text"),
        ({"text": "t", "id": "other"}, "id"),
        ({"text": "t", "_id": "other"}, "_id"),
        ({"text": "t", "body": "t"}, "body"),
        ({"text": "t", "metadata": []}, "metadata"),
    ],
)
def test_an_invalid_document_names_the_field(client, body, field, problem):
    details = problem(client.put(f"{DOCUMENTS}/moa", json=body), 422, "invalid")
    assert details.errors[0].field == field


def test_delete_by_ids_and_by_filter(client):
    response = client.post(DOCUMENTS + "/delete", json={"ids": ["kiwi", "nope", "kiwi"]})
    assert Deleted.model_validate(response.json()) == Deleted(
        deleted=1, not_found=["nope"], warnings=[]
    )
    response = client.post(DOCUMENTS + "/delete", json={"filter": {"year": {"exists": True}}})
    assert response.json() == {"deleted": 1, "not_found": [], "warnings": []}
    assert [d["id"] for d in client.get(DOCUMENTS).json()["documents"]] == ["swift"]


def test_deleting_by_an_unknown_field_warns(client):
    response = client.post(DOCUMENTS + "/delete", json={"filter": {"yaer": {"gt": 1}}})
    warning = "filter: no document has a field 'yaer'; did you mean 'year'?"
    assert response.json() == {"deleted": 0, "not_found": [], "warnings": [warning]}


@pytest.mark.parametrize("body", [{}, {"ids": ["a"], "filter": {"a": 1}}, {"ids": [1]}])
def test_an_ambiguous_delete_is_rejected(client, body, problem):
    problem(client.post(DOCUMENTS + "/delete", json=body), 422, "invalid")
    assert client.get(DOCUMENTS).json()["total"] == 3


@pytest.mark.parametrize("condition", [{}, {"and": []}, {"or": [{"and": []}]}])
def test_a_filter_without_a_condition_deletes_nothing(client, condition, problem):
    details = problem(
        client.post(DOCUMENTS + "/delete", json={"filter": condition}), 422, "invalid"
    )
    assert details.errors[0].field == "filter"
    assert client.get(DOCUMENTS).json()["total"] == 3


def bulk(client, documents, **options):
    content = "\n".join(d if isinstance(d, str) else json.dumps(d) for d in documents)
    headers = {**NDJSON, **options.pop("headers", {})}
    return client.post(BULK, content=content.encode(), headers=headers, **options)


def test_cursors_neither_overlap_nor_skip(client):
    bulk(
        client,
        [{"id": f"d{n:02}", "text": "t", "metadata": {"even": n % 2 == 0}} for n in range(40)],
    )
    condition = json.dumps({"even": True})
    for extra, expected in ({}, 43), ({"filter": condition}, 20):
        seen, cursor = [], None
        while True:
            parameters = {"limit": 7, **extra, **({"cursor": cursor} if cursor else {})}
            page = DocumentPage.model_validate(client.get(DOCUMENTS, params=parameters).json())
            assert page.total == expected
            seen += [document.id for document in page.documents]
            cursor = page.next_cursor
            if cursor is None:
                break
            # What is deleted and written again behind the cursor does not move it.
            last = page.documents[-1]
            client.delete(f"{DOCUMENTS}/{last.id}")
            client.put(f"{DOCUMENTS}/{last.id}", json=last.model_dump())
        assert len(seen) == len(set(seen)) == expected
        assert seen == sorted(seen)


def test_an_invalid_cursor_is_rejected(client, problem):
    problem(client.get(DOCUMENTS, params={"cursor": "nonsense"}), 422, "invalid")
    problem(client.get(DOCUMENTS, params={"cursor": "é"}), 422, "invalid")
    cursor = client.get(DOCUMENTS, params={"limit": 1}).json()["next_cursor"]
    other = client.get(DOCUMENTS, params={"cursor": cursor, "filter": '{"year": 1}'})
    assert problem(other, 422, "invalid").errors[0].field == "cursor"


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"filter": "{"}, "filter"),
        ({"filter": "1"}, "filter"),
    ],
)
def test_invalid_list_parameters_are_rejected(client, parameters, field, problem):
    response = client.get(DOCUMENTS, params=parameters)
    assert problem(response, 422, "invalid").errors[0].field == field


def test_a_bad_line_fails_alone(client):
    lines = [
        {"_id": "moa", "text": "Extinct."},
        "",
        "{not json",
        {"id": "emu", "text": "Replaced."},
        {"id": "dodo"},
        "   ",
        {"id": 7, "text": "a number"},
    ]
    response = bulk(client, lines)
    assert response.status_code == 200
    reply = BulkReply.model_validate(response.json())
    assert [(item.id, item.status) for item in reply.items] == [
        ("moa", 200),
        (None, 400),
        ("emu", 200),
        ("dodo", 422),
        ("7", 200),
    ]
    assert reply.errors
    assert reply.replaced == 1
    assert reply.items[1].error.line == 3
    assert reply.items[3].error.field == "text"
    assert client.get(f"{DOCUMENTS}/emu").json()["text"] == "Replaced."


def test_bulk_with_only_valid_lines_and_with_none(client):
    assert bulk(client, [{"id": "a", "text": "t"}]).json()["errors"] is False
    assert bulk(client, []).json() == {
        "errors": False, "items": [], "written": 0, "replaced": 0, "unchanged": 0, "passages": 0,
        "truncated": {},
    }  # fmt: skip


def test_a_bad_line_can_fail_the_request(client, problem):
    given = [{"id": "a", "text": "t"}, "", "no JSON", {"id": "b"}, {"id": "c", "text": 3}]
    details = problem(bulk(client, given, params={"on_error": "fail"}), 422, "invalid")
    assert [error.field for error in details.errors] == [
        "lines[2]",
        "lines[3].text",
        "lines[4].text",
    ]
    assert client.get(f"{DOCUMENTS}/a").status_code == 404
    assert bulk(client, given[:1], params={"on_error": "fail"}).json()["errors"] is False
    whole = {"on_error": "fail", "async": "true"}
    details = problem(bulk(client, given[:1], params=whole), 422, "invalid")
    assert details.errors[0].field == "on_error"


def test_an_idempotency_key_includes_the_query_parameters(client, problem):
    line = [{"id": "a", "text": "t"}]
    headers = {"idempotency-key": "one"}
    assert bulk(client, line, headers=headers).status_code == 200
    for params in ({"on_error": "fail"}, {"async": "true"}):
        reply = bulk(client, line, headers=headers, params=params)
        problem(reply, 422, "idempotency_key_reused")


def test_a_page_begins_after_an_id(client, problem):
    page = client.get(DOCUMENTS, params={"after": "emu", "limit": 1}).json()
    assert [one["id"] for one in page["documents"]] == ["kiwi"]
    both = {"after": "emu", "cursor": page["next_cursor"]}
    problem(client.get(DOCUMENTS, params=both), 422, "invalid")


def test_unchanged_documents_are_skipped(client):
    line = {"id": "moa", "title": "Moa", "text": "A moa.", "metadata": {"year": 1839}}
    path = f"{DOCUMENTS}/moa"
    body = {name: line[name] for name in ("title", "text", "metadata")}
    first, second, third = (
        client.put(path, json=given) for given in (body, body, {**body, "title": "M"})
    )
    assert [reply.status_code for reply in (first, second, third)] == [201, 200, 200]
    replies = [Written.model_validate(reply.json()) for reply in (first, second, third)]
    assert [(one.created, one.unchanged, one.passages) for one in replies] == [
        (True, False, 1),
        (False, True, 0),
        (False, False, 1),
    ]
    reply = BulkReply.model_validate(bulk(client, [line, {"id": "new", "text": "n"}]).json())
    assert (reply.replaced, reply.unchanged) == (1, 0)
    reply = BulkReply.model_validate(bulk(client, [line, {"id": "new", "text": "n"}]).json())
    assert (reply.replaced, reply.unchanged) == (0, 2)
    assert [item.status for item in reply.items] == [200, 200]


def test_the_last_line_with_an_id_wins(client):
    bulk(client, [{"id": "a", "text": "first"}, {"id": "a", "text": "last"}])
    assert client.get(f"{DOCUMENTS}/a").json()["text"] == "last"


def test_bulk_requires_ndjson(client, problem):
    response = client.post(BULK, json=[{"id": "a", "text": "t"}])
    problem(response, 415, "unsupported_media_type")


def test_truncated_texts_are_reported(client):
    config = {
        "legs": {"d": {"kind": "dense", "encoder": {"model": "fake", "max_length": 8}}},
        "passages": {"unit": "none"},
    }
    assert client.put("/v1/collections/short", json=config).status_code == 201
    path = "/v1/collections/short/documents"
    response = client.put(f"{path}/1", json={"text": "word " * 20})
    assert response.json()["truncated"] == {"d": 1}
    line = json.dumps({"id": "2", "text": "word " * 20})
    assert client.post(f"{path}/bulk", content=line, headers=NDJSON).json()["truncated"] == {"d": 1}
    search = client.post("/v1/collections/short/search", json={"query": "word " * 20})
    assert search.json()["warnings"]


def test_a_write_is_visible_to_other_readers_at_once(client, tmp_path):
    from twindex.search import Collection

    client.put(f"{DOCUMENTS}/rhea", json={"text": "The rhea lives in the pampas."})
    with Collection.open(tmp_path / "birds", read_only=True) as collection:
        assert collection.search("pampas").hits[0].id == "rhea"


def test_bodies_have_limits(serve, problem):
    client = serve(max_body_bytes=2_000, max_bulk_bytes=3_000)
    client.put("/v1/collections/birds", json={"legs": {"lexical": {"kind": "lexical"}}})
    text = "x" * 2_000
    problem(client.put(f"{DOCUMENTS}/a", json={"text": text}), 413, "too_large")

    def pieces():
        yield b'{"text": "'
        yield text.encode()

    headers = {"content-type": "application/json"}
    problem(client.put(f"{DOCUMENTS}/a", content=pieces(), headers=headers), 413, "too_large")
    assert bulk(client, [{"id": "a", "text": text}]).status_code == 200
    problem(bulk(client, [{"id": "a", "text": text}] * 2), 413, "too_large")
    assert client.get(DOCUMENTS).json()["total"] == 1
