"""Snapshots and restorations over HTTP."""

from __future__ import annotations

import json

import pytest

from twindex.api.http.shapes.schemas import JobList, JobReply
from twindex.api.http.shapes.upkeep import SnapshotList
from twindex.core import ConflictError, NotFoundError
from twindex.index import LocalStore

BIRDS = "/v1/collections/birds"


@pytest.fixture
def client(serve, fake_config, tmp_path):
    """A server with a place for snapshots, and the collection `birds`."""
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", snapshots=str(tmp_path / "backups"), snapshots_keep=2)
    assert client.put(BIRDS, json=fake_config).status_code == 201
    for name in ("kiwi", "emu"):
        body = {"id": name, "text": f"The {name} cannot fly."}
        assert client.put(f"{BIRDS}/documents/{name}", json=body).status_code == 201
    return client


@pytest.fixture
def take(client, wait_for_job):
    def run(path=f"{BIRDS}/snapshots"):
        queued = client.post(path)
        assert queued.status_code == 202, queued.text
        job = JobReply.model_validate(wait_for_job(client, queued.json()["id"]))
        assert job.state == "done", job.error
        return job

    return run


def names(client):
    listed = SnapshotList.model_validate(client.get(f"{BIRDS}/snapshots").json())
    return [one.name for one in listed.snapshots]


def test_a_snapshot_is_a_job_and_is_listed(client, take):
    job = take()
    assert (job.kind, job.collection, job.progress.unit) == ("snapshot", "birds", "bytes")
    assert job.progress.done == job.progress.total > 0
    (listed,) = SnapshotList.model_validate(client.get(f"{BIRDS}/snapshots").json()).snapshots
    assert (listed.name, listed.documents) == (job.result["name"], 2)
    assert listed.generation == client.get(BIRDS).json()["generation"]


def test_the_newest_snapshots_are_kept(client, take):
    made = [take().result["name"] for _ in range(3)]
    assert names(client) == made[1:]


def test_a_snapshot_is_restored_as_a_new_collection(client, take, wait_for_job, tmp_path):
    take()
    client.put(f"{BIRDS}/documents/late", json={"id": "late", "text": "Late bird."})
    queued = client.post("/v1/collections/old/restore", json={"collection": "birds"})
    assert queued.status_code == 202, queued.text
    assert queued.json()["collection"] == "old"
    job = JobReply.model_validate(wait_for_job(client, queued.json()["id"]))
    assert (job.kind, job.state, job.error) == ("restore", "done", None)
    assert client.get("/v1/collections/old/documents").json()["total"] == 2
    found = client.post("/v1/collections/old/search", json={"query": "kiwi"}).json()
    assert found["hits"][0]["id"] == "kiwi"
    listed = JobList.model_validate(client.get("/v1/jobs").json()).jobs
    assert {(one.kind, one.collection) for one in listed} == {
        ("restore", "old"),
        ("snapshot", "birds"),
    }
    assert LocalStore.verify(tmp_path / "data" / "old") == []


def test_a_deleted_collection_is_restored_under_its_name(client, take, wait_for_job):
    name = take().result["name"]
    assert client.delete(BIRDS).status_code == 204
    assert names(client) == [name]
    headers = {"idempotency-key": "once"}
    queued = client.post(f"{BIRDS}/restore", json={"snapshot": name}, headers=headers)
    assert queued.status_code == 202, queued.text
    assert wait_for_job(client, queued.json()["id"])["state"] == "done"
    assert client.get(f"{BIRDS}/documents/emu").status_code == 200
    # The repeated request gets the stored reply, although the collection exists now.
    client.delete(BIRDS)
    again = client.post(f"{BIRDS}/restore", json={"snapshot": name}, headers=headers)
    assert again.json()["id"] == queued.json()["id"]


def test_what_cannot_be_restored_is_refused_before_a_job_starts(client, take, problem):
    problem(client.post("/v1/collections/new/restore"), 404, "not_found")
    take()
    found = problem(client.post(f"{BIRDS}/restore"), 409, "conflict")
    assert "collection 'birds' exists" in found.detail
    body = {"collection": "birds", "snapshot": "../../etc"}
    problem(client.post("/v1/collections/new/restore", json=body), 404, "not_found")
    for name in ("..", "../backups", "a/b", ""):
        reply = client.post("/v1/collections/new/restore", json={"collection": name})
        assert reply.status_code in (404, 422)
    assert client.get("/v1/collections/%2e%2e/snapshots").status_code in (404, 409)
    assert client.get("/v1/jobs").json()["jobs"][0]["kind"] == "snapshot"


