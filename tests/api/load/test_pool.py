"""The pool of threads: bounded queues, fairness, cancellation."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from twindex.api.serving.limits.arrivals import ARRIVING
from twindex.api.serving.limits.pool import ALWAYS, TENANT, Pool
from twindex.api.serving.problems import Problem

from .pools import Blocked, as_tenant, pool, until


@pytest.fixture(autouse=True)
def no_tenant() -> Iterator[None]:
    """Calls have no tenant, whichever tenant an earlier test of this process left behind."""
    token = TENANT.set("")
    yield
    TENANT.reset(token)


def test_results_and_exceptions_reach_the_caller():
    async def main() -> None:
        with pool() as made:
            assert await made.run(lambda a, b: a + b, 1, b=2) == 3
            with pytest.raises(ZeroDivisionError):
                await made.run(lambda: 1 // 0)
            assert (made.running, made.waiting) == (0, 0)

    asyncio.run(main())


def test_calls_beyond_the_queue_are_refused_at_once():
    async def main() -> None:
        with pool(threads=2, queue=3) as made:
            blocked = Blocked()
            tasks = [asyncio.ensure_future(made.run(blocked)) for _ in range(5)]
            await asyncio.sleep(0)
            assert (made.running, made.waiting) == (2, 3)
            assert made.refuses("")
            with pytest.raises(Problem) as refused:
                await made.run(blocked)
            assert refused.value.status == 429
            assert refused.value.headers["Retry-After"] == "1"
            assert made.refused == 1
            blocked.go.set()
            assert await asyncio.gather(*tasks) == ["done"] * 5
            assert not made.refuses("")

    asyncio.run(main())


def test_a_caller_that_calls_again_finds_its_thread_free():
    async def main() -> None:
        with pool(queue=0) as made:
            for _ in range(500):
                await made.run(int)

    asyncio.run(main())


def test_a_slow_call_shortens_the_queue():
    async def main() -> None:
        with pool(queue=1_000, seconds=0.01) as made:
            await made.run(int)
            assert made.most > ALWAYS
            for _ in range(20):
                await made.run(time.sleep, 0.02)
            assert made.most == ALWAYS
        with pool(queue=5, seconds=0.01) as made:
            await made.run(time.sleep, 0.02)
            assert made.most == 5  # `queue` is the upper limit.

    asyncio.run(main())


def test_a_tenant_with_one_call_does_not_wait_for_a_flood():
    async def main() -> None:
        order: list[str] = []
        with pool(queue=20) as made:
            blocked = Blocked()
            first = as_tenant("flood", lambda: made.run(blocked))
            await until(blocked.began.is_set)
            flood = [as_tenant("flood", lambda: made.run(order.append, "flood")) for _ in range(10)]
            await asyncio.sleep(0)
            other = as_tenant("other", lambda: made.run(order.append, "other"))
            await asyncio.sleep(0)
            blocked.go.set()
            await asyncio.gather(first, other, *flood)
        assert order.index("other") <= 1
        assert order.count("flood") == 10

    asyncio.run(main())


def test_a_full_queue_takes_the_call_of_another_tenant_and_refuses_the_latest_of_the_flood():
    async def main() -> None:
        with pool(queue=4) as made:
            blocked = Blocked()
            flood = [as_tenant("flood", lambda: made.run(blocked)) for _ in range(5)]
            await asyncio.sleep(0)
            assert made.refuses("flood")
            assert not made.refuses("other")
            others = [as_tenant("other", lambda: made.run(blocked)) for _ in range(3)]
            await until(lambda: others[2].done())
            assert made.waiting == 4
            blocked.go.set()
            ends = await asyncio.gather(*flood, *others, return_exceptions=True)
        refused = [isinstance(one, Problem) and one.status == 429 for one in ends]
        # Two of each tenant wait in the end, and one of the flood runs.
        assert refused == [False] * 3 + [True] * 2 + [False] * 2 + [True]

    asyncio.run(main())


def test_a_cancelled_call_leaves_the_queue():
    async def main() -> None:
        with pool(queue=2) as made:
            blocked, ran = Blocked(), []
            first = asyncio.ensure_future(made.run(blocked))
            waiting = [asyncio.ensure_future(made.run(ran.append, i)) for i in range(2)]
            await asyncio.sleep(0)
            assert made.refuses("")
            waiting[0].cancel()
            await until(lambda: made.waiting == 1)
            assert not made.refuses("")
            blocked.go.set()
            await first
            await waiting[1]
        assert ran == [1]

    asyncio.run(main())


def test_a_call_that_is_cancelled_while_it_runs_counts_until_it_ends():
    async def main() -> None:
        with pool(queue=0) as made:
            blocked = Blocked()
            first = asyncio.ensure_future(made.run(blocked))
            await until(blocked.began.is_set)
            first.cancel()
            await asyncio.sleep(0.01)
            assert made.refuses("")
            blocked.go.set()
            await until(lambda: not made.refuses(""))

    asyncio.run(main())


def test_a_closed_pool_drops_calls_that_wait():
    async def main() -> None:
        made = Pool("test", 1, 4)
        blocked = Blocked()
        first = asyncio.ensure_future(made.run(blocked))
        second = asyncio.ensure_future(made.run(int))
        await until(blocked.began.is_set)
        closing = asyncio.get_running_loop().run_in_executor(None, made.close)
        with pytest.raises(asyncio.CancelledError):
            await second
        blocked.go.set()
        assert await first == "done"
        await closing

    asyncio.run(main())


def test_a_system_without_threads_refuses_the_call_and_keeps_its_place_free(monkeypatch):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        with pool() as made:
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", refuse)
                with pytest.raises(Problem, match="can't start new thread") as caught:
                    await made.run(lambda: "first")
            assert caught.value.status == 503
            assert made.active == 0
            # The executor still has the refused call; it must not run, nor free a place again.
            blocked = Blocked()
            running = asyncio.ensure_future(made.run(blocked))
            await until(blocked.began.is_set)
            assert made.running == 1
            waiting = asyncio.ensure_future(made.run(lambda: "next"))
            await asyncio.sleep(0.05)
            assert (made.running, made.waiting) == (1, 1)
            blocked.go.set()
            assert [await running, await waiting] == ["done", "next"]
            await until(lambda: made.active == 0)

    asyncio.run(main())


def test_no_call_waits_for_ever_behind_one_that_gets_no_thread():
    release, behind = threading.Event(), threading.Event()

    async def main() -> None:
        with pool(threads=1) as made:
            submit = made._executor.submit

            def refuse(*_: object) -> None:
                made._executor.submit = submit  # Only this call gets no thread.
                behind.set()
                assert release.wait(30)
                raise RuntimeError("can't start new thread")

            made._executor.submit = refuse
            loop = asyncio.get_running_loop()
            first = loop.run_in_executor(None, lambda: asyncio.run(made.run(int)))
            await until(behind.is_set)
            second = asyncio.ensure_future(made.run(lambda: "second"))
            await until(lambda: made.waiting == 1)
            release.set()
            with pytest.raises(Problem, match="can't start new thread"):
                await first
            assert await asyncio.wait_for(second, 10) == "second"
            await until(lambda: made.active == 0)

    asyncio.run(main())


def test_a_pool_that_waits_keeps_nothing_of_its_last_call():
    class Large:
        pass

    async def main() -> None:
        with pool() as made:
            argument = Large()
            gone = weakref.ref(argument)
            gc.disable()
            try:
                await made.run(lambda given: given, argument)
                del argument
                await until(lambda: gone() is None)
            finally:
                gc.enable()

    asyncio.run(main())


def test_a_call_that_waited_is_freed_without_a_garbage_collection():
    class Large:
        pass

    async def main() -> None:
        with pool() as made:
            blocked, argument = Blocked(), Large()
            gone = weakref.ref(argument)
            gc.disable()
            try:
                first = asyncio.ensure_future(made.run(blocked))
                await asyncio.sleep(0)
                waiting = asyncio.ensure_future(made.run(lambda given: given, argument))
                await asyncio.sleep(0)
                assert made.waiting == 1
                blocked.go.set()
                await asyncio.gather(first, waiting)
                del argument, first, waiting
                await until(lambda: gone() is None)
            finally:
                gc.enable()

    asyncio.run(main())


def test_a_place_is_kept_for_a_request_until_it_calls_or_ends():
    async def main() -> None:
        with pool(queue=1) as made:
            first, second = made.arrive("a"), made.arrive("a")
            assert made.refuses("a")
            with pytest.raises(Problem):
                made.arrive("a")
            made.left(first)
            made.left(first)
            assert not made.refuses("a")
            blocked = Blocked()
            token = ARRIVING.set(second)
            tasks = [asyncio.ensure_future(made.run(blocked)) for _ in range(2)]
            ARRIVING.reset(token)
            await until(blocked.began.is_set)
            assert (made.running, made.waiting) == (1, 1)
            with pytest.raises(Problem):
                made.arrive("a")
            made.left(second)  # It has called, so it keeps no place.
            assert made.refuses("a")
            blocked.go.set()
            await asyncio.gather(*tasks)
            assert not made.refuses("a")

    asyncio.run(main())


def test_requests_that_have_not_called_yet_are_fair_to_tenants():
    with pool(queue=3) as made:
        for _ in range(4):
            made.arrive("flood")
        assert made.refuses("flood")
        assert not made.refuses("other")
        made.arrive("other")
        made.arrive("other")
        made.arrive("other")
        assert made.refuses("other")


def test_calls_to_come_are_not_those_of_the_tenant_that_asks():
    with pool(queue=3) as made:
        for _ in range(4):
            made.arrive("flood")
        assert not made.refuses("other", 30)
        assert made.refuses("flood", 30)
