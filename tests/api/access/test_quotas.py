"""Limits of keys: requests in a minute, requests at the same time, time of models."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.api.serving.access.access import Access, Budget, Limits
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


def family(**limits: Limits) -> dict[str, Access]:
    """Return keys of which each creates the next one. Names -> limits."""
    found: dict[str, Access] = {}
    budgets: tuple[Budget, ...] = ()
    for name, own in limits.items():
        found[name] = Access(name, limits=own, creators=budgets)
        budgets = found[name].budgets
    return found


def test_requests_of_a_created_key_count_in_the_limits_of_its_creators():
    keys = family(a=Limits(requests=5), b=Limits(requests=4), c=Limits(requests=3))
    found = Quotas(lambda: 0)
    left = []
    for name in "cccbaa":
        with suppress(Problem):
            left.append(found.enter(keys[name]).headers()[1][1])
    assert left == [
        b'"requests";r=%d;t=%d' % at for at in ((2, 20), (1, 40), (0, 60), (0, 60), (0, 60))
    ]
    for name in "abc":
        with pytest.raises(Problem, match="this key may send"):
            found.enter(keys[name])


def test_a_key_and_the_keys_that_it_creates_run_together_at_most_what_it_may():
    limits = Limits(requests=60, concurrent=2)
    keys = family(a=limits, b=limits)
    found = Quotas(lambda: 0)
    first, _ = found.enter(keys["a"]), found.enter(keys["b"])
    message = "2 requests of the key a, which created this one, are running"
    with pytest.raises(Problem, match=message) as caught:
        found.enter(keys["b"])
    assert caught.value.headers["ratelimit"].startswith('"requests";r=58;')
    first.close()
    last = found.enter(keys["b"])
    assert last.headers()[1][1].startswith(b'"requests";r=57;'), "a refused request counts nowhere"
    with pytest.raises(Problem, match="2 requests of this key are running"):
        found.enter(keys["b"])


def test_model_time_of_a_created_key_counts_for_its_creator():
    keys = family(a=Limits(model_seconds=1.0), b=Limits(model_seconds=1.0))
    found = Quotas(lambda: 0)
    found.enter(keys["b"]).spend(2.0)
    with pytest.raises(Problem, match="1 seconds a minute for this key"):
        found.enter(keys["a"])


steps_of_keys = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=60)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), steps_of_keys)
def test_no_family_of_keys_gets_more_than_its_creator_may_have(most, second, third, steps):
    keys = family(
        a=Limits(requests=most),
        b=Limits(requests=min(second, most)),
        c=Limits(requests=min(third, second, most)),
    )
    now = 0
    found, alone = (
        Quotas(lambda: now),
        {name: TokenBucket(keys[name].limits.requests, MINUTE) for name in keys},
    )
    for name, seconds in steps:
        now += seconds * 10**9
        every = [bucket for key, bucket in alone.items() if key <= name]
        wanted = all(bucket.wait(now) == 0 for bucket in every)
        try:
            found.enter(keys[name])
        except Problem:
            assert not wanted
        else:
            assert wanted
            assert all(bucket.take(now) for bucket in every)
