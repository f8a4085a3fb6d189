"""A server whose clock is moved back or forward: keys, jobs, snapshots and limits still work."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from twindex.api.serving.access.access import Limits
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key

from .conftest import CONFIG, Watched
from .requests import BIRDS, NDJSON, finished, texts

DAY = 86_400
WRONG = (-400 * DAY, -DAY, 10 * DAY)


@pytest.fixture
def root(watched: Watched) -> Path:
    """A new folder for a server and its snapshots."""
    path = watched.folder / f"clock{watched.number()}"
    (path / "data").mkdir(parents=True)
    return path


@pytest.mark.parametrize("seconds", [pytest.param(s, marks=pytest.mark.slow) for s in WRONG])
def test_jobs_keep_their_order_and_snapshots_their_age(watched, root, seconds):
    move = watched.control.move_clock
    with watched.start(root) as client:
        assert client.put(BIRDS, json=CONFIG).status_code == 201
        path, job = f"{BIRDS}/documents/bulk", {"async": "true"}
        finished(client, client.post(path, content='{"id": "a", "text": "1"}', headers=NDJSON,
                                     params=job))  # fmt: skip
        first = finished(client, client.post(f"{BIRDS}/snapshots"))["result"]["name"]
        headers = {**NDJSON, "idempotency-key": "k"}
        reply = client.post(path, content='{"id": "k", "text": "k"}', headers=headers)
        before = client.get("/v1/jobs").json()["jobs"]
        move(seconds)
        repeated = client.post(path, content='{"id": "k", "text": "k"}', headers=headers)
        assert repeated.json()["items"] == reply.json()["items"]
        for number in range(2, 5):
            line = f'{{"id": "a", "text": "{number}"}}'
            finished(client, client.post(path, content=line, headers=NDJSON, params=job))
        assert texts(client)["a"] == "4"
        second = finished(client, client.post(f"{BIRDS}/snapshots"))["result"]["name"]
        assert [one["name"] for one in client.get(f"{BIRDS}/snapshots").json()["snapshots"]] == [
            first,
            second,
        ]
        third = finished(client, client.post(f"{BIRDS}/snapshots"))["result"]["name"]
        kept = client.get(f"{BIRDS}/snapshots").json()["snapshots"]
        assert [one["name"] for one in kept] == [second, third]
        listed = {one["id"] for one in client.get("/v1/jobs").json()["jobs"]}
        # A week after its end, a job is forgotten.
        assert ({one["id"] for one in before} <= listed) == (seconds < 7 * DAY)
        assert client.post(f"{BIRDS}/search", json={"query": "4"}).json()["hits"][0]["id"] == "a"
    assert watched.parent.end(signal.SIGTERM) in (0, -signal.SIGTERM)


@pytest.mark.slow
def test_interrupted_jobs_continue_in_their_order_after_the_clock_was_moved_back(watched, root):
    """A document is written by two jobs. The later job wins, whatever their times are."""
    move = watched.control.move_clock
    with watched.start(root) as client:
        assert client.put(BIRDS, json=CONFIG).status_code == 201
        path, query = f"{BIRDS}/documents/bulk", {"async": "true"}
        many = "\n".join(f'{{"id": "a{n}", "text": "{"word " * 40}"}}' for n in range(3_000))
        assert client.post(path, content=many, headers=NDJSON, params=query).status_code == 202
        for number, moved in enumerate((0, -DAY, -2 * DAY)):
            move(moved)
            line = f'{{"id": "last", "text": "{number}"}}'
            queued = client.post(path, content=line, headers=NDJSON, params=query)
            assert queued.status_code == 202
        assert client.get(f"/v1/jobs/{queued.json()['id']}").json()["state"] == "queued"
    watched.parent.end()
    with watched.start(root) as client:
        finished(client, queued)
        assert client.get(f"{BIRDS}/documents/last").json()["text"] == "2"
    watched.parent.end()


@pytest.mark.slow
def test_keys_expire_by_the_clock_and_limits_do_not_depend_on_it(watched, root):
    move = watched.control.move_clock
    file = KeyFile(root / "data" / FILE_NAME)
    lasting = new_key("lasting", scopes=("read",), limits=Limits(requests=5))
    short = new_key("short", scopes=("read",), expires=time.time() + DAY)
    for made in (lasting, short):
        file.add(made.key)
    with watched.start(root) as client:

        def status(made) -> int:
            return client.get("/v1/collections", headers={"api-key": made.secret}).status_code

        assert status(short) == 200
        move(2 * DAY)
        assert status(short) == 401
        move(-400 * DAY)
        assert status(short) == 200
        found = [status(lasting) for _ in range(8)]
        assert found == [200] * 5 + [429] * 3
        for seconds in WRONG:  # The limit neither ends nor lasts longer.
            move(seconds)
            reply = client.get("/v1/collections", headers={"api-key": lasting.secret})
            assert reply.status_code == 429
            assert 0 < int(reply.headers["retry-after"]) <= 60
    watched.parent.end()
