"""Answers over HTTP: the plain reply, the stream, errors, limits and lists."""

from __future__ import annotations

import json
import re

import pytest

from twindex.api.http.shapes.answers import AnswerReply
from twindex.api.http.shapes.operations import Health, ModelList
from twindex.api.http.shapes.schemas import ProblemDetails

from .conftest import ANSWER, BIRDS

TIMES = ("timings", "took_ms", "request_id")
STREAM = {"accept": "text/event-stream"}


def ask(client, question="Which bird lives in New Zealand?", **fields):
    fields.setdefault("generator", "extractive")
    return client.post(ANSWER, json={"question": question, **fields})


def without_times(reply):
    usage = {name: value for name, value in reply["usage"].items() if name != "seconds"}
    return {**{name: value for name, value in reply.items() if name not in TIMES}, "usage": usage}


def test_a_plain_reply_matches_its_schema_and_its_offsets_are_code_points(answering):
    response = ask(answering(), "How many legs has the kiwi?")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert "generate;dur=" in ",".join(response.headers.get_list("server-timing"))
    reply = AnswerReply.model_validate(response.json())
    assert reply.request_id == response.headers["x-request-id"]
    assert (reply.outcome, reply.generator, reply.reason) == ("answered", "extractive", None)
    assert reply.query == "How many legs has the kiwi?"
    (best,) = (one for one in reply.citations if "2 legs" in reply.text[one.start : one.end])
    (quote,) = best.quotes
    source = reply.sources[quote.number - 1]
    assert (quote.id, source.id, source.title) == ("kiwi", "kiwi", "Kiwi")
    text = "The kiwi cannot fly. It lives in New Zealand. 🐦 It has 2 legs."
    assert quote.text == text[quote.start : quote.end]
    assert source.text == text[source.start : source.end]
    assert {"context", "generate", "first_token", "fuse"} <= set(reply.timings)


@pytest.mark.parametrize(
    ("question", "generator"),
    [
        ("Which bird lives in New Zealand?", "extractive"),
        ("one", "scripted"),
        ("Which bird sleeps while it flies?", "echo"),
        ("slow", "scripted"),
    ],
)
@pytest.mark.parametrize("markers", ["keep", "remove"])
def test_done_equals_the_plain_reply_and_the_events_add_up(
    answering, parsed, question, generator, markers
):
    client = answering()
    fields = {"generator": generator, "citations": {"markers": markers}}
    plain = ask(client, question, **fields).json()
    response = ask(client, question, stream=True, **fields)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    found = [(name, json.loads(data)) for name, data in parsed(response.content)]
    names = [name for name, _ in found]
    assert (names[0], names[-2:]) == ("sources", ["usage", "done"])
    assert set(names[1:-2]) <= {"token", "citation"}
    done = found[-1][1]
    assert without_times(done) == without_times(plain)
    assert done["request_id"] == response.headers["x-request-id"]
    assert "".join(value["text"] for name, value in found if name == "token") == done["text"]
    assert [value for name, value in found if name == "citation"] == done["citations"]
    assert found[0][1] == {"sources": done["sources"], "left_out": done["left_out"]}
    assert found[-2][1] == done["usage"]


def test_the_header_accept_asks_for_a_stream_and_the_field_decides(answering):
    client = answering()
    body = {"question": "Which bird lives in New Zealand?", "generator": "extractive"}
    for accept, stream, kind in (
        ("text/event-stream", None, "text/event-stream"),
        ("application/json;q=0.1, TEXT/Event-Stream;q=0.9", None, "text/event-stream"),
        ("text/event-stream", False, "application/json"),
        ("application/json", True, "text/event-stream"),
        ("*/*", None, "application/json"),
    ):
        given = body if stream is None else {**body, "stream": stream}
        reply = client.post(ANSWER, json=given, headers={"accept": accept})
        assert reply.headers["content-type"].startswith(kind), accept


