"""Every number in every configuration and request has a minimum and a maximum."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import TypeAdapter

import twindex
from twindex.core import ConfigError
from twindex.core.bounds import STORED, TEXTS, Bounds
from twindex.core.config import Config
from twindex.core.kinds import families

from ..house import ROOMS

ELSEWHERE = {
    ("SearchRequest", "vectors"): "search/encoding/queries.py checks components and dimensions",
    ("SearchRequest", "as_of"): "search/arranging/instants.py checks commits",
    ("FederatedRequest", "as_of"): "search/arranging/instants.py checks commits",
    ("FederatedRequest", "vectors"): "search/encoding/queries.py checks components and dimensions",
}
"""Numbers whose bounds are checked elsewhere."""

NONE_IS_A_VALUE = {("PassageScorerTraining", "windows"): "all windows"}
"""Fields that accept None and have another default. No REST body has such a field."""


@cache
def models() -> list[type[Config]]:
    for room in ROOMS:
        package = importlib.import_module(f"twindex.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"twindex.{room}."):
            importlib.import_module(module.name)
    bases = {family.base for family in families()}  # Base classes are never instantiated.
    found: dict[str, type[Config]] = {}
    pending = [Config]
    while pending:
        for model in pending.pop().__subclasses__():
            if model.__module__.startswith(twindex.__name__):
                if model not in bases:
                    found[model.__qualname__] = model
                pending.append(model)
    return [found[name] for name in sorted(found)]


def numbers(annotation: Any, bounds: Bounds | None = None) -> Iterator[tuple[type, Bounds | None]]:
    """Yield (type, bounds) for each numeric type inside an annotation."""
    if annotation in (int, float):
        yield annotation, bounds
    elif get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        own = [one for one in metadata if isinstance(one, Bounds)]
        yield from numbers(inner, own[0] if own else bounds)
    elif get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from numbers(part)


def numeric_fields() -> list[tuple[type[Config], str, type, Bounds | None]]:
    found = []
    for model in models():
        for name, field in model.model_fields.items():
            own = [one for one in field.metadata if isinstance(one, Bounds)]
            for kind, bounds in numbers(field.annotation, own[0] if own else None):
                if (model.__name__, name) not in ELSEWHERE:
                    found.append((model, name, kind, bounds))
    return found


def test_all_models_are_found():
    names = [f"{model.__name__}.{name}" for model, name, _, _ in numeric_fields()]
    assert {"IvfConfig.nprobe", "SearchRequest.limit", "RerankBody.top_n", "Settings.queue"} <= {
        *names
    }
    assert len(names) > 120


def test_each_number_has_bounds():
    for model, name, kind, bounds in numeric_fields():
        place = f"{model.__name__}.{name}"
        assert bounds is not None, f"{place}: give it Bounds (core/bounds.py)"
        check_bounds(place, model, name, kind, bounds)


def refused(model: type[Config], value: dict[str, Any]) -> ConfigError | None:
    """Return the error of a configuration, or None if the configuration is accepted."""
    try:
        model.parse(value)
    except ConfigError as error:
        return error
    return None


def check_bounds(place: str, model: type[Config], name: str, kind: type, bounds: Bounds) -> None:
    adapter = TypeAdapter(Annotated[kind, bounds])
    least, greatest = kind(bounds.least), kind(bounds.greatest)
    if bounds.above:
        least = math.nextafter(least, math.inf)
    assert adapter.validate_python(least) == least, place
    assert adapter.validate_python(greatest) == greatest, place
    assert adapter.validate_python(str(greatest), context=TEXTS) == greatest, place
    beyond = [10**40, str(greatest), "9" * 40, "9" * 5_000, True, "x"]
    if kind is int:
        beyond += [least - 1, greatest + 1, str(least - 1), str(greatest + 1), 2.5]
    else:
        below = bounds.least if bounds.above else math.nextafter(least, -math.inf)
        beyond += [below, math.nextafter(greatest, math.inf), math.nan, math.inf, "nan", "inf"]
    for value in beyond:
        # The error of the model must show the value, the field and the bounds.
        error = refused(model, {**required(model), name: _shaped(model, name, value)})
        assert error is not None, (place, value)
        assert error.field in (name, f"{name}[0]"), (place, value)
        assert bounds.words in error.message, (place, value)
        assert ", got " in error.message, (place, value)
    assert adapter.validate_python(10**30, context=STORED) is not None, place


def _shaped(model: type[Config], name: str, value: Any) -> Any:
    """Return the value in the form that the field requires: alone or in a list."""
    try:
        model.parse({**required(model), name: [value]})
    except ConfigError as error:
        if error.field == f"{name}[0]":
            return [value]
    return value


def required(model: type[Config]) -> dict[str, Any]:
    """Return values for the required fields of a model."""
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    either = {
        "SearchRequest": ["query"],
        "FederatedRequest": ["query"],
        "ProjectionConfig": ["share"],
        "ExternalSparseEncoderConfig": ["dimensions"],
        "FeedbackRequest": ["lexical"],
        "Gate": ["above"],
    }
    needed += either.get(model.__name__, [])
    if model.__name__ == "PairEncoderConfig":
        return {name: {"kind": "dense", "model": "fake"} for name in needed}
    if model.__name__ == "ReembedRequest":
        return {"legs": {"dense": {"kind": "dense"}}}
    return {name: _GUESSES.get(name, "fake") for name in needed}


def test_none_means_absent():
    fields = [(model, *item) for model in models() for item in model.model_fields.items()]
    for model, name, field in fields:
        if field.is_required() or (model.__name__, name) in NONE_IS_A_VALUE:
            continue
        given = {key: value for key, value in required(model).items() if key != name}
        if given == required(model):
            assert model.parse({**given, name: None}) == model.parse(given), (model, name)


def test_error_for_an_unknown_field_lists_known_fields():
    for model in (model for model in models() if model.model_fields):
        name = next(iter(model.model_fields))
        for unknown, expected in (
            (f"{name}s_", f"unknown field; did you mean `{name}`?"),
            ("qqqqqqqq", f"unknown field; known fields: {', '.join(model.model_fields)}"),
        ):
            with pytest.raises(ConfigError) as caught:
                model.parse({**required(model), unknown: 1})
            assert caught.value.message == expected, model
        with pytest.raises(ConfigError):
            model(qqqqqqqq=1)


_GUESSES: dict[str, Any] = {
    "action": "delete",
    "actions": [{"action": "delete", "alias": "fake"}],
    "query": "x",
    "metadata": {"a": 1},
    "days": 7,
    "version": 1,
    "collections": ["fake"],
    "ids": ["fake"],
    "name": "overlap",
    "messages": [{"role": "user", "content": "x"}],
    "content": "x",
    "input": "x",
    "inputs": "x",
    "texts": ["x"],
    "input_type": "search_query",
    "data": {"text": "x"},
    "share": 0.5,
    "slope": 1,
    "intercept": 0,
    "dimensions": 8,
    "candidates": 1,
    "documents": ["x"],
    "requests": [{"query": "x"}],
    "reranker": {"kind": "fake"},
    "slow": {"kind": "fake"},
    "stages": [{"reranker": {"kind": "fake"}, "candidates": 1}],
    "legs": {"dense": {}},
    "index": ["flat"],
    "predictor": "overlap",
    "above": 0.5,
    "lexical": "rm3",
    "features": [{"name": "overlap", "weight": 1.0}],
    "weight": 1.0,
    "filter": {"year": 1},
    "pivot": 1,
    "origin": 0,
    "scale": 1,
    "bias": 0.0,
    "role": "user",
    "block": [{"index": ["flat"]}],
    "demonstrations": "pairs.jsonl",
}


def test_configuration_must_be_an_object():
    with pytest.raises(ConfigError, match="Config must be an object with fields, got a list"):
        Config.parse([])  # type: ignore[arg-type]
