"""A wrongly typed call of the Python interface raises a named error and changes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest

from twindex.core import ConfigError, EncoderMismatchError, InvalidInputError, TwindexError
from twindex.encoders import DenseEncoderConfig, load_encoder
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, LocalStore
from twindex.search import Collection, Fusion, LegRequest, SearchRequest

CONFIG = CollectionConfig(
    legs={"dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")), "lexical": LexicalLeg()}
)
WRONG: list[Any] = [
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    float("nan"),
    "13",
    "",
    "\0",
    "\ud800",
    b"13",
    [],
    [None],
    [1],
    ["\ud800"],
    [[]],
    {},
    {1: 2},
    {"a": object()},
    {"and": 1},
    set(),
    object(),
    Collection,
    lambda: None,
    iter([3]),
]


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    with Collection.create(tmp_path_factory.mktemp("a") / "c", CONFIG) as collection:
        collection.add(
            {"id": str(i), "text": f"kiwi n{i}", "metadata": {"y": i}} for i in (1, 3, 13)
        )
        yield collection


def calls() -> list[tuple[str, str, Any]]:
    """(method, parameter, wrong value) for every public method of Collection."""
    found = []
    for name, method in inspect.getmembers(Collection, inspect.isroutine):
        if name.startswith("_") or name in ("close",):
            continue
        for parameter in inspect.signature(method).parameters.values():
            if parameter.name != "self" and parameter.kind is not parameter.VAR_KEYWORD:
                found += [
                    (name, parameter.name, value)
                    for value in WRONG
                    if not (parameter.name == "encoders" and callable(value))
                ]
    return found


GOOD: dict[str, Any] = {
    "documents": [],
    "ids": [],
    "id": "1",
    "filter": {"nothing": 1},
    "request": "kiwi",
    "requests": [],
    "legs": {},
    "version": 1,
    "metadata": {},
    "days": 7,
    "document": {"id": "1", "text": "kiwi n1", "metadata": {"y": 1}},
}
HARMLESS = ("get", "documents", "count", "search", "search_batch")


def outcome(call: Any, arguments: dict[str, Any]) -> BaseException | None:
    """Return the error of a call; None if it succeeded."""
    with ExitStack() as stack:
        try:
            opened = call(**arguments)
        except BaseException as error:  # noqa: BLE001 - which one is what is tested
            return error
        if isinstance(opened, Collection):
            stack.enter_context(opened)
    return None


def test_every_wrongly_typed_call_succeeds_or_names_the_argument(collection, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tried = refused = 0
    for name, parameter, value in calls():
        arguments = {
            p.name: GOOD[p.name]
            for p in inspect.signature(getattr(Collection, name)).parameters.values()
            if p.default is p.empty and p.name in GOOD and p.kind is not p.VAR_KEYWORD
        }
        if name in ("export", "restore"):
            arguments["path"] = tmp_path / f"n{tried}"
        if name in ("snapshot", "restore"):
            arguments["target"] = tmp_path / "snapshots"
        if name in ("create", "open", "open_or_create"):
            arguments["path"] = (
                tmp_path / f"n{tried}" if name.endswith("create") else collection.path
            )
        tried += 1
        error = outcome(getattr(collection, name), {**arguments, parameter: value})
        refused += error is not None
        assert error is None or isinstance(error, TwindexError), (name, parameter, value, error)
        if isinstance(error, InvalidInputError):
            field = error.field or (parameter if "a document " in error.message else "")
            if parameter in ("request", "document") and isinstance(
                value, Mapping
            ):  # Its fields are named.
                assert field
            else:
                named = (parameter, "query", "question", "id", "text")
                assert field.startswith(named), (name, value, str(error))
        if name not in HARMLESS:
            assert collection.count() == 3, (name, parameter, value)
    assert refused > tried / 2
    assert tried > 400


def test_a_string_is_not_a_list_of_ids(collection):
    message = r"ids: must be a list of ids, got '13'; write \['13'\]"
    with pytest.raises(InvalidInputError, match=message):
        collection.delete("13")
    with pytest.raises(InvalidInputError, match=message):
        collection.store.delete("13")
    with pytest.raises(InvalidInputError, match=r"ids\[1\]: must be a string, got 3"):
        collection.delete(["1", 3])
    assert collection.count() == 3


def test_requests_raise_twindex_errors():
    for model, fields, field in (
        (SearchRequest, {"query": 5}, "query"),
        (SearchRequest, {"query": "x", "limit": "many"}, "limit"),
        (SearchRequest, {"query": "x", "limti": 3}, "limti"),
        (LegRequest, {"name": "No"}, "name"),
        (Fusion, {"method": "rff"}, "method"),
        (Fusion, {"k": 10**400, "method": "rrf"}, "k"),
        (DenseLeg, {"encoder": 3}, "encoder"),
    ):
        with pytest.raises(ConfigError) as caught:
            model(**fields)
        assert caught.value.field == field


def test_fusion_accepts_the_name_of_a_method(collection):
    one = collection.search("kiwi", fusion="rrf")
    two = collection.search(SearchRequest(query="kiwi", fusion=Fusion(method="rrf")))
    assert [(hit.id, hit.score) for hit in one.hits] == [(hit.id, hit.score) for hit in two.hits]
    assert one.hits[0].score == pytest.approx(2 / 61)
    with pytest.raises(InvalidInputError) as caught:
        collection.search("kiwi", fusion="rff")
    assert caught.value.field == "fusion.method"


class Own:
    """An encoder that is defined only in this test."""

    fingerprint: ClassVar = {"mine": 1}

    def __init__(self) -> None:
        self._fake = load_encoder(DenseEncoderConfig(model="fake"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fake, name)


def test_the_error_for_missing_custom_encoders_names_the_remedy(tmp_path):
    def own(config):
        return Own() if config.kind == "dense" else load_encoder(config)

    with Collection.create(tmp_path / "c", CONFIG, encoders=own) as collection:
        collection.add([{"id": "1", "text": "kiwi"}])
    match = r"Collection\.open\(path, encoders=\.\.\.\)"
    with (
        Collection.open(tmp_path / "c") as collection,
        pytest.raises(EncoderMismatchError, match=match),
    ):
        collection.search("kiwi")
    with Collection.open(tmp_path / "c", encoders=own) as collection:
        assert [hit.id for hit in collection.search("kiwi").hits] == ["1"]
    assert "encoders of your own" in (Collection.open.__doc__ or "")


def test_collections_check_ids_too(tmp_path):
    collection = LocalStore.create(tmp_path / "c", CONFIG)
    with pytest.raises(InvalidInputError):
        collection.delete("13")
    collection.close()
