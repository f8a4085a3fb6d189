"""Collections over HTTP: create, list, describe, delete; isolation of damage."""

from __future__ import annotations

import shutil

import pytest

from twindex.api.http.shapes.schemas import CollectionInfo, CollectionList
from twindex.index import CollectionConfig
from twindex.index.store.database.meta import get_meta, set_meta
from twindex.search import Collection

BIRDS = "/v1/collections/birds"


def test_create_describe_list_delete(serve, tmp_path, problem, fake_config):
    client = serve()
    response = client.put(BIRDS, json=fake_config)
    assert response.status_code == 201
    assert response.headers["location"] == BIRDS
    assert client.put(BIRDS, json=fake_config).status_code == 200
    info = CollectionInfo.model_validate(client.get(BIRDS).json())
    assert CollectionConfig.model_validate(info.config) == CollectionConfig.model_validate(
        fake_config
    )
    assert str(tmp_path) not in client.get(BIRDS).text
    (summary,) = CollectionList.model_validate(client.get("/v1/collections").json()).collections
    assert (summary.name, summary.status, summary.documents) == ("birds", "ready", 0)
    assert client.delete(BIRDS).status_code == 204
    problem(client.get(BIRDS), 404, "not_found")
    problem(client.delete(BIRDS), 404, "not_found")
    assert list(tmp_path.iterdir()) == []
    assert client.put(BIRDS, json=fake_config).status_code == 201


def test_another_configuration_is_a_conflict(client, problem):
    problem(client.put(BIRDS, json={"legs": {"lexical": {"kind": "lexical"}}}), 409, "conflict")
    # No body means the default configuration, with or without a content type.
    for headers in ({}, {"content-type": "application/json"}):
        problem(client.put(BIRDS, headers=headers), 409, "conflict")


@pytest.mark.parametrize(
    "name", [".hidden", "-x", "a.b", "a b", "%C3%A9", "x" * 65, "a%2Fb", "%2E%2E"]
)
def test_names_that_could_be_paths_are_rejected(client, tmp_path, name, fake_config):
    before = sorted(tmp_path.parent.rglob("*"))
    assert client.put(f"/v1/collections/{name}", json=fake_config).status_code in (404, 405, 422)
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("config", "code", "field"),
    [
        ({"legs": {}}, "invalid", "legs"),
        ({"lags": {}}, "invalid", "lags"),
        ({"legs": {"l": {"kind": "lexical", "b": 2}}}, "invalid", "legs.l.b"),
        (
            {"legs": {"lexical": {"kind": "lexical", "encoder": {"language": "tlh"}}}},
            "config",
            None,
        ),
        (
            {"legs": {"d": {"kind": "dense", "encoder": {"model": "fake", "revision": "1"}}}},
            "config",
            None,
        ),
    ],
)
def test_an_invalid_configuration_names_the_field(client, tmp_path, config, code, field, problem):
    details = problem(client.put("/v1/collections/new", json=config), 422, code)
    if field is not None:
        assert details.errors[0].field == field
    assert not (tmp_path / "new").exists()
    problem(client.get("/v1/collections/new"), 404, "not_found")


def test_creating_with_a_missing_model_names_the_field(
    client, tmp_path, fake_config, monkeypatch, problem
):
    from twindex.api.serving import loading
    from twindex.core import ModelError

    def fail(config):
        raise ModelError("no weights for 'nope'")

    monkeypatch.setattr(loading, "load_encoder", fail)
    fake_config["legs"]["dense"]["encoder"]["max_length"] = 99
    details = problem(client.put("/v1/collections/new", json=fake_config), 422, "config")
    assert details.errors[0].field == "legs.dense.encoder"
    assert not (tmp_path / "new").exists()


def test_collections_survive_a_restart(serve, tmp_path, fake_config):
    first = serve()
    first.put(BIRDS, json=fake_config)
    first.put(f"{BIRDS}/documents/kiwi", json={"text": "The kiwi cannot fly."})
    first.__exit__(None, None, None)
    second = serve()
    assert second.post(f"{BIRDS}/search", json={"query": "kiwi"}).json()["hits"][0]["id"] == "kiwi"


def damage(path, config):
    """Write a sealed collection and truncate one of its files."""
    with Collection.create(path, CollectionConfig.model_validate(config)) as opened:
        opened.add([{"id": str(n), "text": f"bird {n}"} for n in range(50)])
        opened.seal()
    file = max((path / "segments").rglob("*.*"), key=lambda f: f.stat().st_size)
    file.write_bytes(file.read_bytes()[:-1])
    return file


