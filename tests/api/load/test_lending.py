"""Calls of a pool that lend their places while their queries are encoded."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from twindex.api.serving.limits.pool import Pool
from twindex.api.serving.problems import Problem
from twindex.search.encoding.lending import KeptLock, lent

from .pools import Blocked, pool, until


def test_a_call_that_waits_for_another_thread_lends_its_place():
    async def main() -> None:
        with pool(queue=3) as made:
            waits, go = threading.Event(), threading.Event()

            def waiting() -> str:
                with lent():
                    waits.set()
                    assert go.wait(30)
                return "waited"

            first = asyncio.ensure_future(made.run(waiting))
            await until(waits.is_set)
            assert (made.running, made.active) == (0, 1)
            blocked = Blocked()
            second = asyncio.ensure_future(made.run(blocked))
            third = asyncio.ensure_future(made.run(int))
            await until(blocked.began.is_set)
            go.set()
            await asyncio.sleep(0.05)
            assert not first.done()  # The other call has the only place.
            assert (made.running, made.active, made.waiting) == (1, 2, 1)
            blocked.go.set()
            assert await first == "waited"
            assert await asyncio.gather(second, third) == ["done", 0]
            assert (made.running, made.active) == (0, 0)

    asyncio.run(main())


def test_calls_that_lend_their_places_run_one_at_a_time_otherwise():
    async def main() -> None:
        inside = most = done = 0
        lock = threading.Lock()

        def call() -> None:
            nonlocal inside, most, done
            for _ in range(5):
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.0005)
                with lock:
                    inside -= 1
                with lent():
                    time.sleep(0.001)
            done += 1

        with pool(threads=2, queue=50) as made:
            await asyncio.gather(*(made.run(call) for _ in range(40)))
            assert (made.running, made.active, done) == (0, 0, 40)
        assert most <= 2

    asyncio.run(main())


def test_a_call_that_holds_a_lock_keeps_its_place():
    """Or calls that wait for the lock take all places, and the one that holds it waits for them."""
    lock = KeptLock()

    def hold() -> str:
        with lock, lent():
            time.sleep(0.2)
        return "held"

    def wait() -> str:
        with lock:
            return "waited"

    async def main() -> None:
        with pool(threads=1) as made:
            calls = [asyncio.ensure_future(made.run(work)) for work in (hold, wait)]
            assert await asyncio.wait_for(asyncio.gather(*calls), 10) == ["held", "waited"]

    asyncio.run(main())


def test_time_for_which_a_place_is_lent_is_not_time_of_the_call():
    async def main() -> None:
        def call() -> None:
            with lent():
                time.sleep(0.2)

        with pool(queue=1_000, seconds=1.0) as made:
            await made.run(call)
            assert made.most > 100  # A fifth of a second for each call would allow five.

    asyncio.run(main())


def test_a_pool_closes_while_a_place_is_lent():
    async def main() -> None:
        waits, go = threading.Event(), threading.Event()

        def waiting() -> str:
            with lent():
                waits.set()
                assert go.wait(30)
            return "waited"

        made = Pool("test", 1, 4)
        first = asyncio.ensure_future(made.run(waiting))
        await until(waits.is_set)
        closing = asyncio.get_running_loop().run_in_executor(None, made.close)
        await asyncio.sleep(0.05)
        go.set()
        assert await first == "waited"
        await closing

    asyncio.run(main())


def test_a_call_that_lent_its_place_gets_the_place_of_one_that_gets_no_thread():
    lends, back, release, refused = (threading.Event() for _ in range(4))

    def lend() -> str:
        with lent():
            lends.set()
            assert back.wait(30)
        return "back"

    async def main() -> None:
        with pool(threads=1) as made:
            lender = asyncio.ensure_future(made.run(lend))
            await until(lends.is_set)

            def refuse(*_: object) -> None:
                refused.set()
                assert release.wait(30)
                raise RuntimeError("can't start new thread")

            made._executor.submit = refuse
            loop = asyncio.get_running_loop()
            other = loop.run_in_executor(None, lambda: asyncio.run(made.run(int)))
            await until(refused.is_set)
            back.set()
            await until(lambda: len(made._returning) == 1)
            release.set()
            with pytest.raises(Problem, match="can't start new thread"):
                await other
            assert await asyncio.wait_for(lender, 10) == "back"

    asyncio.run(main())
