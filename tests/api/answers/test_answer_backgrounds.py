"""Backgrounds over HTTP: one file with the generators, listed, loaded at the start, in replies."""

from __future__ import annotations

import pytest

from twindex.api.http.shapes.answers import AnswerReply
from twindex.api.http.shapes.operations import Health, ModelList

from .conftest import ANSWER, BIRDS

FILE = """
[generators.fake]
kind = "fake"

[backgrounds.facts]
kind = "fake"
texts = ["The kiwi cannot fly.", "Kiwis have 7 hats."]

[backgrounds.gone]
kind = "language_model"
llm = {model = "not-on-this-machine"}
"""


@pytest.fixture
def client(serve, tmp_path, fake_config):
    file = tmp_path / "generators.toml"
    file.write_text(FILE)
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", generators=file)
    client.put(BIRDS, json=fake_config)
    client.put(f"{BIRDS}/documents/kiwi", json={"text": "The kiwi cannot fly. It runs."})
    return client


def ask(client, **fields):
    return client.post(ANSWER, json={"question": "Can the kiwi fly?", **fields})


def test_generated_texts_are_sources_of_the_reply(client):
    reply = AnswerReply.model_validate(ask(client, background="facts").json())
    assert [one.kind for one in reply.sources] == ["generated", "generated", "document"]
    assert [one.supported_share for one in reply.sources] == [1.0, 0.0, None]
    assert reply.usage.calls == 3
    assert "background" in reply.timings
    alone = ask(client, background={"model": "facts", "only": True})
    reply = AnswerReply.model_validate(alone.json())
    assert (reply.query, reply.citations) == ("", [])
    assert reply.warnings


def test_backgrounds_are_listed_and_part_of_the_health(client):
    models = ModelList.model_validate(client.get("/v1/models").json()).data
    found = {one.id: (one.kind, one.status) for one in models if one.type == "background"}
    assert found == {"facts": ("fake", "ready"), "gone": ("language_model", "unavailable")}
    health = Health.model_validate(client.get("/healthz").json())
    assert health.status == "degraded"
    assert health.backgrounds == {"facts": "ready", "gone": "unavailable"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"background": "fact"}, "background.model"),
        ({"background": {"model": "facts", "share": 0}}, "background.share"),
        ({"background": "facts", "generator": "extractive"}, "background"),
    ],
)
def test_errors_name_the_field(client, problem, fields, field):
    assert problem(ask(client, **fields), 422, "invalid").errors[0].field == field


def test_background_whose_model_is_missing_is_an_error_of_the_model(client, problem):
    details = problem(ask(client, background="gone"), 503, "model")
    assert "not-on-this-machine" in details.detail
