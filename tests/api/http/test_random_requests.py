"""Random NDJSON bodies and cursors, compared with what must be stored and listed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from twindex.api.http.app import create_app

BIRDS = "/v1/collections/birds"
KIND = {"content-type": "application/x-ndjson"}
IDS = st.sampled_from(["a", "b", "ü", "c d", "\u2028", "x" * 20])
INTEGERS = st.integers(-(2**63), 2**63 - 1)
DOCUMENTS = st.fixed_dictionaries(
    {"id": IDS, "text": st.text(max_size=8)},
    optional={
        "title": st.text(max_size=4),
        "metadata": st.fixed_dictionaries({"n": INTEGERS}),
    },
)
BROKEN = st.one_of(
    st.binary(max_size=12).filter(lambda line: b"\n" not in line),
    st.sampled_from([b"{", b"[]", b"null", b'{"id": 3}', b'{"text": "no id"}', b'{"id": "a"}']),
    st.sampled_from([b'{"id": "a", "text": "t", "n": 1}', b'{"id": "", "text": "t"}', b"\xff\xfe"]),
)
LINES = st.lists(
    st.one_of(
        DOCUMENTS.map(lambda one: json.dumps(one).encode()),
        DOCUMENTS.map(lambda one: json.dumps(one, ensure_ascii=False).encode()),
        BROKEN,
        st.sampled_from([b"", b"  ", b"\t"]),
    ),
    max_size=10,
)


@pytest.fixture(scope="module")
def lexical(tmp_path_factory) -> Iterator[TestClient]:
    app = create_app(tmp_path_factory.mktemp("random"))
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as client:
        while client.get("/readyz").status_code != 200:
            pass
        yield client


def make(client: TestClient) -> None:
    """Create an empty collection."""
    client.delete(BIRDS)
    legs = {"lexical": {"kind": "lexical"}}
    assert client.put(BIRDS, json={"legs": legs}).status_code == 201


def stored(client: TestClient) -> dict[str, dict]:
    listed = client.get(f"{BIRDS}/documents", params={"limit": 100}).json()["documents"]
    return {one["id"]: one for one in listed}


def valid(line: bytes) -> dict | None:
    """Return the document of a line; None if it is not a document of `DOCUMENTS`."""
    try:
        value = json.loads(line.decode())
    except ValueError:
        return None
    fits = isinstance(value, dict) and value.keys() >= {"id", "text"}
    fits = fits and value.keys() <= {"id", "text", "title", "metadata"}
    return value if fits and isinstance(value["id"], str) and value["id"] else None


@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.sampled_from(["keep", "fail"]))
def test_each_line_of_a_bulk_body_is_written_or_named(lexical, lines, end, ended, on_error):
    make(lexical)
    body = end.join(lines) + (end if ended else b"")
    reply = lexical.post(f"{BIRDS}/documents/bulk?on_error={on_error}", content=body, headers=KIND)
    split = [line for line in body.split(b"\n") if line.strip()]
    documents = [valid(line) for line in split]
    wrong = [i for i, one in enumerate(documents) if one is None]
    if on_error == "fail" and wrong:
        assert 400 <= reply.status_code < 500, reply.text
        assert stored(lexical) == {}
        return
    assert reply.status_code == 200, reply.text
    items = reply.json()["items"]
    assert [item["status"] < 400 for item in items] == [one is not None for one in documents]
    assert all(item["error"]["detail"] for item in items if item["status"] >= 400)
    last = {one["id"]: {"title": "", "metadata": {}, **one} for one in documents if one is not None}
    assert stored(lexical) == last
    assert (reply.json()["errors"], reply.json()["written"]) == (bool(wrong), len(last))


FILTERS = st.sampled_from([None, {"n": {"gte": 3}}, {"n": {"lt": 0}}, {"or": []}])


@given(st.integers(1, 7), FILTERS, FILTERS, st.text(max_size=20), st.integers(0, 200))
def test_pages_of_a_list_have_every_document_once(listed, limit, condition, other, noise, at):
    def page(cursor: str | None, given_filter: dict | None):
        params: dict = {"limit": limit}
        if cursor is not None:
            params["cursor"] = cursor
        if given_filter is not None:
            params["filter"] = json.dumps(given_filter)
        return listed.get(f"{BIRDS}/documents", params=params)

    wanted = [f"d{i:02d}" for i in range(20) if condition is None or meets(i, condition)]
    found, cursor = [], None
    while True:
        reply = page(cursor, condition)
        assert reply.status_code == 200, reply.text
        found += [one["id"] for one in reply.json()["documents"]]
        if (following := reply.json()["next_cursor"]) is None:
            break
        assert len(reply.json()["documents"]) == limit
        if other != condition:  # A cursor belongs to its filter.
            assert page(following, other).status_code == 422
        changed = following[:at] + noise + following[at + 1 :]
        assert page(changed, condition).status_code in (200, 422)
        cursor = following
    assert found == wanted


def meets(number: int, condition: dict) -> bool:
    tests = {"gte": number >= 3, "lt": number < 0}
    return any(tests[name] for name in condition.get("n", {}))


@pytest.fixture(scope="module")
def listed(lexical) -> TestClient:
    make(lexical)
    lines = (json.dumps({"id": f"d{i:02d}", "text": "", "metadata": {"n": i}}) for i in range(20))
    content = "\n".join(lines)
    assert lexical.post(f"{BIRDS}/documents/bulk", content=content, headers=KIND).status_code == 200
    return lexical