def test_a_damaged_collection_does_not_affect_others(serve, tmp_path, problem, fake_config):
    file = damage(tmp_path / "broken", fake_config)
    with Collection.create(
        tmp_path / "sound", CollectionConfig.model_validate(fake_config)
    ) as opened:
        opened.add([{"id": "kiwi", "text": "The kiwi cannot fly."}])
    client = serve()
    listed = {c["name"]: c for c in client.get("/v1/collections").json()["collections"]}
    assert listed["sound"]["status"] == "ready"
    assert listed["broken"]["status"] == "damaged"
    for response in (
        client.get("/v1/collections/broken"),
        client.post("/v1/collections/broken/search", json={"query": "x"}),
        client.put("/v1/collections/broken/documents/1", json={"text": "t"}),
        client.post(
            "/v1/collections/broken/documents/bulk",
            headers={"content-type": "application/x-ndjson"},
        ),
    ):
        details = problem(response, 503, "damaged")
        assert file.name in details.detail
        assert str(tmp_path) not in details.detail
        assert "retry-after" in response.headers
    assert client.post("/v1/collections/sound/search", json={"query": "kiwi"}).json()["hits"]
    assert client.get("/readyz").status_code == 200
    assert client.get("/healthz").json()["status"] == "degraded"
    assert client.get("/?collection=broken").status_code == 503
    assert client.delete("/v1/collections/broken").status_code == 204
    assert client.get("/healthz").json()["status"] == "ok"


def test_a_garbage_database_is_reported_as_damaged(serve, tmp_path, problem):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "collection.db").write_bytes(b"garbage" * 1_000)
    client = serve()
    problem(client.get("/v1/collections/broken"), 503, "damaged")


def test_an_interrupted_creation_can_be_repeated(serve, tmp_path, problem, fake_config):
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds" / "collection.db").touch()
    client = serve()
    problem(client.get(BIRDS), 404, "not_found")
    assert client.put(BIRDS, json=fake_config).status_code == 201


def test_an_interrupted_deletion_is_completed(serve, tmp_path, fake_config):
    damage(tmp_path / ".birds.deleted-0badcafe", fake_config)
    client = serve()
    assert client.get("/v1/collections").json() == {"collections": []}
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_an_invalid_name_is_reported(serve, tmp_path, fake_config):
    Collection.create(tmp_path / "my birds", CollectionConfig.model_validate(fake_config)).close()
    (summary,) = serve().get("/v1/collections").json()["collections"]
    assert summary["status"] == "damaged"
    assert "rename its folder" in summary["problem"]


def test_the_root_may_be_a_collection_itself(serve, tmp_path, problem, fake_config):
    root = tmp_path / "birds"
    with Collection.create(root, CollectionConfig.model_validate(fake_config)) as opened:
        opened.add([{"id": "kiwi", "text": "The kiwi cannot fly."}])
    client = serve(root)
    assert client.get(BIRDS).json()["documents"] == 1
    problem(client.put("/v1/collections/more", json=fake_config), 409, "conflict")
    problem(client.delete(BIRDS), 409, "conflict")


def test_a_collection_built_by_another_process_is_found(serve, tmp_path, problem, fake_config):
    client = serve()
    problem(client.get(BIRDS), 404, "not_found")
    with Collection.create(
        tmp_path / "birds", CollectionConfig.model_validate(fake_config)
    ) as opened:
        opened.add([{"id": "kiwi", "text": "The kiwi cannot fly."}])
    assert client.get(BIRDS).json()["documents"] == 1


def test_another_encoder_is_a_conflict(serve, tmp_path, problem, fake_config):
    config = CollectionConfig.model_validate(fake_config)
    with Collection.create(tmp_path / "birds", config) as opened:
        opened.add([{"id": "kiwi", "text": "The kiwi cannot fly."}])
        with opened.store.database.write() as connection:
            fingerprints = get_meta(connection, "fingerprints")
            set_meta(connection, "fingerprints", fingerprints.replace("fake", "other"))
    client = serve()
    details = problem(client.post(f"{BIRDS}/search", json={"query": "x"}), 409, "encoder_mismatch")
    assert "other" in details.detail
    assert client.get("/v1/collections").json()["collections"][0]["status"] == "unavailable"


