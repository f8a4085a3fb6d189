"""Limits of keys: requests in a minute, requests at the same time, time of models."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.api.serving.access.access import Access, Limits
from twindex.api.serving.access.buckets import TokenBucket
from twindex.api.serving.access.quotas import MINUTE, Quotas
from twindex.api.serving.problems import Problem


class Reference:
    """A token bucket in fractions, literally."""

    def __init__(self, most: int, window: int) -> None:
        self.most, self.rate = Fraction(most), Fraction(most, window)
        self.content, self.at = Fraction(most), 0

    def at_time(self, now: int) -> None:
        if now > self.at:
            self.content = min(self.most, self.content + (now - self.at) * self.rate)
            self.at = now

    def take(self, now: int, tokens: int) -> bool:
        self.at_time(now)
        if self.content < tokens:
            return False
        self.content -= tokens
        return True

    def spend(self, now: int, tokens: int) -> None:
        self.at_time(now)
        self.content -= tokens


steps = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from(["take", "spend"]), st.integers(0, 4)),
    max_size=40,
)


@given(st.integers(1, 9), st.integers(1, 97), steps)
def test_a_bucket_is_exact(most, window, steps):
    bucket, reference, now = TokenBucket(most, window), Reference(most, window), 0
    for pause, kind, tokens in steps:
        now += pause
        if kind == "take":
            assert bucket.take(now, tokens) == reference.take(now, tokens)
        else:
            bucket.spend(now, tokens)
            reference.spend(now, tokens)
        assert bucket.left(now) == reference.content // 1
        wait = bucket.wait(now, 1)
        assert reference.content + wait * reference.rate >= min(1, reference.most)
        if wait:
            assert reference.content + (wait - 1) * reference.rate < 1


@given(st.integers(1, 50), st.lists(st.integers(0, 2 * MINUTE), max_size=200))
def test_no_window_admits_more_than_twice_the_limit(most, times):
    bucket = TokenBucket(most, MINUTE)
    taken = [at for at in sorted(times) if bucket.take(at)]
    for at in taken:
        inside = sum(at <= one < at + MINUTE for one in taken)
        assert inside <= 2 * most


def quotas(limits: Limits):
    now = [0]
    found = Quotas(lambda: now[0])
    return now, lambda key="a": found.enter(Access(key, limits=limits))


def refused(enter, key="a") -> Problem:
    with pytest.raises(Problem) as caught:
        enter(key)
    assert caught.value.status == 429
    return caught.value


def test_requests_in_a_minute_are_limited_for_each_key():
    now, enter = quotas(Limits(requests=3))
    tickets = [enter() for _ in range(3)]
    assert dict(tickets[-1].headers()) == {
        b"ratelimit-policy": b'"requests";q=3;w=60',
        b"ratelimit": b'"requests";r=0;t=60',
    }
    problem = refused(enter)
    assert problem.headers["Retry-After"] == "20"
    assert problem.headers["ratelimit"] == '"requests";r=0;t=60'
    enter("another key")
    now[0] += 20 * 10**9 - 1
    refused(enter)
    now[0] += 1
    enter()


def test_requests_at_the_same_time_are_limited():
    _, enter = quotas(Limits(concurrent=2))
    one, _ = enter(), enter()
    assert refused(enter).headers["Retry-After"] == "1"
    one.close()
    one.close()  # A second call has no effect.
    enter()
    refused(enter)


def test_model_time_is_limited_after_the_fact():
    now, enter = quotas(Limits(model_seconds=6.0))
    ticket = enter()
    ticket.spend(8.0)  # A request that runs is not interrupted.
    ticket.close()
    problem = refused(enter)
    assert problem.headers["Retry-After"] == "21"  # 2 seconds too much, and a millisecond.
    now[0] += 21 * 10**9
    enter()


def test_changed_limits_of_a_key_begin_anew():
    found = Quotas(lambda: 0)
    found.enter(Access("a", limits=Limits(requests=1)))
    found.enter(Access("a", limits=Limits(requests=2)))


def test_a_server_answers_429_with_the_usual_headers(tenants, keys, problem):
    from twindex.api.serving.access.access import Limits

    headers = keys("read", limits=Limits(requests=2))
    first = tenants.get("/v1/collections", headers=headers)
    assert first.headers["RateLimit-Policy"] == '"requests";q=2;w=60'
    assert first.headers["RateLimit"].startswith('"requests";r=1;t=')
    tenants.get("/v1/collections", headers=headers)
    reply = tenants.get("/v1/collections", headers=headers)
    problem(reply, 429, "too_many_requests")
    assert 1 <= int(reply.headers["Retry-After"]) <= 30
    assert reply.headers["RateLimit"].startswith('"requests";r=0;t=')
    assert tenants.get("/readyz", headers=headers).status_code == 200
    assert "RateLimit" not in tenants.get("/v1/collections", headers=tenants.admin).headers


def test_model_time_of_reranking_counts(serve, keys, fake_config, tmp_path):
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.slow]\nkind = "fake"\nmilliseconds = 20\n')
    admin = keys("read", "write", "admin")
    client = serve(rerankers=file)
    assert client.put("/v1/collections/a", json=fake_config, headers=admin).status_code == 201
    body = {"text": "The kiwi cannot fly."}
    assert client.put("/v1/collections/a/documents/1", json=body, headers=admin).status_code == 201
    requests = [
        ("/v1/collections/a/search", {"query": "kiwi", "rerank": {"model": "slow"}}),
        ("/v1/rerank", {"model": "slow", "query": "kiwi", "documents": ["a kiwi"]}),
    ]
    for path, body in requests:
        headers = keys("read", limits=Limits(model_seconds=0.001))
        first = client.post(path, json=body, headers=headers)
        assert first.status_code == 200, first.text
        assert first.headers["RateLimit"].startswith('"model-ms";r=0;t=')
        second = client.post(path, json=body, headers=headers)
        assert second.status_code == 429
        assert "language models may work 0.001 seconds a minute" in second.json()["detail"]
        assert int(second.headers["Retry-After"]) > 60
