"""What is remembered: the latest used."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from twindex.ask.memory import Memory, digest


@given(
    st.integers(0, 4),
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=40),
)
def test_keeps_those_used_last(size, steps):
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


def test_digests():
    assert digest("a") != digest("b")
    assert len(digest("half \ud800 a pair")) == 16
