"""The pages of collections, documents, jobs, keys and the status, as the server renders them."""

from __future__ import annotations

import re
from html import unescape

import pytest

BIRDS = "/v1/collections/birds"


def post(client, path, status=303, **fields):
    reply = client.post(path, data=fields, follow_redirects=False)
    assert reply.status_code == status, reply.text
    return reply


def text_of(client, path, status=200, **parameters):
    reply = client.get(path, params=parameters)
    assert reply.status_code == status, reply.text
    return unescape(reply.text)


def edit_fields(client, name):
    """Return the fields of the form of a document, as a browser would send them."""
    text = client.get("/edit-document", params={"collection": "birds", "id": name}).text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', text))
    fields |= dict(re.findall(r'<textarea name="(\w+)"[^>]*>\n(.*?)</textarea>', text, re.DOTALL))
    return {key: unescape(value).replace("\n", "\r\n") for key, value in fields.items()}


def test_collections_are_listed_with_their_parts(client):
    text = text_of(client, "/collections")
    assert '<a href="collection?name=birds">birds</a>' in text
    page = text_of(client, "/collection", name="birds")
    assert "lexical" in page
    assert re.search(r"year <b>number</b>", page)
    assert "Start a merge" in page
    assert text_of(client, "/collection", 404, name="bird").count("did you mean 'birds'") == 1
    assert "is missing" in text_of(client, "/collection", 422)


def test_a_server_without_collections_says_what_to_do(serve, tmp_path):
    client = serve(tmp_path)
    assert "No collection yet" in text_of(client, "/collections")
    assert "No jobs yet" in text_of(client, "/jobs")
    assert "no collections" in text_of(client, "/status")


def test_a_merge_starts_a_job_and_returns_to_the_list(client, wait_for_job):
    assert post(client, "/merge-collection", name="birds").headers["location"] == "jobs"
    (job,) = client.get("/v1/jobs").json()["jobs"]
    wait_for_job(client, job["id"])
    page = text_of(client, "/jobs")
    assert job["id"] in page
    assert "hx-get" not in page  # No job runs: the list is not loaded again.
    part = text_of(client, "/jobs", part="list")
    assert part.lstrip().startswith('<div id="jobs"')


def test_a_collection_is_deleted_only_after_its_name_is_typed(client):
    reply = post(client, "/delete-collection", 422, name="birds", confirm="bird")
    assert "nothing was deleted" in reply.text
    assert client.get(BIRDS).status_code == 200
    reply = post(client, "/delete-collection", name="birds", confirm="birds")
    assert reply.headers["location"] == "collections?deleted=birds"
    assert client.get(BIRDS).status_code == 404
    assert "The collection birds was deleted." in text_of(client, "/collections", deleted="birds")
    assert "was deleted" not in text_of(client, "/status")


def test_a_notice_of_a_deletion_needs_the_deletion(client):
    assert "was deleted" not in text_of(client, "/collections", deleted="birds")
    assert "was deleted" not in text_of(client, "/documents", collection="birds", deleted="kiwi")


def test_documents_are_listed_page_by_page(client):
    lines = "\n".join(f'{{"id": "x{n:03d}", "text": "number {n}"}}' for n in range(60))
    headers = {"content-type": "application/x-ndjson"}
    client.post(f"{BIRDS}/documents/bulk", content=lines, headers=headers)
    text = client.get("/documents", params={"collection": "birds"}).text
    seen = re.findall(r'<span class="id">([^<]+)</span>', text)
    link = unescape(re.search(r'rel="next" href="([^"]+)"', text)[1])
    rest = client.get("/" + link).text
    seen += re.findall(r'<span class="id">([^<]+)</span>', rest)
    assert seen == sorted(["emu", "kiwi", "swift", *(f"x{n:03d}" for n in range(60))])
    assert 'rel="next"' not in rest
    filtered = text_of(client, "/documents", collection="birds", filter='{"year": 1790}')
    assert re.findall(r'<span class="id">([^<]+)</span>', filtered) == ["emu"]
    assert "No document meets" in text_of(
        client, "/documents", collection="birds", filter='{"a": 1}'
    )
    assert "is not JSON" in text_of(client, "/documents", 422, collection="birds", filter="{")
    assert text_of(client, "/documents", 422, collection="birds", cursor="wrong")


