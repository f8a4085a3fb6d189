"""Accepted configurations can be opened and searched, even if they were stored before bounds."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.main import main
from twindex.core import ConfigError
from twindex.core.bounds import Bounds
from twindex.index import (
    CollectionConfig,
    HnswConfig,
    IvfConfig,
    LocalStore,
    ScannConfig,
    SpannConfig,
    StorageConfig,
    VectorSearch,
    VectorStorage,
)
from twindex.index.store.database.meta import set_meta
from twindex.search import Collection, SearchRequest

DOCUMENTS = [{"id": str(i), "text": f"kiwi n{i} w{i % 7}"} for i in range(60)]


def config(index: dict[str, Any], **fields: Any) -> CollectionConfig:
    dense = {"kind": "dense", "encoder": {"model": "fake"}, "index": index}
    return CollectionConfig.parse(
        {"legs": {"dense": dense, "lexical": {"kind": "lexical"}}, **fields}
    )


def bounds(model: type[Any], name: str) -> Bounds:
    field = model.model_fields[name]
    found = [one for one in field.metadata if isinstance(one, Bounds)]
    if not found:  # of `X | None`
        found = list(field.annotation.__args__[0].__metadata__)
    return found[0]


def test_parameters_of_configurations_have_the_bounds_of_requests():
    for model in (IvfConfig, ScannConfig, SpannConfig):
        assert bounds(model, "nprobe") == bounds(VectorSearch, "nprobe")
    assert bounds(HnswConfig, "ef_search") == bounds(VectorSearch, "ef")


EXTREMES = [
    ("hnsw", HnswConfig, ("ef_search", "neighbors", "ef_construction", "flat_below")),
    ("ivf", IvfConfig, ("nprobe", "lists", "flat_below")),
    ("spann", SpannConfig, ("nprobe", "replicas", "head_share", "epsilon", "flat_below")),
]


@pytest.mark.parametrize(
    ("kind", "model", "names"), EXTREMES, ids=[kind for kind, _, _ in EXTREMES]
)
def test_every_extreme_can_be_sealed_reopened_searched_and_described(tmp_path, kind, model, names):
    for name in names:
        own = bounds(model, name)
        least = own.least if not own.above else 0.001
        for i, value in enumerate((least, own.greatest)):
            made = config({"kind": kind, "flat_below": 0, name: value})
            path = tmp_path / f"{name}-{i}"
            with Collection.create(path, made) as collection:
                collection.add(DOCUMENTS)
                collection.seal()
            with Collection.open(path) as collection:
                assert collection.config == made
                assert collection.search("kiwi n7", legs=[{"name": "dense"}]).hits
                assert json.loads(json.dumps(collection.info()))["documents"] == len(DOCUMENTS)
                assert collection.verify() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"storage": {"seal_passages": 1, "max_segments": 1}},
        {"storage": {"seal_passages": 1_000_000, "max_segments": 1_000}},
    ],
)
def test_extremes_of_other_fields_can_be_stored(tmp_path, fields):
    with Collection.create(tmp_path / "c", config({"kind": "flat"}, **fields)) as collection:
        collection.add(DOCUMENTS[:10])
        collection.seal()
    with Collection.open(tmp_path / "c") as collection:
        assert len(collection.search("kiwi").hits) == 10
        assert collection.info()["documents"] == 10
    own = bounds(StorageConfig, "seal_passages")
    with pytest.raises(ConfigError, match=r"storage\.seal_passages: must be an integer between"):
        config({"kind": "flat"}, storage={"seal_passages": own.greatest + 1})


def store(path: Path, change: dict[str, Any]) -> None:
    """Put numbers beyond the current bounds into a stored configuration."""
    with closing(sqlite3.connect(path / "collection.db", isolation_level=None)) as connection:
        value = json.loads(
            connection.execute("SELECT value FROM meta WHERE key = 'config'").fetchone()[0]
        )
        value["legs"]["dense"]["index"].update(change)
        set_meta(connection, "config", json.dumps(value))


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("hnsw", {"ef_search": 1_000_001}, "index.ef_search"),
        ("hnsw", {"ef_search": 10**30}, "index.ef_search"),
        ("ivf", {"nprobe": 2_000_000}, "index.nprobe"),
    ],
)
def test_a_stored_number_beyond_its_bounds_disables_only_its_leg(
    tmp_path, capsys, kind, change, field
):
    path = tmp_path / "c"
    with Collection.create(path, config({"kind": kind, "flat_below": 0})) as collection:
        collection.add(DOCUMENTS)
        collection.seal()
    store(path, change)
    with Collection.open(path) as collection:
        assert collection.get("7").text == DOCUMENTS[7]["text"]
        assert collection.count() == len(DOCUMENTS)
        assert collection.verify() == []
        info = json.dumps(collection.info())
        assert all(
            abs(n) < 2**63
            for n in json.loads(info)["config"]["legs"]["dense"]["index"].values()
            if isinstance(n, int)
        )
        assert collection.search("kiwi", legs=[{"name": "lexical"}]).hits
        for request in (
            SearchRequest(query="kiwi"),
            SearchRequest(query="n", legs=[{"name": "dense"}]),
        ):
            with pytest.raises(ConfigError, match="twindex reconfigure") as caught:
                collection.search(request)
            assert caught.value.field == f"legs.dense.{field}"
        collection.delete(["3"])
        collection.merge()
    assert LocalStore.verify(path) == []
    assert main(["verify", str(path)]) == 0
    assert main(["reconfigure", str(path), "--recall", "0.95"]) == 0
    capsys.readouterr()
    with Collection.open(path) as collection:
        assert collection.search("kiwi").hits
        assert collection.count() == len(DOCUMENTS) - 1


def test_reconfigure_repairs_a_leg_beyond_bounds(tmp_path):
    path = tmp_path / "c"
    with Collection.create(path, config({"kind": "hnsw", "flat_below": 0})) as collection:
        collection.add(DOCUMENTS)
        collection.seal()
    store(path, {"ef_search": 5_000_000})
    with Collection.open(path) as collection:
        collection.reconfigure({"dense": VectorStorage.parse({"index": {"kind": "flat"}})})
        assert collection.search("kiwi").hits