def test_without_a_configured_place_there_are_no_snapshots(serve, fake_config, tmp_path, problem):
    client = serve()
    client.put(BIRDS, json=fake_config)
    for found in (client.post(f"{BIRDS}/snapshots"), client.get(f"{BIRDS}/snapshots")):
        assert "can set `snapshots`" in problem(found, 409, "conflict").detail


def test_a_failed_snapshot_fails_and_delays_no_other_job(client, tmp_path, wait_for_job):
    (tmp_path / "backups").write_text("not a folder")
    queued = client.post(f"{BIRDS}/snapshots")
    job = wait_for_job(client, queued.json()["id"])
    assert job["state"] == "failed"
    assert "snapshots cannot be" in job["error"]
    merged = client.post(f"{BIRDS}/merge").json()
    assert wait_for_job(client, merged["id"])["state"] == "done"


def test_bulk_jobs_run_while_a_snapshot_is_taken(serve, fake_config, tmp_path, wait_for_job):
    (tmp_path / "data").mkdir()
    client = serve(
        tmp_path / "data",
        snapshots=str(tmp_path / "backups"),
        snapshot_rate=30_000,
        job_documents=1,
    )
    client.put(BIRDS, json=fake_config)
    client.put(f"{BIRDS}/documents/a", json={"id": "a", "text": "a"})
    copying = client.post(f"{BIRDS}/snapshots").json()["id"]
    lines = "".join(json.dumps({"id": str(i), "text": "t"}) + "\n" for i in range(5))
    headers = {"content-type": "application/x-ndjson"}
    bulk = client.post(f"{BIRDS}/documents/bulk", content=lines, headers=headers)
    assert wait_for_job(client, bulk.json()["id"])["state"] == "done"
    assert client.get(f"/v1/jobs/{copying}").json()["state"] in ("queued", "running")
    assert wait_for_job(client, copying)["state"] == "done"


def test_a_snapshot_is_deleted_by_its_name(client, wait_for_job, problem, tmp_path):
    for _ in range(2):
        wait_for_job(client, client.post(f"{BIRDS}/snapshots").json()["id"])
    path = f"{BIRDS}/snapshots"
    first, second = (one["name"] for one in client.get(path).json()["snapshots"])
    assert client.delete(f"{path}/{first}").status_code == 204
    assert [one["name"] for one in client.get(path).json()["snapshots"]] == [second]
    problem(client.delete(f"{path}/{first}"), 404, "not_found")
    for name in ("%252e%252e", "..%2fdata", second[:-1]):
        assert client.delete(f"{path}/{name}").status_code in (404, 405)
    client.delete(BIRDS)
    assert client.delete(f"{path}/{second}").status_code == 204, "without the collection too"


def test_the_client_takes_lists_and_restores_snapshots_and_sets_aliases(client, serving):
    from twindex.client import Client

    with serving(client.app) as address, Client(address) as remote:
        made = remote.snapshot("birds")
        assert [one["name"] for one in remote.snapshots("birds")] == [made["name"]]
        remote.restore("copy", collection="birds")
        other = remote.snapshot("birds")
        remote.delete_snapshot("birds", other["name"])
        assert [one["name"] for one in remote.snapshots("birds")] == [made["name"]]
        remote.set_alias("live", "copy")
        assert remote.aliases() == {"live": "copy"}
        assert remote.open("live").count() == 2
        moved = remote.change_aliases(
            [
                {"action": "set", "alias": "live", "collection": "birds"},
                {"action": "set", "alias": "next", "collection": "copy"},
            ]
        )
        assert moved == {"live": "birds", "next": "copy"}
        remote.delete_alias("next")
        with pytest.raises(NotFoundError):
            remote.delete_alias("next")
        with pytest.raises(ConflictError, match="has the alias"):
            remote.drop("birds")
