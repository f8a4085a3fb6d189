"""Jobs over HTTP, and repeated requests."""

from __future__ import annotations

import json
import time

import pytest

from twindex.api.http.shapes.schemas import JobList, JobReply
from twindex.api.serving import bulk as bulk_module
from twindex.api.serving import jobs as runner_module
from twindex.core import NotFoundError
from twindex.index.store import jobs as jobs_module
from twindex.index.store.jobs import JobStore, Reply

DOCUMENTS = "/v1/collections/birds/documents"
BULK = DOCUMENTS + "/bulk"
MERGE = "/v1/collections/birds/merge"


def lines(count, text="t"):
    return "".join(f'{{"id": "d{n}", "text": "{text}"}}\n' for n in range(count)).encode()


def post(client, content, key=None, path=BULK):
    headers = {"content-type": "application/x-ndjson"}
    return client.post(
        path, content=content, headers=headers | ({"idempotency-key": key} if key else {})
    )


def test_a_large_body_becomes_a_job(serve, fake_config, tmp_path, wait_for_job):
    client = serve(job_documents=10)
    client.put("/v1/collections/birds", json=fake_config)
    assert post(client, lines(10)).status_code == 200
    content = lines(700, "again") + b'{"id": "bad"}\n\n{"id": "last", "text": "no newline"}'
    response = post(client, content)
    assert response.status_code == 202
    queued = JobReply.model_validate(response.json())
    assert response.headers["location"] == f"/v1/jobs/{queued.id}"
    assert (queued.kind, queued.state, queued.collection) == ("bulk", "queued", "birds")
    assert queued.progress.total == 703
    job = JobReply.model_validate(wait_for_job(client, queued.id))
    assert job.state == "done"
    assert job.progress.done == 703
    assert (job.result["documents"], job.result["replaced"], job.result["failed"]) == (701, 10, 1)
    assert job.result["errors"][0]["line"] == 701
    assert client.get(DOCUMENTS).json()["total"] == 701
    assert not list((tmp_path / "birds" / "jobs").glob("*.ndjson"))
    listed = JobList.model_validate(client.get("/v1/jobs").json()).jobs
    assert [j.id for j in listed] == [queued.id]
    assert 'twindex_jobs{collection="birds",state="done"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("limits", "path"), [({}, BULK + "?async=true"), ({"job_bytes": 50}, BULK)]
)
def test_many_lines_and_async_become_jobs(serve, fake_config, wait_for_job, limits, path):
    client = serve(**limits)
    client.put("/v1/collections/birds", json=fake_config)
    response = post(client, lines(3), path=path)
    assert response.status_code == 202
    assert wait_for_job(client, response.json()["id"])["state"] == "done"
    assert client.get(DOCUMENTS).json()["total"] == 3


def test_merge_releases_space(client, wait_for_job, problem):
    response = client.post(MERGE)
    assert response.status_code == 202
    job = JobReply.model_validate(wait_for_job(client, response.json()["id"]))
    assert (job.kind, job.state, job.result) == ("merge", "done", {"merged": True})
    assert len(client.get("/v1/collections/birds").json()["segments"]) == 1
    problem(client.post("/v1/collections/nope/merge"), 404, "not_found")


def test_a_failed_job_has_its_error(client, wait_for_job, monkeypatch):
    from twindex.core import CorruptFileError
    from twindex.core.errors import RESTORE

    opened = client.app.state.service._served["birds"].collection

    def fail(*, progress):
        raise CorruptFileError(opened.path / "segments" / "s", "is missing")

    monkeypatch.setattr(opened, "merge", fail)
    job = wait_for_job(client, client.post(MERGE).json()["id"])
    assert (job["state"], job["error"]) == (
        "failed",
        f"birds/segments/s: is missing; {RESTORE}",
    )


def test_an_unexpected_error_ends_the_job(client, wait_for_job, monkeypatch):
    opened = client.app.state.service._served["birds"].collection

    def fail(*, progress):
        raise ZeroDivisionError("internals")

    monkeypatch.setattr(opened, "merge", fail)
    job = wait_for_job(client, client.post(MERGE).json()["id"])
    assert job["state"] == "failed"
    assert "internals" not in job["error"]


def test_unknown_job(client, problem):
    problem(client.get("/v1/jobs/nope"), 404, "not_found")


def test_the_same_key_gets_the_stored_reply(client, problem):
    first = post(client, lines(2), "key-1")
    client.delete(f"{DOCUMENTS}/d0")
    second = post(client, lines(2), "key-1")
    assert second.content == first.content
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    problem(client.get(f"{DOCUMENTS}/d0"), 404, "not_found")  # The job did not write it again.
    problem(post(client, lines(3), "key-1"), 422, "idempotency_key_reused")
    assert post(client, lines(2), "key-2").status_code == 200
    assert client.get(f"{DOCUMENTS}/d0").status_code == 200


