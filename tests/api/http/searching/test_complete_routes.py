"""Completions over REST, and by keys with forced filters."""

from __future__ import annotations

from twindex.api.http.shapes.completions import CompleteReply

COMPLETE = "/v1/collections/birds/complete"


def test_a_text_is_completed(client):
    reply = CompleteReply.model_validate(client.post(COMPLETE, json={"text": "the ki"}).json())
    assert reply.words[0].word == "kiwi"
    assert reply.words[0].text == "the kiwi"
    assert reply.words[0].documents == 1


def test_documents_outside_the_filter_do_not_count(client):
    body = {"text": "ki", "filter": {"id": "emu"}}
    reply = client.post(COMPLETE, json=body).json()
    assert reply["words"] == reply["titles"] == []


def test_mistakes_name_the_field(client):
    reply = client.post(COMPLETE, json={"txt": "ki"})
    assert reply.status_code == 422
    assert "text" in reply.text
    assert client.post(COMPLETE.replace("birds", "none"), json={"text": "k"}).status_code == 404