def test_readiness_waits_for_models(tmp_path, monkeypatch, problem, fake_config, wait_until_ready):
    from threading import Event

    from fastapi.testclient import TestClient

    from twindex.api.http.app import create_app
    from twindex.api.serving import loading

    Collection.create(tmp_path / "birds", CollectionConfig.model_validate(fake_config)).close()
    loaded = Event()
    load = loading.load_encoder

    def slow(encoder):
        loaded.wait(30)
        return load(encoder)

    monkeypatch.setattr(loading, "load_encoder", slow)
    with TestClient(create_app(tmp_path), base_url="http://localhost") as client:
        response = client.get("/readyz")
        assert response.status_code == 503
        waiting = {
            "status": "loading",
            "writable": True,
            "problem": None,
            "collections": {"birds": "loading"},
            "rerankers": {},
            "generators": {"extractive": "loading"},
            "backgrounds": {},
            "rewriters": {},
        }
        assert response.json() == waiting
        assert client.get("/livez").status_code == 200
        details = problem(client.post(f"{BIRDS}/search", json={"query": "x"}), 503, "not_ready")
        assert "loading" in details.detail
        loaded.set()
        wait_until_ready(client)
        assert client.post(f"{BIRDS}/search", json={"query": "x"}).status_code == 200


# Other processes: they only change files.


def make(path, config, *ids):
    with Collection.create(path, CollectionConfig.model_validate(config)) as opened:
        opened.add([{"id": name, "text": f"The {name} cannot fly."} for name in ids])


def names(client):
    return [c["name"] for c in client.get("/v1/collections").json()["collections"]]


def test_the_list_follows_other_processes(serve, tmp_path, fake_config):
    client = serve()
    (tmp_path / "interrupted").mkdir()
    (tmp_path / "interrupted" / "collection.db").touch()
    make(tmp_path / "birds", fake_config, "kiwi")
    assert names(client) == ["birds"]
    assert 'value="birds"' in client.get("/").text
    shutil.rmtree(tmp_path / "birds")
    assert names(client) == []
    assert 'value="birds"' not in client.get("/").text


def test_delete_and_put_see_collections_of_other_processes(serve, tmp_path, problem, fake_config):
    client = serve()
    make(tmp_path / "birds", fake_config, "kiwi")
    assert client.put(BIRDS, json=fake_config).status_code == 200
    make(tmp_path / "fish", fake_config, "eel")
    lexical = {"legs": {"lexical": {"kind": "lexical"}}}
    problem(client.put("/v1/collections/fish", json=lexical), 409, "conflict")
    make(tmp_path / "trees", fake_config, "oak")
    assert client.delete("/v1/collections/trees").status_code == 204
    assert not (tmp_path / "trees").exists()
    assert names(client) == ["birds", "fish"]


@pytest.mark.parametrize("during", [False, True], ids=["before", "during"])
def test_a_removed_collection_is_not_found(
    client, tmp_path, problem, monkeypatch, during, fake_config
):
    client.get(BIRDS)
    if during:  # The change happens during the request.
        from twindex.api.serving.served import Served

        replaced, looks = Served.replaced, iter([False])
        monkeypatch.setattr(Served, "replaced", lambda served: next(looks, replaced(served)))
    shutil.rmtree(tmp_path / "birds")
    problem(client.put(f"{BIRDS}/documents/emu", json={"text": "lost"}), 404, "not_found")
    problem(client.delete(BIRDS), 404, "not_found")
    assert client.put(BIRDS, json=fake_config).status_code == 201


@pytest.mark.parametrize("during", [False, True], ids=["before", "during"])
def test_a_replaced_collection_is_reopened(client, tmp_path, monkeypatch, during, fake_config):
    if during:
        from twindex.api.serving.served import Served

        replaced, looks = Served.replaced, iter([False])
        monkeypatch.setattr(Served, "replaced", lambda served: next(looks, replaced(served)))
    shutil.rmtree(tmp_path / "birds")
    make(tmp_path / "birds", fake_config, "ostrich")
    assert client.put(f"{BIRDS}/documents/rhea", json={"text": "kept"}).status_code == 201
    page = client.get(f"{BIRDS}/documents").json()
    assert [document["id"] for document in page["documents"]] == ["ostrich", "rhea"]
    with Collection.open(tmp_path / "birds", read_only=True) as opened:
        assert opened.get("rhea").text == "kept"


def test_a_failed_deletion_leaves_the_collection(client, monkeypatch):
    from pathlib import Path

    def fail(self, target):
        raise PermissionError(13, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        assert client.delete(BIRDS).status_code == 500
    assert client.get(BIRDS).json()["documents"] == 3