def test_the_reply_says_what_the_search_made_of_the_question(answering, parsed):
    client = answering()
    client.put(
        "/v1/collections/birds/documents/moa",
        json={"text": "The moa cannot fly.", "metadata": {"year": 1400}},
    )
    plain = AnswerReply.model_validate(ask(client).json())
    assert (plain.filter, plain.suggestion, plain.predictors) == (None, None, None)
    search = {"parse_filters": True, "suggest": True, "predictors": True}
    question = "Which bird lives in New Zeeland? year:<1500"
    reply = AnswerReply.model_validate(ask(client, question, search=search).json())
    assert reply.filter == {"year": {"lt": 1500}}
    assert reply.suggestion == "Which bird lives in New Zealand? year:<1500"
    assert reply.predictors is not None
    assert reply.predictors["terms"] > 0
    (*_, last) = parsed(ask(client, question, search=search, stream=True).content)
    assert json.loads(last[1])["filter"] == reply.filter


def test_no_answer_has_empty_lists(answering, parsed):
    client = answering()
    nothing = {"filter": {"id": "dodo"}}
    reply = AnswerReply.model_validate(ask(client, search=nothing).json())
    assert (reply.outcome, reply.reason) == ("no_answer", "no sources")
    assert (reply.citations, reply.sources, reply.left_out) == ([], [], [])
    assert reply.text
    (*_, last) = parsed(ask(client, search=nothing, stream=True).content)
    assert last[0] == "done"
    assert json.loads(last[1])["citations"] == []


def test_long_numbers_in_brackets_are_part_of_the_reply(answering, parsed):
    client = answering()
    plain = ask(client, generator="numbers")
    assert plain.status_code == 200
    assert plain.json()["text"] == "Kiwi and flies."
    assert plain.json()["invalid_citations"] == [999_999_999]
    (*_, (name, data)) = parsed(ask(client, generator="numbers", stream=True).content)
    assert name == "done"
    assert without_times(json.loads(data)) == without_times(plain.json())


