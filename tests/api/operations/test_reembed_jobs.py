"""Re-embedding over HTTP and on the command line."""

from __future__ import annotations

import json
import threading
import time

import pytest

from twindex.api.http.shapes.schemas import JobReply
from twindex.index.arrays.exchange import exchange
from twindex.search.writing import reembed

BIRDS = "/v1/collections/birds"
SPARSER = {"legs": {"dense": None}}


def legs(client):
    return set(client.get(BIRDS).json()["config"]["legs"])


def test_a_collection_is_encoded_again_confirmed_and_rolled_back(client, wait_for_job, tmp_path):
    before = legs(client)
    queued = client.post(f"{BIRDS}/reembed", json=SPARSER)
    assert queued.status_code == 202, queued.text
    job = JobReply.model_validate(wait_for_job(client, queued.json()["id"]))
    assert (job.kind, job.state, job.result["documents"]) == ("reembed", "done", 3)
    assert legs(client) == before - {"dense"}
    found = client.post(f"{BIRDS}/search", json={"query": "kiwi"}).json()
    assert found["hits"][0]["id"] == "kiwi"
    assert client.post(f"{BIRDS}/reembed/roll-back").json() == {"changed": True}
    assert legs(client) == before
    assert client.post(f"{BIRDS}/reembed/confirm").json() == {"changed": False}
    again = client.post(f"{BIRDS}/reembed", json=SPARSER)
    wait_for_job(client, again.json()["id"])
    assert client.post(f"{BIRDS}/reembed/confirm").json() == {"changed": True}
    assert not (tmp_path / ".reembed-birds").exists()
    assert legs(client) == before - {"dense"}


def test_bulk_jobs_and_searches_continue_meanwhile(serve, fake_config, wait_for_job):
    client = serve(job_documents=10)
    client.put(BIRDS, json=fake_config)
    headers = {"content-type": "application/x-ndjson"}

    def lines(start):
        documents = ({"id": f"d{i}", "text": f"bird {i}"} for i in range(start, start + 400))
        return "\n".join(map(json.dumps, documents))

    path = f"{BIRDS}/documents/bulk"
    first = client.post(path, content=lines(0), headers=headers).json()["id"]
    wait_for_job(client, first)
    stop, failures = threading.Event(), []

    def search():
        while not stop.is_set():
            found = client.post(f"{BIRDS}/search", json={"query": "bird"})
            if found.status_code != 200:
                failures.append(found.text)

    thread = threading.Thread(target=search)
    thread.start()
    reembedding = client.post(f"{BIRDS}/reembed", json=SPARSER).json()["id"]
    writing = [client.post(path, content=lines(n), headers=headers) for n in (400, 800)]
    jobs = [wait_for_job(client, one.json()["id"]) for one in writing]
    assert [job["state"] for job in jobs] == ["done", "done"]
    assert wait_for_job(client, reembedding)["state"] == "done"
    stop.set()
    thread.join()
    assert failures == []
    assert client.get(f"{BIRDS}/documents").json()["total"] == 1_200
    assert "dense" not in legs(client)


def test_lines_that_arrive_during_an_exchange_are_written(
    client, wait_for_job, tmp_path, monkeypatch
):
    """Jobs are handed over, then the file of the lines is created, then folders are exchanged."""
    exchanging = threading.Event()

    def late(one, two):
        exchanging.set()
        while not list((tmp_path / "birds" / "jobs").glob("*.ndjson")):
            time.sleep(0.01)
        exchange(one, two)

    monkeypatch.setattr(reembed, "exchange", late)
    reembedding = client.post(f"{BIRDS}/reembed", json=SPARSER).json()["id"]
    assert exchanging.wait(30)
    lines = '{"id": "d1", "text": "a late bird"}\n{"id": "d2", "text": "a later bird"}\n'
    headers = {"content-type": "application/x-ndjson"}
    path = f"{BIRDS}/documents/bulk?async=true"
    queued = client.post(path, content=lines, headers=headers)
    assert queued.status_code == 202, queued.text
    job = wait_for_job(client, queued.json()["id"])
    assert (job["state"], job["error"], job["progress"]["done"]) == ("done", None, 2)
    assert wait_for_job(client, reembedding)["state"] == "done"
    assert client.get(f"{BIRDS}/documents/d2").json()["text"] == "a later bird"


