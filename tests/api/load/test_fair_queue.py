"""The queue that is fair to tenants, compared with a short reference."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from twindex.api.serving.limits.fair import FairQueue

TENANTS = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), TENANTS),
        st.tuples(st.just("pop"), st.floats(0, 8)),
        st.tuples(st.just("charge"), st.tuples(TENANTS, st.floats(0, 8))),
        st.tuples(st.just("remove"), st.integers(0, 30)),
        st.tuples(st.just("drop"), st.none()),
    ),
    max_size=60,
)


class Reference:
    """The same rules on one list of (tenant, item)."""

    def __init__(self) -> None:
        self.items: list[tuple[str, int]] = []
        self.began: list[str] = []
        self.used: dict[str, float] = {}
        self.now = 0.0

    def push(self, tenant: str, item: int) -> None:
        if tenant not in self.began:
            self.began.append(tenant)
            self.used[tenant] = max(self.used.get(tenant, 0.0), self.now)
        self.items.append((tenant, item))

    def charge(self, tenant: str, seconds: float) -> None:
        self.used[tenant] = self.used.get(tenant, self.now) + seconds
        if not self.items:
            self.now = max(self.now, self.used[tenant])

    def pop(self) -> tuple[str, int] | None:
        if not self.items:
            return None
        tenant = min(self.began, key=lambda name: self.used[name])
        self.now = max(self.now, self.used[tenant])
        return self.take(next(pair for pair in self.items if pair[0] == tenant))

    def take(self, pair: tuple[str, int]) -> tuple[str, int]:
        self.items.remove(pair)
        if all(tenant != pair[0] for tenant, _ in self.items):
            self.began.remove(pair[0])
        return pair


@given(STEPS)
def test_the_queue_follows_the_reference(steps):
    queue: FairQueue[int] = FairQueue()
    reference = Reference()
    for number, (step, value) in enumerate(steps):
        if step == "push":
            queue.push(value, number)
            reference.push(value, number)
        elif step == "pop":
            found = queue.pop()
            assert found == reference.pop()
            if found is not None:
                queue.charge(found[0], value)
                reference.charge(found[0], value)
        elif step == "charge":
            queue.charge(*value)
            reference.charge(*value)
        elif step == "remove":
            there = [pair for pair in reference.items if pair[1] == value]
            tenant = there[0][0] if there else "a"
            assert queue.remove(tenant, value) == bool(there)
            if there:
                reference.take(there[0])
        elif reference.items:
            counts = Counter(tenant for tenant, _ in reference.items)
            longest = queue.longest()
            assert longest is not None
            assert counts[longest] == max(counts.values())
            newest = [pair for pair in reference.items if pair[0] == longest][-1]
            assert queue.drop(longest) == newest[1]
            reference.take(newest)
        assert len(queue) == len(reference.items)
        assert queue.tenants == len({tenant for tenant, _ in reference.items})
        for tenant in "abc":
            assert queue.waiting(tenant) == sum(one == tenant for one, _ in reference.items)


def test_tenants_that_wait_get_equal_time():
    queue: FairQueue[int] = FairQueue()
    cost, used = {"short": 1.0, "long": 7.0}, Counter[str]()
    for number in range(400):
        for tenant in cost:
            queue.push(tenant, number)
    for _ in range(400):
        found = queue.pop()
        assert found is not None
        queue.charge(found[0], cost[found[0]])
        used[found[0]] += int(cost[found[0]])
    assert abs(used["short"] - used["long"]) <= 7


def test_a_tenant_that_was_idle_saves_up_no_time():
    queue: FairQueue[int] = FairQueue()
    for number in range(100):
        queue.push("busy", number)
    for _ in range(50):
        queue.pop()
        queue.charge("busy", 1.0)
    for number in range(100, 110):
        queue.push("idle", number)
    order = []
    for _ in range(8):
        found = queue.pop()
        assert found is not None
        queue.charge(found[0], 1.0)
        order.append(found[0])
    assert order.count("idle") in (4, 5)


def test_time_used_while_nothing_waits_is_no_debt():
    queue: FairQueue[int] = FairQueue()
    for _ in range(1_000):  # Calls that find a free thread are charged without waiting.
        queue.charge("steady", 1.0)
    for number in range(100):
        queue.push("flood", number)
    for _ in range(10):
        queue.pop()
        queue.charge("flood", 1.0)
    queue.push("steady", 100)
    assert queue.pop() == ("steady", 100)


def test_tenants_that_owe_nothing_are_forgotten():
    queue: FairQueue[int] = FairQueue()
    for number in range(10_000):
        queue.push(f"tenant {number}", number)
        queue.pop()
        queue.charge(f"tenant {number}", 0.0)
    assert len(queue._used) < 100
