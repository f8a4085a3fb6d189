"""Vector storage and search parameters over HTTP."""

from __future__ import annotations

import pytest

from twindex.api.http.shapes.schemas import CollectionInfo, JobReply

BIRDS = "/v1/collections/birds"
GRAPH = {"index": {"kind": "hnsw", "flat_below": 1}}


def with_dense(config, **storage):
    config["legs"]["dense"].update(storage)
    return config


def reconfigure(client, legs, **headers):
    return client.post(f"{BIRDS}/reconfigure", json={"legs": legs}, headers=headers)


def search(client, **fields):
    return client.post(f"{BIRDS}/search", json={"query": "birds that cannot fly", **fields})


@pytest.mark.parametrize(
    ("storage", "field", "words"),
    [
        ({"index": {"kind": "tree"}}, "legs.dense.index", "tree"),
        (
            {"index": {"kind": "ivf", "probes": 3}},
            "legs.dense.index.probes",
            "did you mean `nprobe`",
        ),
        (
            {"index": {"kind": "ivf", "nprobe": 3, "recall": 0.9}},
            "legs.dense.index",
            "`recall` conflicts with `nprobe`",
        ),
        (
            {"index": {"kind": "hnsw"}, "codec": {"kind": "pq"}},
            "legs.dense",
            "does not support codec",
        ),
        ({"projection": {"kind": "pca"}}, "legs.dense.projection", "exactly one of"),
        ({"originals": "float8"}, "legs.dense.originals", "float16"),
    ],
)
def test_invalid_storage_names_the_field(client, fake_config, problem, storage, field, words):
    for response in (
        client.put("/v1/collections/new", json=with_dense(fake_config, **storage)),
        reconfigure(client, {"dense": storage}),
    ):
        details = problem(response, 422, "invalid")
        assert details.errors[0].field == field
        assert words in details.errors[0].message
    assert client.get("/v1/collections/new").status_code == 404


def test_a_collection_is_created_with_its_storage(serve, fake_config):
    client = serve()
    config = with_dense(fake_config, originals="float16", projection={"kind": "pca", "share": 0.5})
    assert client.put(BIRDS, json=config).status_code == 201
    info = client.get(BIRDS).json()
    CollectionInfo.model_validate(info)
    vectors = info["legs"]["dense"]["vectors"]
    assert vectors == {
        "index": "flat",
        "codec": "float32",
        "projection": {"kind": "pca", "dimensions": None, "share": 0.5},
        "originals": "float16",
        "recall": 0.98,
        "bytes_per_vector": None,
        "memory": 0,
    }
    assert "vectors" not in info["legs"]["sparse"]
    assert client.put(BIRDS, json=config).status_code == 200
    assert client.put(BIRDS, json=with_dense(config, originals="auto")).status_code == 409


def test_reconfiguring_is_a_job(client, wait_for_job, serve, tmp_path):
    before = search(client).json()["hits"]
    assert client.post(f"{BIRDS}/merge").status_code == 202
    legs = {"dense": {"originals": "float16"}}
    response = reconfigure(client, legs, **{"idempotency-key": "once"})
    assert response.status_code == 202
    job = JobReply.model_validate(wait_for_job(client, response.json()["id"]))
    assert (job.kind, job.state, job.error) == ("reconfigure", "done", None)
    assert job.result["changed"]
    assert job.result["legs"]["dense"]["originals"] == "float16"
    assert job.result["warnings"] == []
    info = client.get(BIRDS).json()
    assert info["config"]["legs"]["dense"]["originals"] == "float16"
    [segment] = info["segments"]
    assert segment["vectors"]["dense"]["originals"] == "float16"
    assert info["legs"]["dense"]["vectors"]["bytes_per_vector"] > 0
    after = search(client).json()["hits"]
    assert [hit["id"] for hit in after] == [hit["id"] for hit in before]
    again = reconfigure(client, legs, **{"idempotency-key": "once"})
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["id"] == job.id
    second = wait_for_job(client, reconfigure(client, legs).json()["id"])
    assert second["result"]["changed"] is False