def test_a_job_is_found_at_every_moment_of_an_exchange(client):
    dense = client.get(BIRDS).json()["config"]["legs"]["dense"]
    stop, latest, wrong = threading.Event(), [], []

    def poll():
        while not stop.is_set():
            for job in latest[-1:]:
                for path in (f"/v1/jobs/{job}", "/v1/jobs"):
                    reply = client.get(path)
                    if reply.status_code != 200 or job not in reply.text:
                        wrong.append(reply.text)
            client.post(f"{BIRDS}/search", json={"query": "bird"})

    threads = [threading.Thread(target=poll) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(8):
        legs = {"dense": dense if number % 2 else None}
        latest.append(client.post(f"{BIRDS}/reembed", json={"legs": legs}).json()["id"])
        while (reply := client.get(f"/v1/jobs/{latest[-1]}")).json().get("state") != "done":
            assert reply.status_code == 200, reply.text
            assert reply.json()["state"] != "failed", reply.text
        assert client.post(f"{BIRDS}/reembed/confirm").json() == {"changed": True}
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_invalid_requests_are_refused_before_a_job_starts(client, problem):
    wrong = ({}, {"dense": {"kind": "nothing"}}, {"a b": None})
    for body in ({}, *({"legs": legs} for legs in wrong)):
        assert client.post(f"{BIRDS}/reembed", json=body).status_code == 422
    everything = {"legs": dict.fromkeys(("dense", "sparse", "lexical"))}
    assert client.post(f"{BIRDS}/reembed", json=everything).status_code == 422
    model = {"kind": "dense", "encoder": {"kind": "dense", "model": "/etc/passwd"}}
    problem(client.post(f"{BIRDS}/reembed", json={"legs": {"dense": model}}), 422, "config")
    assert client.get("/v1/jobs").json()["jobs"] == []


def test_a_deleted_collection_leaves_no_predecessor(client, wait_for_job, tmp_path):
    wait_for_job(client, client.post(f"{BIRDS}/reembed", json=SPARSER).json()["id"])
    assert (tmp_path / ".reembed-birds").exists()
    assert client.delete(BIRDS).status_code == 204
    assert not (tmp_path / ".reembed-birds").exists()


@pytest.fixture
def index(tmp_path, run):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"_id": "kiwi", "text": "The kiwi cannot fly."}\n')
    built = run("build", str(tmp_path / "c"), "--documents", str(corpus), "--dense", "fake",
                "--sparse", "none", "--quiet")  # fmt: skip
    assert built.status == 0
    return str(tmp_path / "c")


def test_command_line_reembeds_confirms_and_rolls_back(index, tmp_path, run):
    config = tmp_path / "new.toml"
    config.write_text('[legs.lexical]\nkind = "lexical"\n')
    made = run("reembed", index, "--config", str(config), "--quiet")
    assert made.status == 0, made.err
    assert "1 document was encoded again" in made.out
    assert "brought back" in run("reembed", index, "--roll-back").out
    assert run("reembed", index, "--config", str(config), "--quiet", "--json").json["changed"]
    assert "removed" in run("reembed", index, "--confirm").out
    for option in ("--confirm", "--roll-back"):
        refused = run("reembed", index, option, "--config", str(config))
        assert (refused.status, f"error: {option}: accepts no" in refused.err) == (2, True)
    assert "nothing was replaced" in run("reembed", index, "--confirm").out
    same = run("reembed", index, "--config", str(config), "--quiet")
    assert "has this configuration already" in same.out
    wrong = run("reembed", index, "--model", "dense=other")
    assert wrong.status == 2
    assert "--model: must be LEG=NAME" in wrong.err
    assert run("reembed", index).status == 2