def test_a_document_is_added_edited_and_deleted(client):
    new = {"collection": "birds", "id": "a/b?", "text": "New text.", "metadata": '{"year": 7}'}
    reply = post(client, "/put-document", **new)
    assert reply.headers["location"] == "document?collection=birds&id=a%2Fb%3F"
    assert "in use" in post(client, "/put-document", 409, **new).text
    fields = edit_fields(client, "a/b?")
    post(client, "/put-document", **fields | {"title": "A title"})
    stored = client.get(f"{BIRDS}/documents/a%2Fb%3F").json()
    assert stored == {
        "id": "a/b?",
        "title": "A title",
        "text": "New text.",
        "metadata": {"year": 7},
    }
    assert "was changed" in post(client, "/put-document", 409, **fields).text
    reply = post(client, "/delete-document", collection="birds", id="a/b?")
    assert "deleted=a%2Fb%3F" in reply.headers["location"]
    post(client, "/delete-document", 404, collection="birds", id="a/b?")


@pytest.mark.parametrize("text", ["one\r\ntwo\n\n", "\nthree", "<b> & \"'", "tab\tend"])
def test_an_edit_of_the_metadata_leaves_the_text_as_it_is(client, text):
    client.put(f"{BIRDS}/documents/t", json={"text": text})
    fields = edit_fields(client, "t")
    post(client, "/put-document", **fields | {"metadata": '{"seen": true}'})
    stored = client.get(f"{BIRDS}/documents/t").json()
    assert (stored["text"], stored["metadata"]) == (text, {"seen": True})


def test_a_very_long_text_is_not_part_of_the_form(client):
    text = "long " * 30_000
    client.put(f"{BIRDS}/documents/t", json={"text": text})
    fields = edit_fields(client, "t")
    assert "text" not in fields
    post(client, "/put-document", **fields | {"title": "T"})
    stored = client.get(f"{BIRDS}/documents/t").json()
    assert (stored["title"], stored["text"]) == ("T", text)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"metadata": "{"}, "<code>metadata</code>: is not JSON"),
        ({"metadata": "[]"}, "must be a JSON object"),
        ({"id": ""}, "<code>id</code>: is missing"),
        ({"id": ".."}, "<code>id</code>"),
    ],
)
def test_a_refused_document_keeps_what_was_entered(client, fields, expected):
    given = {"collection": "birds", "id": "n", "text": "kept words", "metadata": ""} | fields
    reply = post(client, "/put-document", 422, **given)
    assert expected in reply.text
    assert "kept words" in reply.text


def test_bodies_that_are_no_forms_are_refused(client):
    for path in ("/put-document", "/merge-collection", "/create-key", "/revoke-key"):
        assert client.post(path, json={"name": "birds"}).status_code == 415, path
        headers = {"content-type": "application/x-www-form-urlencoded"}
        assert client.post(path, content=b"id=%ff", headers=headers).status_code == 400, path
        many = "&".join(f"a{n}=1" for n in range(300))
        assert client.post(path, content=many, headers=headers).status_code == 400, path


def test_forms_of_other_sites_are_refused(client):
    fields = {"name": "birds", "confirm": "birds"}
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        reply = client.post("/delete-collection", data=fields, headers=headers)
        assert reply.status_code == 403
    assert client.get(BIRDS).status_code == 200


def test_the_status_page_shows_models_pools_and_collections(client):
    text = text_of(client, "/status")
    for words in ("Thread pools", "birds", "writes", "free of", "encoders"):
        assert words in text
    assert text_of(client, "/status", part="state").lstrip().startswith('<div id="state"')


def test_a_server_without_keys_says_how_to_create_the_first(client):
    text = text_of(client, "/keys")
    assert "This server requires no keys" in text
    assert "create-key" not in text
    fields = {"name": "x", "scopes": "read", "token": "t"}
    assert "requires no keys" in post(client, "/create-key", 409, **fields).text


def test_texts_of_documents_and_addresses_are_escaped(client):
    attack = "<script>alert(1)</script>"
    body = {"title": attack, "text": attack, "metadata": {attack: attack}}
    client.put(f"{BIRDS}/documents/evil", json=body)
    for path in (
        f"/documents?collection=birds&filter={attack}",
        "/documents?collection=birds",
        "/edit-document?collection=birds&id=evil",
        f"/edit-document?collection=birds&id={attack}",
        "/collection?name=birds",
        f"/collection?name={attack}",
        f"/collections?deleted={attack}",
    ):
        assert "<script>alert" not in client.get(path).text, path
