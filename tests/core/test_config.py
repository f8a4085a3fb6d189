"""Configurations refuse unknown fields, name wrong fields and round-trip through JSON."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from twindex.core import Config, ConfigError
from twindex.core.config import invalid_fields
from twindex.index import CollectionConfig


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"legs": {"lexical": {"kind": "lexical", "b": 3}}}, "legs.lexical.b"),
        (
            {"legs": {"x": {"kind": "dense", "index": {"kind": "hnsw", "neighbors": 1}}}},
            "legs.x.index.neighbors",
        ),
        (
            {"legs": {"x": {"kind": "sparse", "encoder": {"top_terms": 0}}}},
            "legs.x.encoder.top_terms",
        ),
        ({"legs": {"x": {"kind": "colbert"}}}, "legs.x"),
        ({"passages": {"size": 10, "overlap": 10}}, "passages"),
        ({"passages": {"length": 10}}, "passages.length"),
        ({"legs": {}}, "legs"),
        ({"legs": {"No": {"kind": "lexical"}}}, None),
    ],
)
def test_error_names_the_field(value, field):
    with pytest.raises(ConfigError) as caught:
        CollectionConfig.parse(value)
    if field is not None:
        assert caught.value.field == field


def test_configuration_round_trips_through_json():
    config = CollectionConfig.parse(
        {"legs": {"d": {"kind": "dense", "index": {"kind": "hnsw"}}, "l": {"kind": "lexical"}}}
    )
    assert CollectionConfig.model_validate_json(config.model_dump_json()) == config
    assert hash(config.passages) == hash(CollectionConfig().passages)


class Bird(Config):
    name: str
    """How the bird
    is called."""
    wings: int = 2
    legs: int = Field(default=2, description="Number of legs.")
    """Not this text."""


def test_meanings_are_the_docstrings_of_the_fields_and_of_their_bases():
    class Kiwi(Bird):
        wings: int = 0
        """The kiwi cannot fly."""
        name: str = "kiwi"

    assert Bird.meanings() == {"name": "How the bird\nis called.", "legs": "Number of legs."}
    assert Kiwi.meanings() == {"wings": "The kiwi cannot fly.", "legs": "Number of legs."}
    properties = Kiwi.model_json_schema()["properties"]
    shown = {name: one["description"] for name, one in properties.items() if "description" in one}
    assert shown == Kiwi.meanings()


class Part(Config):
    """A part of a value.

    name: its name.
    """

    name: str


class Whole(Config):
    """A value with a union.

    text: a text, or one to three parts.
    """

    text: str | Annotated[list[Part], Field(min_length=1, max_length=3)]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (3, [("text", "must be a string or a list, got 3")]),
        ({}, [("text", "must be a string or a list, got an object")]),
        ([], [("text", "must have at least 1 item, got 0")]),
        ([{"name": "a"}] * 4, [("text", "must have at most 3 items, got 4")]),
        ([3], [("text[0]", "must be an object, got 3")]),
        ([{"name": 3}], [("text[0].name", "must be a string, got 3")]),
    ],
)
def test_a_value_that_fits_no_branch_of_a_union_has_one_error_without_their_names(given, found):
    value = {"text": given}
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(value)
    assert invalid_fields(caught.value, value) == found