def test_the_first_configured_generator_is_the_default(answering):
    client = answering()
    reply = client.post(ANSWER, json={"question": "one"}).json()
    assert (reply["generator"], reply["text"]) == ("scripted", reply["text"])
    assert reply["usage"]["prompt_tokens"] == 7


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"question": " "}, "question"),
        ({"question": None}, "question"),
        ({"question": "x" * 201}, "question"),
        ({"generator": "quick"}, "generator"),
        ({"generator": "twindex.generate:x"}, "generator"),
        ({"search": {"limit": 0}}, "search.limit"),
        ({"search": {"legs": [{"name": "late"}]}}, "search.legs[0].name"),
        ({"search": {"query": "x" * 201}}, "search.query"),
        ({"search": {"rerank": {"model": "none"}}}, "search.rerank.model"),
        ({"context": {"tokens": 15}}, "context.tokens"),
        ({"context": {"order": "random"}}, "context.order"),
        ({"citations": {"markers": "hide"}}, "citations.markers"),
        ({"turns": [{"role": "system", "content": ""}]}, "turns[0].role"),
        ({"turns": [{"role": "user", "content": "x" * 201}]}, "turns[0].content"),
        ({"turns": [{"role": "user", "content": "x" * 150}] * 20}, "turns"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"temprature": 1}, "temprature"),
        ({"context": {"tokens": 16}, "question": "one " * 30}, "context.tokens"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_invalid_field_is_named_before_the_first_event(
    answering, problem, change, field, stream
):
    client = answering(query_chars=200)
    body = {"question": "one", "generator": "scripted", "stream": stream, **change}
    details = problem(client.post(ANSWER, json=body), 422, "invalid")
    assert details.errors[0].field == field


def test_errors_of_the_request_are_problems_even_for_a_stream(answering, problem):
    client = answering()
    body = {"question": "one", "stream": True}
    missing = client.post("/v1/collections/fish/answer", json=body, headers=STREAM)
    problem(missing, 404, "not_found")
    headers = {"content-type": "application/json"}
    problem(client.post(ANSWER, content=b"{", headers=headers), 400, "malformed")
    problem(client.post(ANSWER, content=b"{}"), 415, "unsupported_media_type")
    problem(client.get(ANSWER), 405, "method_not_allowed")
    problem(client.post(f"{ANSWER}?stream=true", json=body), 422, "invalid")
    details = problem(client.post(ANSWER, json={**body, "generator": "gone"}), 503, "model")
    assert "not-on-this-machine" in details.detail


def test_a_model_that_fails(answering, problem, parsed):
    client = answering()
    details = problem(ask(client, "fail", generator="scripted"), 503, "model")
    assert "out of order" in details.detail
    response = ask(client, "fail", generator="scripted", stream=True)
    assert response.status_code == 200, "the sources were sent before"
    *before, (name, data) = parsed(response.content)
    assert (before[0][0], name) == ("sources", "error")
    details = ProblemDetails.model_validate_json(data)
    assert (details.status, details.code) == (503, "model")
    assert details.request_id == response.headers["x-request-id"]


def test_an_unexpected_exception_is_logged_and_shows_nothing(answering, parsed, caplog):
    response = ask(answering(), "slip", generator="scripted", stream=True)
    name, data = parsed(response.content)[-1]
    assert (name, json.loads(data)["code"]) == ("error", "model")
    assert "generator 'scripted' failed with RuntimeError" in json.loads(data)["detail"]
    assert b"secret" not in response.content
    assert "a slip in /secret/path" in caplog.text


def test_time_limits(answering, problem, parsed):
    client = answering(answer_seconds=0.3)
    details = problem(ask(client, "slow", generator="scripted"), 504, "deadline")
    assert "answer_seconds" in details.detail
    found = parsed(ask(client, "slow", generator="scripted", stream=True).content)
    names = [name for name, _ in found]
    assert (names[0], names[-1]) == ("sources", "error")
    assert "token" in names
    assert json.loads(found[-1][1])["code"] == "deadline"
    reply = ask(client, "slow", generator="scripted", timeout_ms=100).json()
    assert (reply["finish"], reply["outcome"]) == ("timeout", "answered")


def test_answers_run_in_threads_of_their_own(answering):
    client = answering(threads=1, answer_threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client.app.state.service.readers, "queue", 0)
        assert ask(client).status_code == 200


def test_models_health_and_metrics(answering):
    client = answering()
    models = ModelList.model_validate(client.get("/v1/models").json()).data
    generators = {one.id: one for one in models if one.type == "generator"}
    assert {name: (one.kind, one.status, one.weights) for name, one in generators.items()} == {
        "numbers": ("fake", "ready", None),
        "scripted": ("extractive", "ready", None),
        "echo": ("language_model", "ready", "fake"),
        "gone": ("language_model", "unavailable", "not-on-this-machine"),
        "extractive": ("extractive", "ready", None),
    }
    health = Health.model_validate(client.get("/healthz").json())
    assert (health.status, health.generators["gone"]) == ("degraded", "unavailable")
    ask(client, "one", generator="scripted")
    ask(client, "one", generator="scripted", stream=True)
    ask(client, search={"filter": {"id": "dodo"}})
    ask(client, "fail", generator="scripted")
    text = client.get("/metrics").text
    for line in (
        'twindex_answers_total{generator="scripted",outcome="answered"} 2.0',
        'twindex_answers_total{generator="scripted",outcome="failed"} 1.0',
        'twindex_answers_total{generator="extractive",outcome="no_answer"} 1.0',
        'twindex_answer_seconds_count{generator="scripted"} 2.0',
        'twindex_answer_first_token_seconds_count{generator="scripted"} 2.0',
    ):
        assert line in text
    # Two answers of 7 tokens, and the prompt of the answer that failed.
    counted = r'twindex_answer_prompt_tokens_total{generator="scripted"} ([\d.]+)'
    of_collection = r'twindex_llm_prompt_tokens_total{collection="birds"} ([\d.]+)'
    (spent,) = re.findall(counted, text)
    assert float(spent) > 14
    assert re.findall(of_collection, text) == [spent]
    assert f'route="{BIRDS.replace("birds", "{collection}")}/answer",status="200"' in text
