"""Requests by keys with forced filters never return anything of a document outside.

The ids, titles, texts, metadata and field names of each tenant contain its name, so a reply that
shows anything of another tenant's documents contains that name. Requests do not contain it, except
for ids and cursors, which the replies may repeat.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterable

import pytest

from twindex.api.serving.access.key_file import new_key
from twindex.client import sign_filter

from .asker import FORCED
from .conftest import documents
from .interfaces import WiderAsker


def send(client, request, headers):
    method, path, body, own = request
    content = None if body is None else body if isinstance(body, str) else json.dumps(body)
    return client.request(method, path, content=content, headers={**own, **headers})


def stored(client, tenant: str) -> list:
    path = f"/v1/collections/shop/documents?limit=1000&filter={json.dumps({'tenant': tenant})}"
    return client.get(path, headers=client.admin).json()["documents"]


def changes(request) -> bool:
    """Return True if a request changes documents."""
    method, path, *_ = request
    return method != "GET" and "/documents" in path


def wait_for_jobs(client) -> None:
    for _ in range(1_000):
        jobs = client.get("/v1/jobs", headers=client.admin).json()["jobs"]
        if all(job["state"] in ("done", "failed") for job in jobs):
            return
        time.sleep(0.01)
    raise AssertionError(jobs)


def narrowed(keys, forced):
    """Yield the headers of requests within a filter: that of a key, a signed one, and both."""
    yield keys("read", "write", filter=forced)
    for own in ({}, {"filter": {"tenant": {"exists": True}}}):
        created = new_key("test", scopes=("read", "write"), signed="required", **own)
        keys.file.add(created.key)
        signed = sign_filter(forced, key=created.secret, secret=created.signing, seconds=80_000)
        yield {"api-key": created.secret, "twindex-filter": signed}


def check(tenants, keys, rounds: Iterable[int], seed: int) -> Counter[str]:
    """Send random requests by random keys. Return kind of reply -> number of replies."""
    chance = random.Random(seed)
    holders = []
    for tenant, filters in FORCED.items():
        for forced in filters:
            headers = narrowed(keys, forced)
            holders += [(WiderAsker(chance, tenant, forced), each) for each in headers]
    counts: Counter[str] = Counter()
    for i in rounds:
        asker, headers = chance.choice(holders)
        kind = chance.choice(asker.kinds)
        request, before = getattr(asker, f"_{kind}")(), None
        if (request[:2] == ("GET", "/v1/collections")) or (
            changes(request) and (i < 1_000 or i % 10 == 0)
        ):
            wait_for_jobs(tenants)  # Jobs of the other tenant may change its documents.
            before = stored(tenants, asker.other)
        reply = send(tenants, request, headers)
        counts["sent"] += 1
        counts[f"sent {kind}"] += 1
        counts["ok"] += reply.status_code < 300
        counts["shows own"] += f"only{asker.tenant}" in reply.text
        assert reply.status_code < 500 or reply.status_code == 503, (request, reply.text)
        text = reply.text
        # A reply may repeat ids that the key has sent, in an error or as an id that was not found.
        asker.sent |= set(re.findall(rf"{asker.other}-\d\d", json.dumps(request[:3])))
        for name in asker.sent:
            text = text.replace(name, "")
        assert asker.other not in text, (asker.forced, request, reply.text)
        if reply.status_code == 202:
            asker.jobs.add(reply.json()["id"])
            asker.others.add(reply.json()["id"])
        if request[1].startswith("/v1/jobs/"):
            own = request[1].rpartition("/")[2] in asker.jobs
            assert (reply.status_code == 200) == own, request
        if "administration" in kind:
            assert reply.status_code == 403, (request, reply.text)
        if request[1] == "/v1/jobs":
            assert {job["id"] for job in reply.json()["jobs"]} <= asker.jobs
        if before is not None:
            wait_for_jobs(tenants)
            assert stored(tenants, asker.other) == before, request
        if request[0] == "GET" and request[1] == "/v1/collections":
            (one,) = [c for c in reply.json()["collections"] if c["name"] == "shop"]
            own = tenants.get(
                f"/v1/collections/shop/documents?limit=1&filter={json.dumps(asker.forced)}",
                headers=tenants.admin,
            )
            assert one["documents"] == own.json()["total"]
    return counts


@pytest.fixture
def two_tenants(serve, keys, fake_config, tmp_path):
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.fast]\nkind = "fake"\n')
    fake_config["passages"] = {"unit": "words", "size": 5, "overlap": 1, "threshold": 6}
    admin = keys("read", "write", "admin")
    client = serve(rerankers=file, snapshots=str(tmp_path / "backups"))
    client.admin = admin
    assert client.put("/v1/collections/shop", json=fake_config, headers=admin).status_code == 201
    lines = "\n".join(map(json.dumps, documents()))
    kind = {"content-type": "application/x-ndjson"}
    path = "/v1/collections/shop/documents/bulk"
    assert client.post(path, content=lines, headers={**admin, **kind}).status_code == 200
    action = {"action": "set", "alias": "live", "collection": "shop"}
    made = client.post("/v1/aliases", json={"actions": [action]}, headers=admin)
    assert made.status_code == 200
    WiderAsker.others = set()
    return client


def test_nothing_of_another_tenant_leaves(two_tenants, keys):
    counts = check(two_tenants, keys, range(300), seed=17)
    assert counts["ok"] > 110
    assert counts["shows own"] > 60


@pytest.mark.slow
@pytest.mark.trials(100_000)
@pytest.mark.timeout(10_000)
def test_nothing_of_another_tenant_leaves_in_100_000_requests(
    two_tenants, keys, trials, record_property
):
    counts = check(two_tenants, keys, trials, seed=1)
    record_property("requests", counts["sent"])
    record_property("accepted", counts["ok"])
    record_property("kinds", len(set(WiderAsker.kinds)))
    print(counts)
    assert all(counts[f"sent {kind}"] for kind in WiderAsker.kinds)