def test_the_same_key_starts_one_job(client, wait_for_job, tmp_path):
    first = client.post(MERGE, headers={"idempotency-key": "m"}).json()
    assert client.post(MERGE, headers={"idempotency-key": "m"}).json() == first
    path = BULK + "?async=true"
    replies = [post(client, lines(5), "b", path) for _ in range(3)]
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert len({reply.headers["location"] for reply in replies}) == 1
    wait_for_job(client, replies[0].json()["id"])
    assert len(client.get("/v1/jobs").json()["jobs"]) == 2
    assert not list((tmp_path / "birds" / "jobs").glob("*.ndjson"))


def test_a_failed_reply_is_not_stored(client, problem):
    headers = {"content-type": "text/plain", "idempotency-key": "k"}
    problem(client.post(BULK, content=lines(1), headers=headers), 415, "unsupported_media_type")
    assert post(client, lines(1), "k").status_code == 200
    problem(post(client, lines(1), "a b"), 422, "invalid")


def test_idempotency_keys_survive_a_restart(serve, fake_config):
    client = serve()
    client.put("/v1/collections/birds", json=fake_config)
    first = post(client, lines(2), "key")
    client.__exit__(None, None, None)
    assert post(serve(), lines(2), "key").content == first.content


def test_interrupted_jobs_are_continued(serve, fake_config, tmp_path, wait_for_job):
    client = serve()
    client.put("/v1/collections/birds", json=fake_config)
    client.__exit__(None, None, None)
    # The state after a crash behind the first batch.
    store = JobStore(tmp_path / "birds")
    total = 3 * bulk_module.BATCH
    store.create("cafe", "bulk", total=total, unit="lines")
    store.lines("cafe").write_bytes(lines(total))
    store.lines("stray").write_bytes(lines(3))
    store.save("cafe", "running", done=bulk_module.BATCH, result={"documents": bulk_module.BATCH})
    store.create("beef", "merge", total=None, unit="passages")
    store.close()
    client = serve()
    job = wait_for_job(client, "cafe")
    assert (job["state"], job["result"]["documents"]) == ("done", total)
    assert client.get(DOCUMENTS).json()["total"] == total - bulk_module.BATCH
    assert wait_for_job(client, "beef")["state"] == "done"
    assert not list((tmp_path / "birds" / "jobs").glob("*.ndjson"))


def test_a_stop_leaves_the_job_for_the_next_start(
    serve, fake_config, tmp_path, wait_for_job, monkeypatch
):
    client = serve()
    client.put("/v1/collections/birds", json=fake_config)
    opened = client.app.state.service._served["birds"].collection
    add = opened.add

    def slow(documents, **options):
        time.sleep(0.1)
        return add(documents, **options)

    monkeypatch.setattr(opened, "add", slow)
    total = 12 * bulk_module.BATCH
    content = lines(total)
    job_id = post(client, content).json()["id"]
    client.__exit__(None, None, None)
    store = JobStore(tmp_path / "birds")
    left = store.get(job_id)
    store.close()
    assert not left.finished
    assert left.done < total
    client = serve()
    assert wait_for_job(client, job_id)["result"]["documents"] == total
    assert client.get(DOCUMENTS).json()["total"] == total


def test_steps_of_a_job_are_bounded_by_time():
    assert runner_module._next_step(8, 0.001) == bulk_module.BATCH
    assert runner_module._next_step(8, 80.0) == 1
    assert runner_module._next_step(8, 8.0) == 10
    assert runner_module._next_step(1, 1e9) == 1


def test_a_slow_job_stores_its_progress(client, wait_for_job, monkeypatch):
    monkeypatch.setattr(runner_module, "_next_step", lambda lines, seconds: 2)
    steps = []
    save = JobStore.save

    def spy(self, job_id, state, **fields):
        steps.append(fields["done"])
        save(self, job_id, state, **fields)

    monkeypatch.setattr(JobStore, "save", spy)
    job = wait_for_job(client, post(client, lines(13), path=BULK + "?async=true").json()["id"])
    assert job["state"] == "done"
    assert steps == [0, 8, 10, 12, 13, 13]


def test_deleting_a_collection_ends_its_jobs(serve, fake_config, tmp_path, monkeypatch, problem):
    client = serve()
    client.put("/v1/collections/birds", json=fake_config)
    job_id = post(client, lines(20_000)).json()["id"]
    assert client.delete("/v1/collections/birds").status_code == 204
    problem(client.get(f"/v1/jobs/{job_id}"), 404, "not_found")
    assert list(tmp_path.iterdir()) == []
    client.put("/v1/collections/birds", json=fake_config)
    job = client.post(MERGE).json()
    assert job["state"] == "queued"


def test_finished_jobs_and_keys_expire(client, tmp_path, monkeypatch):
    store = client.app.state.service._served["birds"].jobs
    store.create("old", "merge", total=None, unit="passages")
    store.save("old", "done", done=0, result={})
    store.remember("k", Reply("d", 200, b"{}"))
    assert store.recall("k") == Reply("d", 200, b"{}")
    monkeypatch.setattr(jobs_module, "REPLIES_KEPT", -1.0)
    monkeypatch.setattr(jobs_module, "JOBS_KEPT", -1.0)
    assert store.recall("k") is None
    store.create("new", "merge", total=None, unit="passages")
    with pytest.raises(NotFoundError):
        store.get("old")
    assert json.dumps(dict(store.get("new").result)) == "{}"