def test_a_queued_reconfiguration_continues_after_a_restart(
    client, serve, wait_for_job, monkeypatch
):
    runner = client.app.state.service.runner
    monkeypatch.setattr(runner, "submit", lambda *_: None)
    queued = reconfigure(client, {"dense": {"originals": "float16"}}).json()
    assert queued["state"] == "queued"
    another = serve()  # As after a crash: the first server never ran the job.
    assert wait_for_job(another, queued["id"])["state"] == "done"
    for served in (another, client):
        config = served.get(BIRDS).json()["config"]
        assert config["legs"]["dense"]["originals"] == "float16"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "legs"),
        ({"legs": {}}, "legs"),
        ({"legs": {"nope": {}}}, "legs.nope"),
        ({"legs": {"lexical": {}}}, "legs.lexical"),
        ({"legs": {"dense": {"encoder": {}}}}, "legs.dense.encoder"),
    ],
)
def test_an_invalid_reconfiguration_is_rejected_without_a_job(client, problem, body, field):
    details = problem(client.post(f"{BIRDS}/reconfigure", json=body), 422, "invalid")
    assert details.errors[0].field == field
    assert client.get("/v1/jobs").json()["jobs"] == []
    problem(client.post("/v1/collections/no/reconfigure", json=body), *(
        (422, "invalid") if field in ("legs", "legs.dense.encoder") else (404, "not_found")
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"search": {"recall": 2}}, "search.recall", "above 0 and at most 1, got 2"),
        ({"search": {"recal": 0.9}}, "search.recal", "did you mean `recall`"),
        ({"search": {"recall": 0.9, "nprobe": 3}}, "search", "give one"),
        ({"search": {"nprobe": 3}}, "search.nprobe", "index: flat) does not support `nprobe`"),
        (
            {"legs": [{"name": "lexical"}, {"name": "dense", "search": {"ef": 3}}]},
            "legs[1].search.ef",
            "this index compares every vector",
        ),
        (
            {"legs": [{"name": "lexical", "search": {"recall": 0.9}}]},
            "legs[0].search",
            "only a dense leg accepts `search`",
        ),
        (
            {"legs": [{"name": "lexical"}, {"name": "sparse"}], "search": {"recall": 0.9}},
            "search",
            "requires a dense leg",
        ),
    ],
)
def test_invalid_search_parameters_name_the_field(client, problem, fields, field, words):
    details = problem(search(client, **fields), 422, "invalid")
    assert details.errors[0].field == field
    assert words in details.errors[0].message
    batch = {"requests": [{"query": "x"}, {"query": "x", **fields}]}
    response = client.post(f"{BIRDS}/search/batch", json=batch)
    assert problem(response, 422, "invalid").errors[0].field == f"requests[1].{field}"


def test_an_exact_index_has_recall_1_for_every_target(client):
    plain = search(client).json()["hits"]
    for fields in (
        {"search": {"recall": 0.5}},
        {"search": {}},
        {"legs": [{"name": n} for n in ("dense", "sparse", "lexical")], "search": {"recall": 1}},
    ):
        assert search(client, **fields).json()["hits"] == plain


def test_parameters_reach_the_index(client, wait_for_job):
    many = "".join(f'{{"id": "d{n}", "text": "bird number{n} of {n % 7}"}}\n' for n in range(900))
    headers = {"content-type": "application/x-ndjson"}
    client.post(f"{BIRDS}/documents/bulk", content=many, headers=headers)
    wait_for_job(client, client.post(f"{BIRDS}/merge").json()["id"])
    exact = search(client, legs=[{"name": "dense"}], depth=10).json()["hits"]
    job = wait_for_job(client, reconfigure(client, {"dense": GRAPH}).json()["id"])
    assert job["state"] == "done", job["error"]
    [segment] = client.get(BIRDS).json()["segments"]
    assert segment["vectors"]["dense"]["index"] == "hnsw"
    legs = [{"name": "dense", "search": {"ef": 5}}]
    assert len(search(client, legs=legs, depth=10).json()["hits"]) == 10
    found = search(client, legs=[{"name": "dense"}], depth=10, search={"recall": 1}).json()["hits"]
    assert [hit["id"] for hit in found] == [hit["id"] for hit in exact]
    # The parameters of a leg override those of the search.
    legs = [{"name": "dense", "search": {"recall": 1}}]
    found = search(client, legs=legs, depth=10, search={"ef": 1}).json()["hits"]
    assert [hit["id"] for hit in found] == [hit["id"] for hit in exact]


def test_the_schema_has_recall_and_parameters(client):
    schema = client.get("/openapi.json").json()
    schemas = schema["components"]["schemas"]
    assert "search" in schemas["LegRequest"]["properties"]
    assert set(schemas["VectorSearch"]["properties"]) == {"recall", "nprobe", "ef", "oversample"}
    assert {"SpannConfig", "RabitqCodec", "ProjectionConfig"} <= set(schemas)
    body = schema["paths"]["/v1/collections/{collection}/reconfigure"]["post"]["requestBody"]
    reference = body["content"]["application/json"]["schema"]["$ref"]
    assert reference.endswith("/ReconfigureRequest")
