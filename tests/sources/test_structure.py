"""Headings, pages, and lines that stay whole."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.sources.structure import (
    first_heading,
    items,
    markup,
    outline,
    whole_lines,
)

LINES = st.sampled_from(
    ["# A", "## B ##", "### C#", "#", "#no", "text", "    # code", "```", "~~~~", "===", "---", "",
     "| a |", "|---|", "- item", "1. item", "\f", "\f# P", "a\fb", "  ## D"]
)  # fmt: skip
TEXTS = st.lists(LINES, max_size=25).map("\n".join)


def titles(text: str) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in outline(text).headings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n## Two ##\n### C#", [(1, "One"), (2, "Two"), (3, "C#")]),
        ("Title\n=====\n\nPart\n---\n", [(1, "Title"), (2, "Part")]),
        ("two lines\nof text\n---", []),
        ("- item\n---\n\n> quote\n===", []),
        ("```\n# no\n```\n# yes", [(1, "yes")]),
        ("````\n```\n# no\n````\n# yes", [(1, "yes")]),
        ("```\n# never closed", []),
        ("``` inline ``` code\n# yes", [(1, "yes")]),
        ("#hashtag\n####### seven", []),
        ("text\f# New page", [(1, "New page")]),
        ("#\n# ##\n## real", [(1, ""), (1, ""), (2, "real")]),
        ("<!--\n# hidden\n--> text\n# shown", [(1, "shown")]),
        ("<!-- # one line -->\n# shown", [(1, "shown")]),
        ("# shown\n<!-- never closed\n# hidden", [(1, "shown")]),
        ("Title\r\n===\r\n\r\n## Part ##\r\ntext", [(1, "Title"), (2, "Part")]),
        ("\ufeff# first", [(1, "first")]),
        ("- item\n  - nested\n\n      ```sh\n# comment\n      ```\n# real", [(1, "real")]),
        ("===\n===", []),
        ("#\n===", [(1, "")]),
        (":---|---:\n---\n", []),
    ],
)
def test_headings_of_markdown(text, expected):
    assert titles(text) == expected
    assert first_heading(text) == next((title for _, title in expected if title), "")


def test_a_path_has_the_headings_above_a_position():
    text = "intro\n\n# A\n\none\n\n### Deep\n\ntwo\n\n## B\n\nthree\n\n# C\n\nfour"
    found = outline(text)
    at = {word: found.path(text.index(word)) for word in ("intro", "one", "two", "three", "four")}
    assert at == {
        "intro": (),
        "one": ("A",),
        "two": ("A", "Deep"),
        "three": ("A", "B"),
        "four": ("C",),
    }
    assert found.path(text.index("## B")) == ("A", "B")
    assert found.above(text.index("## B")) == ("A",)
    assert found.above(text.index("three")) == ("A", "B")


def test_pages_are_counted_by_form_feeds():
    text = "one\n\ftwo\n\fthree"
    found = outline(text)
    assert [found.page(text.index(word)) for word in ("one", "two", "three")] == [1, 2, 3]
    assert outline("no pages").page(3) is None


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (None, "markdown"),
        ("movie", "markdown"),
        (7, "markdown"),
        ("application/pdf", "markdown"),
        ("text/html; charset=utf-8", "markdown"),
        ("TEXT/PLAIN", "plain"),
        ("text/x-python", "python"),
        ("text/x-c", "code"),
        ("application/json", "code"),
    ],
)
def test_the_media_type_says_how_a_text_is_written(type_, expected):
    assert markup({} if type_ is None else {"type": type_}) == expected


def test_definitions_are_the_headings_of_python_code():
    text = "# comment\nclass A:\n    def b(self): ...\n\nasync def c(): ...\n"
    found = outline(text, "python")
    assert [heading.title for heading in found.headings] == ["class A", "def b", "def c"]
    assert found.path(text.index("...")) == ("class A", "def b")
    assert outline(text, "plain").headings == ()


def test_rows_and_code_are_whole_lines():
    text = "prose\n\n| a |\n|---|\n| 1 |\n\n```\n| no |\n```\nend"
    assert [text[start:end] for start, end in whole_lines(text, outline(text))] == [
        "| a |\n|---|\n| 1 |",
        "```\n| no |\n```",
    ]
    assert list(whole_lines(text, outline(text, "code"))) == [(0, len(text))]
    assert list(whole_lines(text, outline(text, "plain"))) == []
    lists = "- one\n  - two\n3) three\n-no\n1.no"
    assert [lists[at:].split()[1] for at in items(lists)] == ["one", "two", "three"]


def simple_headings(text: str) -> list[tuple[int, str]]:
    """The headings of `LINES`, line by line."""
    found = []
    lines = text.replace("\f", "\n").split("\n")
    begins_page = {
        text[:i].replace("\f", "\n").count("\n") + 1 for i in range(len(text)) if text[i] == "\f"
    }
    fence = ""
    for number, line in enumerate(lines):
        bare = line.lstrip(" ")
        if line.startswith("    "):
            continue
        if bare[:3] in ("```", "~~~"):
            if not fence:
                fence = bare
            elif bare[0] == fence[0] and len(bare) >= len(fence):
                fence = ""
        elif fence:
            continue
        elif bare.startswith("#") and bare.lstrip("#")[:1] in ("", " "):
            title = bare.lstrip("#").strip()
            title = title[: -len(" ##")] if title.endswith(" ##") else title
            found.append((len(bare) - len(bare.lstrip("#")), title))
        elif bare in ("===", "---") and number > 0 and number not in begins_page:
            above = lines[number - 1]
            first = number - 1 in begins_page
            before = "" if number < 2 or first else lines[number - 2]
            paragraph = above in ("text", "a", "b", "#no")
            if paragraph and not before.strip():
                found.append((1 if bare == "===" else 2, above))
    return found


@given(TEXTS)
def test_headings_are_those_of_a_reading_line_by_line(text):
    assert titles(text) == simple_headings(text)


@given(TEXTS)
def test_headings_ascend_and_lie_in_the_text(text):
    found = outline(text)
    end = 0
    for number, heading in enumerate(found.headings):
        assert end <= heading.start < heading.end <= len(text)
        assert heading.title in text[heading.start : heading.end]
        assert heading.above is None or found.headings[heading.above].level < heading.level
        assert heading.above is None or heading.above < number
        end = heading.end
    spans = list(whole_lines(text, found))
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


@pytest.mark.parametrize(
    "text",
    ["```" * 100_000, "-" * 300_000 + "x", "a\n-\n" * 60_000, "|" * 300_000, "# " * 150_000,
     "~~~\n" * 60_000, " " * 300_000, "\n" * 300_000, "#\n" * 100_000, "\f" * 200_000],
    ids=range(10),
)  # fmt: skip
def test_hostile_texts_take_linear_time(text):
    began = time.process_time()
    list(whole_lines(text, outline(text)))
    list(items(text))
    assert time.process_time() - began < 5  # A quadratic search takes minutes.


def test_is_code_equals_a_search_of_every_block():
    text = "a\n\n```\none\n```\n\nb\n\n~~~\ntwo\n~~~\nc\n"
    found = outline(text)
    assert len(found.code) == 2
    for offset in range(len(text) + 1):
        assert found.is_code(offset) == any(a <= offset < b for a, b in found.code)
