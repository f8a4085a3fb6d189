"""The client handles error replies, broken connections and invalid arguments."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest

import twindex
from twindex.client import RemoteCollection, blocking, failures
from twindex.client.batches import Batch, Batcher
from twindex.client.failures import Attempts, Failure, failure_of

from .scripted import Script, info, problem


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed", twindex.InvalidInputError),
        (401, "unauthorized", twindex.AccessError),
        (403, "forbidden", twindex.AccessError),
        (404, "not_found", twindex.NotFoundError),
        (409, "conflict", twindex.ConflictError),
        (409, "encoder_mismatch", twindex.EncoderMismatchError),
        (413, "too_large", twindex.InvalidInputError),
        (415, "unsupported_media_type", twindex.InvalidInputError),
        (422, "invalid", twindex.InvalidInputError),
        (422, "config", twindex.ConfigError),
        (500, "internal", twindex.ServiceError),
        (503, "corrupt", twindex.StorageError),
        (503, "damaged", twindex.StorageError),
        (503, "model", twindex.ModelError),
        (503, "unavailable", twindex.ModelError),
        (503, "unsupported", twindex.UnsupportedError),
        (504, "deadline", twindex.TimeLimitError),
    ],
)
def test_error_reply_raises_its_class_without_retry(status, code, kind, pauses):
    script = Script(problem(status, code))
    with twindex.Client(transport=script.transport) as client, pytest.raises(kind) as caught:
        client.open("birds")
    assert type(caught.value) is kind
    assert str(caught.value) == "so it is"
    assert caught.value.request_id == "r1"
    assert pauses == []


def test_all_invalid_fields_are_named():
    errors = [{"field": "limit", "message": "too small"}, {"field": "depth", "message": "too big"}]
    script = Script(problem(422, "invalid", "limit: too small", errors=errors))
    client = twindex.Client(transport=script.transport)
    with pytest.raises(twindex.InvalidInputError) as caught:
        client.open("birds")
    assert caught.value.field == "limit"
    assert str(caught.value) == "limit: too small; depth: too big"


@pytest.mark.parametrize("code", ["not_ready", "overloaded", "too_many_requests", "storage"])
def test_retry_waits_as_long_as_the_service_says(code, pauses):
    busy = problem(503, code)
    busy.headers["Retry-After"] = "7"
    script = Script(busy, httpx2.ConnectError("refused"), httpx2.ReadError("reset"), info())
    with twindex.Client(transport=script.transport) as client:
        client.open("birds")
    assert 7 <= pauses[0] <= 7.1
    assert 0.1 <= pauses[1] <= 0.2
    assert 0.2 <= pauses[2] <= 0.4
    assert len(script.requests) == 4


def test_wait_beyond_the_patience_raises_at_once(pauses):
    busy = problem(429, "too_many_requests")
    busy.headers["Retry-After"] = "30"
    client = twindex.Client(transport=Script(busy).transport, patience=20)
    with pytest.raises(twindex.UnavailableError):
        client.open("birds")
    assert pauses == []


def test_attempts_end_with_the_patience():
    now = 0.0
    attempts = Attempts(10, clock=lambda: now)
    failure = Failure(twindex.UnavailableError("busy"), True, None)
    for _ in range(100):
        try:
            pause = attempts.pause(failure)
        except twindex.UnavailableError:
            break
        assert pause <= 5
        now += pause
    assert 4 < now <= 10


def test_unreachable_service_is_named():
    with (
        twindex.Client("http://127.0.0.1:9", patience=0) as client,
        pytest.raises(twindex.UnavailableError, match=r"no reply from http://127\.0\.0\.1:9"),
    ):
        client.open("birds")


def test_error_of_a_proxy_is_retried(pauses):
    script = Script(httpx2.Response(502, text="<html>"), info())
    twindex.Client(transport=script.transport).open("birds")
    assert len(pauses) == 1
    assert type(failure_of(500, {}, b"oops").error) is twindex.ServiceError
    assert type(failure_of(401, {}, b"who?").error) is twindex.AccessError
    assert type(failure_of(403, {}, b"no").error) is twindex.AccessError


def test_key_is_sent_and_environment_is_ignored(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    script = Script(info())
    client = twindex.Client(
        "http://example.org/behind/", api_key="secret", transport=script.transport
    )
    client.open("a-b")
    assert script.requests[0].headers["authorization"] == "Bearer secret"
    assert script.requests[0].url == "http://example.org/behind/v1/collections/a-b"
    assert "secret" not in repr(client) + repr(client.open)


@pytest.mark.parametrize(
    "url", ["", "localhost:8080", "ftp://x", "http://", "http://h?x=1", "http://u:secret@h", 7]
)
def test_invalid_url_is_refused(url):
    with pytest.raises(twindex.InvalidInputError) as caught:
        twindex.Client(url)
    assert caught.value.field == "url"
    assert "secret" not in str(caught.value)


def test_asyncio_client_retries_and_fails_like_the_blocking_client():
    async def work() -> None:
        script = Script(problem(503, "not_ready"), info())
        async with twindex.AsyncClient(transport=script.transport) as client:
            await client.open("birds")
        script = Script(problem(404, "not_found"))
        async with twindex.AsyncClient(transport=script.transport) as client:
            with pytest.raises(twindex.NotFoundError):
                await client.open("birds")

        async def arriving():
            for number in range(1_200):
                yield {"id": str(number), "text": "x"}

        done = {
            "errors": False,
            "items": [],
            "written": 240,
            "replaced": 0,
            "unchanged": 0,
            "passages": 500,
        }
        script = Script(
            info(), *(httpx2.Response(200, json={**done, "truncated": {}}) for _ in range(5))
        )
        async with twindex.AsyncClient(transport=script.transport) as client:
            report = await (await client.open("birds")).add(arriving())
        assert report.documents == 1_200
        assert [len(r.content.splitlines()) for r in script.requests[1:]] == [16, 64, 256, 500, 364]

    asyncio.run(work())


def test_first_invalid_documents_of_a_batch_are_named():
    errors = [{"field": f"lines[{n}].text", "message": "missing"} for n in range(3, 9)]
    wrong = problem(422, "invalid", "lines[3].text: missing", errors=errors)
    done = {
        "errors": False,
        "items": [],
        "written": 500,
        "replaced": 0,
        "unchanged": 0,
        "passages": 500,
    }
    script = Script(info(), httpx2.Response(200, json={**done, "truncated": {}}), wrong)
    collection = twindex.Client(transport=script.transport).open("birds")
    with pytest.raises(twindex.InvalidInputError) as caught:
        collection.add({"id": str(i)} for i in range(600))
    assert str(caught.value) == (
        "documents[19].text: missing; documents[20].text: missing; "
        "documents[21].text: missing; and 3 more; 500 documents were written before the error"
    )
    assert caught.value.written == 500


def test_large_documents_are_sent_in_small_batches():
    done = {
        "errors": False,
        "items": [],
        "written": 1,
        "replaced": 0,
        "unchanged": 0,
        "passages": 1,
    }
    script = Script(
        info(), *(httpx2.Response(200, json={**done, "truncated": {}}) for _ in range(4))
    )
    collection = twindex.Client(transport=script.transport).open("birds")
    collection.add({"id": str(i), "text": "x" * (1_500_000)} for i in range(7))
    assert [len(r.content.splitlines()) for r in script.requests[1:]] == [2, 2, 2, 1]


def test_batches_take_about_five_seconds():
    batcher = Batcher()

    def batch() -> Batch:
        while (found := batcher.offer({"id": "a", "text": "b"})) is None:
            pass
        return found

    first = batch()
    assert first.documents == 16
    batcher.took(first, 8.0)  # Two documents per second.
    second = batch()
    assert second.documents == 10
    batcher.took(second, 0.01)
    assert batch().documents == 40
    for _ in range(5):
        batcher.took(third := batch(), 0.01)
    assert third.documents == 500
    batcher.took(third, 10_000)
    assert batch().documents == 1


def test_request_in_progress_is_awaited_beyond_the_patience(pauses):
    busy = [problem(409, "in_progress") for _ in range(40)]
    done = {
        "errors": False,
        "items": [],
        "written": 1,
        "replaced": 0,
        "unchanged": 0,
        "passages": 1,
    }
    late = httpx2.ReadTimeout("timed out")
    script = Script(late, *busy, httpx2.Response(200, json={**done, "truncated": {}}))
    clock = 0.0

    def passes(seconds: float) -> None:
        nonlocal clock
        clock += seconds

    client = twindex.Client(transport=script.transport, patience=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocking.time, "sleep", passes)
        patch.setattr(failures, "monotonic", lambda: clock)
        report = RemoteCollection(client, "birds").add([{"id": "a", "text": "b"}])
    assert report.documents == 1
    assert clock > 20


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda one: one.delete("x1"), "ids"),
        (lambda one: one.delete([7]), "ids[0]"),
        (lambda one: one.get("."), "id"),
        (lambda one: one.get(""), "id"),
        (lambda one: one.get(7), "id"),
        (lambda one: one.add("xy"), "documents"),
        (lambda one: one.add({"id": "a", "text": "b"}), "documents"),
        (lambda one: one.add([{"id": "a", "text": "\ud800"}]), "documents[0]"),
        (lambda one: one.add([{"id": "a", "text": {1, 2}}]), "documents[0]"),
        (lambda one: one.search(None), "request"),
        (lambda one: one.search({"query": "x"}, limit=3), "limit"),
        (lambda one: one.delete_where("year"), "filter"),
        (lambda one: one.delete_where({1: 2}), "filter"),
        (lambda one: one.count({"n": {1, 2}}), "filter"),
        (lambda one: one.documents(limit="3"), "limit"),
        (lambda one: one.documents(after="\ud800"), "after"),
        (lambda one: one.search_batch({"query": "x"}), "requests"),
        (lambda one: one.reconfigure(5), "legs"),
    ],
)
def test_invalid_arguments_are_refused_before_sending(call, field):
    script = Script()
    with pytest.raises(twindex.InvalidInputError) as caught:
        call(RemoteCollection(twindex.Client(transport=script.transport), "birds"))
    assert caught.value.field == field
    assert script.requests == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "-a", "a b", "a" * 65, None])
def test_invalid_collection_names_are_refused(name):
    client = twindex.Client(transport=Script().transport)
    for call in (client.open, client.create, client.drop):
        with pytest.raises(twindex.InvalidInputError) as caught:
            call(name)
        assert caught.value.field == "name"


def test_key_that_is_not_ascii_is_refused():
    with pytest.raises(
        twindex.InvalidInputError, match="api_key: must be a non-empty string of printable ASCII"
    ):
        twindex.Client(api_key="caf\u00e9")


@pytest.mark.parametrize("key", ["secret ", "secret\n", " secret", "", "two words", 7])
def test_invalid_key_is_refused_and_not_shown(key):
    with pytest.raises(twindex.InvalidInputError, match="api_key: must be") as caught:
        twindex.Client(api_key=key)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"headers": {"Authorization": "Bearer secret\n"}}, "headers.Authorization"),
        ({"headers": {"X-A": 5}}, "headers.X-A"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": "a"}, "timeout"),
        ({"patience": None}, "patience"),
    ],
)
def test_invalid_options_are_refused(options, field):
    with pytest.raises(twindex.InvalidInputError) as caught:
        twindex.Client(**options)
    assert caught.value.field == field
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"", b"[]", b"{}", b'{"total": "many"}'])
def test_invalid_reply_is_a_service_error(body, pauses):
    script = Script(httpx2.Response(200, content=body))
    collection = RemoteCollection(twindex.Client(transport=script.transport), "birds")
    with pytest.raises(twindex.ServiceError):
        collection.count()
    assert pauses == []


def test_document_that_does_not_fit_begins_the_next_batch():
    done = {
        "errors": False,
        "items": [],
        "written": 1,
        "replaced": 0,
        "unchanged": 0,
        "passages": 1,
    }
    script = Script(*(httpx2.Response(200, json={**done, "truncated": {}}) for _ in range(3)))
    collection = RemoteCollection(twindex.Client(transport=script.transport), "birds")
    sizes = (3_800_000, 5_000_000, 10)
    collection.add({"id": str(i), "text": "x" * size} for i, size in enumerate(sizes))
    assert [len(r.content.splitlines()) for r in script.requests] == [1, 1, 1]


def test_job_writes_a_batch_that_is_too_large(pauses):
    few = problem(
        422, "invalid", errors=[{"field": "on_error", "message": "a job keeps the good lines"}]
    )
    result = {
        "documents": 3,
        "written": 3,
        "replaced": 0,
        "unchanged": 0,
        "passages": 3,
        "failed": 0,
    }
    job = {
        "id": "j", "collection": "birds", "kind": "bulk", "state": "done", "error": None,
        "progress": {"done": 3, "total": 3, "unit": "lines"}, "created": "", "updated": "",
        "result": {**result, "truncated": {}, "errors": []},
    }  # fmt: skip
    script = Script(few, httpx2.Response(202, json=job), httpx2.Response(200, json=job))
    collection = RemoteCollection(twindex.Client(transport=script.transport), "birds")
    report = collection.add({"id": str(i), "text": "x"} for i in range(3))
    assert (report.documents, report.passages) == (3, 3)
    assert [r.url.params.get("on_error") for r in script.requests] == ["fail", None, None]


def test_many_ids_are_deleted_in_several_calls():
    replies = (httpx2.Response(200, json={"deleted": 1, "not_found": [], "warnings": []}),) * 3
    script = Script(*replies)
    collection = RemoteCollection(twindex.Client(transport=script.transport), "birds")
    assert len(collection.delete([str(i) for i in range(12_000)])) == 12_000
    assert [len(json.loads(r.content)["ids"]) for r in script.requests] == [5_000, 5_000, 2_000]


def test_closed_client_raises_an_error():
    client = twindex.Client()
    client.close()
    with pytest.raises(twindex.ServiceError, match="the client was closed"):
        client.open("birds")
