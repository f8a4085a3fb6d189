"""Markers are found whatever the pieces of a text; no half marker and no unknown number is text."""

from __future__ import annotations

import re
from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.generate.citing.markers import LARGEST, LONGEST, Marker, MarkerParser

PIECES = (
    *("[", "]", "[1]", "[2][3]", "[0]", "[9]", "[1, 2, and 3]", "[1-3]", "【2】", "［1］", "[^1]"),
    *("[Source 1]", "[[1]]", "(", ")", "https://a.b", ":", "\n", " ", "`", "```", "a", "1", ","),
    *("and", "é", "鸟", "。", "🥝", "†", "[1](https://a.b)", "[kiwi](https://a.b)", "x[0:3]"),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


def parts(text: str, cuts: list[int] | None = None, count: int = 3) -> list[str | Marker]:
    """Return the parts of a text that is fed in pieces. Adjacent texts are joined."""
    parser, found = MarkerParser(count), []
    edges = [0, *sorted(cuts or ()), len(text)]
    for start, end in pairwise(edges):
        found += parser.feed(text[start:end])
    joined: list[str | Marker] = []
    for part in [*found, *parser.close()]:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def seen(text: str) -> list[str | tuple[int, ...]]:
    return [part if isinstance(part, str) else part.numbers for part in parts(text)]


@given(TEXTS, st.data())
def test_parts_do_not_depend_on_the_pieces(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    whole = parts(text)
    assert parts(text, cuts) == whole
    assert parts(text, list(range(len(text)))) == whole


@given(TEXTS.filter(lambda text: not re.search(r"`|[\[【［]{3}", text)))
def test_text_has_no_marker_and_no_half_marker(text: str) -> None:
    """The first of three brackets begins no marker, so it is text."""
    for part in parts(text):
        if isinstance(part, Marker):
            assert all(1 <= number <= 3 for number in part.numbers)
            assert not any(1 <= number <= 3 for number in part.invalid)
        else:
            assert not re.search(r"[\[【［]\s*\d+\s*[\]】］]", part)
    tail = parts(text)[-1:] or [""]
    assert not (isinstance(tail[0], str) and re.search(r"[\[【［]\d*$", tail[0]))


@given(TEXTS)
def test_text_of_a_stream_is_a_subsequence_of_the_input(text: str) -> None:
    rest = iter(text)
    kept = "".join(part for part in parts(text) if isinstance(part, str))
    assert all(character in rest for character in kept)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a [1].", ["a ", (1,), "."]),
        ("fly[1]", ["fly", (1,)]),
        ("[0]", [()]),
        ("[4]", [()]),
        ("[1-3]", [(1, 2, 3)]),
        ("[3–1]", [(3, 1)]),
        ("[2-999999999999]", [(2, 3)]),
        ("[1][1]", [(1,), (1,)]),
        ("[1, 1, 2]", [(1, 2)]),
        ("[1, 2, and 3]", [(1, 2, 3)]),
        ("[1 und 2]", [(1, 2)]),
        ("[Source: 1; Source 2]", [(1, 2)]),
        ("[" + ", ".join(map(str, range(1, 60))) + "]", [(1, 2, 3)]),
        ("【1】 ［2］ [[3]]", [(1,), " ", (2,), " ", (3,)]),
        ("【1†L3-L9】 【4:0†kiwi.txt】", [(1,), " ", ()]),
        ("[" + "9" * 100 + "]", [()]),
        ("[١]", [(1,)]),
        ("a [1", ["a "]),
        ("a [", ["a "]),
        ("a [1 and", ["a "]),
        ("a [Source", ["a "]),
        ("a [word", ["a [word"]),
        ("[1.5] and [a] and x[0:3]", ["[1.5] and [a] and x[0:3]"]),
        ("`a[1]` is code [1]", ["`a[1]` is code ", (1,)]),
        ("``a[1] ` b[2]`` [2]", ["``a[1] ` b[2]`` ", (2,)]),
        ("a ` alone [1]\nb", ["a ` alone ", (1,), "\nb"]),
        ("```py\na[1]\n```\nb [1]", ["```py\na[1]\n```\nb ", (1,)]),
        ("```\na[1]", ["```\na[1]"]),
        ("[1](https://a.b/c?d=e) x", [(1,), " x"]),
        ("[1](also) x", [(1,), "(also) x"]),
        ("[kiwi](https://a.b)", ["[kiwi](https://a.b)"]),
        ("a\n[^1]: Kiwi", ["a\n", (1,), " Kiwi"]),
        ("a [1]: b", ["a ", (1,), ": b"]),
    ],
)
def test_forms(text: str, expected: list[str | tuple[int, ...]]) -> None:
    assert seen(text) == expected


def test_a_text_that_is_no_marker_is_held_back_only_briefly() -> None:
    parser = MarkerParser(1)
    assert list(parser.feed("a [see the kiwi")) == ["a [see the kiwi"]
    parser = MarkerParser(1)
    returned = sum(len(part) for part in parser.feed("[1" + ", 1" * LONGEST))
    assert returned > LONGEST


@pytest.mark.parametrize("text", ["a [1] ", "[", "[1 ", "`", "` [1] ", "[[", "[1](http:", "【"])
def test_time_is_linear(text: str) -> None:
    """Whole texts and single characters; a quadratic parser would take minutes."""
    whole = text * (60_000 // len(text))
    began = perf_counter()
    parts(whole)
    parts(whole[:20_000], list(range(20_000)))
    assert perf_counter() - began < 10


def test_a_long_number_is_reported_as_the_largest_one() -> None:
    for number in ("9" * 9, "1" + "0" * 9, "9" * 21, "9" * 450):
        assert parts(f"Kiwi [{number}].") == ["Kiwi ", Marker((), (LARGEST,)), "."]
    assert parts("[1-" + "9" * 21 + "]") == [Marker((1, 2, 3), (LARGEST,))]
