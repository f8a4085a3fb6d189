"""Limits of keys hold for all workers together, and end with a worker."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from twindex.api.serving.access.access import Access, Limits
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key
from twindex.api.serving.access.quotas import Quotas
from twindex.api.serving.access.shared_quotas import MOST, shared_quotas
from twindex.api.serving.operations.workers import Board, Place, board_of, quotas_of
from twindex.api.serving.problems import Problem

WORKERS = 3


@pytest.fixture
def folder(tmp_path):
    quotas_of(tmp_path).mkdir()
    Board(board_of(tmp_path), WORKERS, create=True)
    return tmp_path


def quotas(folder, worker: int, clock) -> Quotas:
    place = Place.join(worker, WORKERS, folder, 0)
    return Quotas(clock, shared_quotas(place, WORKERS), MOST)


def test_workers_together_admit_what_one_process_admits(folder):
    now = 0
    limits = Limits(requests=7, concurrent=4, model_seconds=0.5)
    alone, access = Quotas(lambda: now), Access("k", limits=limits)
    workers = [quotas(folder, n + 1, lambda: now) for n in range(WORKERS)]
    choice = random.Random(0)
    tickets: list = []
    for _ in range(2_000):
        now += choice.choice([0, 1, 10**9, 7 * 10**9])
        step = choice.random()
        if step < 0.5:
            outcomes = []
            for one in (alone, choice.choice(workers)):
                try:
                    outcomes.append(one.enter(access))
                except Problem as problem:
                    outcomes.append((problem.detail, problem.headers))
            if isinstance(outcomes[0], tuple):
                assert outcomes[0] == outcomes[1]
            else:
                assert outcomes[0].headers() == outcomes[1].headers()
                tickets.append(outcomes)
        elif tickets:
            pair = tickets.pop(choice.randrange(len(tickets)))
            for ticket in pair:
                ticket.spend(0.01)
                ticket.close()


def test_workers_share_the_limits_of_a_key_and_of_those_that_it_creates(folder):
    limits = Limits(requests=4)
    creator = Access("a", limits=limits)
    created = Access("b", limits=limits, creators=creator.budgets)
    workers = [quotas(folder, n + 1, lambda: 0) for n in range(WORKERS)]
    for n in range(4):
        workers[n % WORKERS].enter(created if n % 2 else creator)
    for worker in workers:
        for access in (creator, created):
            with pytest.raises(Problem, match="4 requests a minute"):
                worker.enter(access)


def test_many_keys_take_few_file_descriptors_and_keep_their_limits(folder):
    worker = quotas(folder, 1, lambda: 0)
    limits = Limits(requests=2, concurrent=1)
    running = worker.enter(Access("first", limits=limits))
    before = len(os.listdir("/proc/self/fd"))
    for n in range(5 * MOST):
        worker.enter(Access(f"k{n}", limits=limits)).close()
    assert len(os.listdir("/proc/self/fd")) <= before + 2 * MOST
    first = Access("first", limits=limits)
    with pytest.raises(Problem, match="1 requests of this key are running"):
        worker.enter(first)
    running.close()
    worker.enter(first).close()
    with pytest.raises(Problem, match="2 requests a minute"):
        worker.enter(first)


def test_requests_of_a_killed_worker_no_longer_run(folder):
    access = Access("k", limits=Limits(concurrent=2))
    first, second = (quotas(folder, n, lambda: 0) for n in (1, 2))
    first.enter(access), second.enter(access)
    with pytest.raises(Problem, match="2 requests of this key are running"):
        second.enter(access)
    quotas(folder, 1, lambda: 0)  # The process that replaces the first worker.
    second.enter(access)
    with pytest.raises(Problem, match="2 requests of this key are running"):
        second.enter(access)


@pytest.mark.slow
def test_a_key_has_its_limit_on_all_workers_together(start, tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    made = new_key("app", scopes=("read", "write"), limits=Limits(requests=20))
    KeyFile(root / FILE_NAME).add(made.key)
    server = start()
    statuses = Counter(
        server.call("GET", "/v1/aliases" if n % 2 else "/v1/jobs", None, {"api-key": made.secret})[
            0
        ]
        for n in range(40)
    )
    # Tokens come back during the test: one in three seconds.
    assert 20 <= statuses[200] <= 30
    assert statuses[200] + statuses[429] == 40


@pytest.mark.slow
def test_a_key_is_created_and_revoked_for_all_workers_at_once(start, tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    admin = new_key("admin", scopes=("read", "write", "admin"))
    KeyFile(root / FILE_NAME).add(admin.key)
    server = start()
    for _ in range(3):
        body = {"name": "app", "scopes": ["read"]}
        status, made, _ = server.call("POST", "/v1/keys", body, {"api-key": admin.secret})
        assert status == 201
        own = {"api-key": made["key"]}
        assert {server.call("GET", "/v1/aliases", None, own)[0] for _ in range(8)} == {200}
        path = f"/v1/keys/{made['id']}"
        assert server.call("DELETE", path, None, {"api-key": admin.secret})[0] == 200
        assert {server.call("GET", "/v1/aliases", None, own)[0] for _ in range(8)} == {401}
