"""The cache keeps the most recently used values."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from twindex.ask.memory import Memory, digest


@given(
    st.integers(0, 4),
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=40),
)
def test_memory_keeps_the_most_recently_used(size, steps):
    memory: Memory[int] = Memory(size)
    expected: OrderedDict[int, int] = OrderedDict()
    for number, (put, key) in enumerate(steps):
        if put:
            memory.put(key, number)
            expected[key] = number
            expected.move_to_end(key)
            while len(expected) > size:
                expected.popitem(last=False)
        else:
            assert memory.get(key) == expected.get(key)
            if key in expected:
                expected.move_to_end(key)


def test_digest_accepts_half_of_a_surrogate_pair():
    assert digest("a") != digest("b")
    assert len(digest("half \ud800 a pair")) == 16
