"""The progress of a job of the service."""

from __future__ import annotations

from twindex.client import Job
from twindex.client.followed import Followed


class Told:
    """Remembers what it is told."""

    def __init__(self):
        self.calls = []

    def start(self, stage, total, unit, done=0):
        self.calls.append((stage, total, unit, done))

    def advance(self, n=1):
        self.calls.append(n)

    def close(self): ...


def job(state, done, total, unit="passages"):
    return Job("1", "birds", "merge", state, done, total, unit, None, {}, "", "")


def test_states_of_a_job_become_steps():
    told = Told()
    followed = Followed(told)
    states = [("queued", 0, None), ("running", 0, 9), ("running", 4, 9), ("running", 4, 9)]
    for one in [*(job(*state) for state in states), job("running", 2, 5, "files"),
                job("done", 5, 5, "files")]:  # fmt: skip
        followed.follow(one)
    assert told.calls == [("merge", 9, "passages", 0), 4, ("merge", 5, "files", 2), 3]
