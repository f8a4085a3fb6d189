"""Texts become events: texts, citations, spans. Checked as properties and by examples."""

from __future__ import annotations

import re
from itertools import pairwise
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core.answers import Citation, CitationEvent, Source, TextEvent
from twindex.encoders.lexical.config import AnalyzerConfig
from twindex.encoders.lexical.encoder import LexicalEncoder
from twindex.generate import CitationOptions
from twindex.generate.citing.statements import Statements
from twindex.generate.citing.support import Support

TERMS = LexicalEncoder(AnalyzerConfig()).count
TEXTS_OF_SOURCES = (
    "The kiwi is a bird. It cannot fly. It lives in New Zealand.",
    "Emus run fast. An emu is 1.9 m tall.",
    "Vögel haben Federn. 鸟有羽毛。",
)
SOURCES = [
    Source(number, f"d{number}", text, 0, len(text))
    for number, text in enumerate(TEXTS_OF_SOURCES, 1)
]
PIECES = (
    *(
        "[1]",
        "[2]",
        "[3]",
        "[9]",
        "[1, 2]",
        " [1]",
        " ",
        "  ",
        "\n",
        "\n\n",
        ". ",
        ".",
        "!",
        ",",
        ";",
    ),
    *(
        "The kiwi cannot fly",
        "emus run fast",
        "Vögel haben Federn",
        "鸟有羽毛",
        "。",
        "」",
        '"',
        "(",
        ")",
    ),
    *(
        "- ",
        "1. ",
        "e.g. ",
        "Dr. ",
        " and ",
        "According to ",
        "🥝",
        "e\u0301",
        "a",
        "...",
        "`a[1]`",
        ":",
    ),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=16).map("".join)
OPTIONS = st.builds(
    CitationOptions,
    markers=st.sampled_from(["keep", "remove"]),
    unsupported=st.sampled_from(["mark", "drop"]),
    match=st.booleans(),
)
MARKER = re.compile(r"\[\d+\]")


def run(text: str, cuts: Any = (), **options: Any) -> Statements:
    """Feed a text in pieces; check that the texts of the events are the text."""
    given_options = options.pop("options", None) or CitationOptions(**options)
    statements = Statements(3, Support(SOURCES, TERMS), given_options)
    edges, events = [0, *sorted(cuts), len(text)], []
    for start, end in pairwise(edges):
        events += statements.feed(text[start:end])
    events += statements.close()
    assert "".join(one.text for one in events if isinstance(one, TextEvent)) == statements.text
    cited = [one.citation for one in events if isinstance(one, CitationEvent)]
    assert cited == statements.citations
    return statements


def spans(statements: Statements) -> list[tuple[str, list[int]]]:
    text = statements.text
    return [
        (text[one.start : one.end], [quote.number for quote in one.quotes])
        for one in statements.citations
    ]


def check_spans(statements: Statements) -> None:
    text, citations = statements.text, statements.citations
    for one in citations:
        span = text[one.start : one.end]
        assert 0 <= one.start < one.end <= len(text)
        assert span == span.strip()
        assert "\n" not in span
        assert not MARKER.search(span.replace("`a[1]`", ""))
        for quote in one.quotes:
            source = TEXTS_OF_SOURCES[quote.number - 1]
            assert source[quote.start : quote.end] == quote.text
        assert len({quote.number for quote in one.quotes}) == len(one.quotes) > 0
    for one in citations:
        for other in citations:
            same = (one.start, one.end) == (other.start, other.end)
            assert same or one.end <= other.start or other.end <= one.start


@given(TEXTS, OPTIONS, st.data())
def test_events_do_not_depend_on_the_pieces(
    text: str, options: CitationOptions, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    whole = run(text, options=options)
    check_spans(whole)
    for division in (cuts, range(len(text))):
        other = run(text, division, options=options)
        assert other.text == whole.text
        assert other.citations == whole.citations
        assert other.invalid == whole.invalid


@given(TEXTS)
def test_markers_removed_or_kept_the_citations_are_the_same(text: str) -> None:
    kept, removed = run(text), run(text, markers="remove")
    assert spans(kept) == spans(removed)
    assert [one.quotes for one in kept.citations] == [one.quotes for one in removed.citations]
    assert not MARKER.search(removed.text.replace("`a[1]`", ""))


@given(st.lists(st.sampled_from(["The kiwi cannot fly", "Emus run", "鸟"]), min_size=1, max_size=4),
       st.sampled_from([" [1]", " [1] [2]", "[1]", " [9]", " [1], [2]", " [1] and [2]"]),
       st.sampled_from([".", ";", "!", "", ":"]))  # fmt: skip
def test_removed_markers_leave_no_spaces(sentences: list[str], marker: str, end: str) -> None:
    for text in (
        " ".join(f"{one}{marker}{end}" for one in sentences),
        " ".join(f"{one}{end}{marker}" for one in sentences),
        "\n".join(f"{one}{marker}{end}" for one in sentences),
    ):
        removed = run(text, markers="remove").text
        assert "  " not in removed
        assert not re.search(r"[^\S\n][.,;:!?\n]|\s$|^\s", removed)


CASES: list[tuple[str, str, list[tuple[str, list[int]]]]] = [
    ("Kiwis fly [1].", "Kiwis fly.", [("Kiwis fly", [1])]),
    ("Kiwis fly. [1] Emus run. [2]", "Kiwis fly. Emus run.",
     [("Kiwis fly.", [1]), ("Emus run.", [2])]),
    ("Kiwis fly [1] and emus run [2].", "Kiwis fly and emus run.",
     [("Kiwis fly", [1]), ("and emus run", [2])]),
    ("Kiwis fly [1], [2] and [3].", "Kiwis fly.", [("Kiwis fly", [1, 2, 3])]),
    ("[1] Kiwis fly. Emus run.", "Kiwis fly. Emus run.", [("Kiwis fly.", [1])]),
    ("Birds fly.\n[2] Emus run fast.", "Birds fly.\nEmus run fast.",
     [("Emus run fast.", [2])]),
    ("Birds fly.\n\n[2]", "Birds fly.", [("Birds fly.", [2])]),
    ("- Kiwis fly [1]\n- Emus run [2]", "- Kiwis fly\n- Emus run",
     [("Kiwis fly", [1]), ("Emus run", [2])]),
    ("1. [1] Kiwis fly\n2. [2] Emus run", "1. Kiwis fly\n2. Emus run",
     [("Kiwis fly", [1]), ("Emus run", [2])]),
    ("Dr. Kiwi flies e.g. often [1].", "Dr. Kiwi flies e.g. often.",
     [("Dr. Kiwi flies e.g. often", [1])]),
    ("鸟有羽毛。[3]鸟会飞[1]。", "鸟有羽毛。鸟会飞。",
     [("鸟有羽毛。", [3]), ("鸟会飞", [1])]),
    ("「鸟。」[3]", "「鸟。」", [("「鸟。」", [3])]),
    ("Vögel haben Federn [3]; das gilt z.B. immer [1].",
     "Vögel haben Federn; das gilt z.B. immer.",
     [("Vögel haben Federn", [3]), ("das gilt z.B. immer", [1])]),
    ("🥝 fly e\u0301 [1].", "🥝 fly e\u0301.", [("🥝 fly e\u0301", [1])]),
    ('He said "kiwis [1]" and left.', 'He said "kiwis" and left.', [('He said "kiwis', [1])]),
    ('Kiwis [1] "fly".', 'Kiwis "fly".', [("Kiwis", [1])]),
    ("According to [1], kiwis fly. So.", "According to source 1, kiwis fly. So.",
     [("kiwis fly.", [1])]),
    ("According to source [1], kiwis fly.", "According to source 1, kiwis fly.",
     [("kiwis fly.", [1])]),
    ("Kiwis fly [9].", "Kiwis fly.", []),
    ("Kiwis fly [1]. [1]", "Kiwis fly.", [("Kiwis fly", [1])]),
    ("[1]", "", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "removed", "cited"), CASES)
def test_statements(text: str, removed: str, cited: list[tuple[str, list[int]]]) -> None:
    statements = run(text, markers="remove")
    assert statements.text == removed
    assert spans(statements) == cited
    assert spans(run(text)) == cited


def test_kept_markers_are_written_in_one_form() -> None:
    assert run("Kiwis fly [1, 2]. [9] Emus 【3】.").text == "Kiwis fly [1][2]. Emus [3]."
    assert run("[1] Kiwis fly. Emus run.").text == "Kiwis fly. [1] Emus run."


def test_dropped_citations_leave_no_marker() -> None:
    statements = run("Sharks swim [1]. The kiwi cannot fly [1].", unsupported="drop")
    assert statements.text == "Sharks swim. The kiwi cannot fly [1]."
    assert statements.dropped == 1
    assert spans(statements) == [("The kiwi cannot fly", [1])]


def test_sentences_without_markers_are_matched() -> None:
    statements = run("Emus run [2]. The kiwi cannot fly. [9] Sharks swim.", match=True)
    found = zip(statements.citations, spans(statements), strict=True)
    assert [(one.origin, text) for one, (text, _) in found] == [
        ("marker", "Emus run"),
        ("match", "The kiwi cannot fly."),
    ]


def test_ten_thousand_markers_take_linear_time() -> None:
    text = "The kiwi cannot fly [1]. Emus run [9], [2] fast. " * 5_000
    began = perf_counter()
    statements = run(text, range(0, len(text), 4))
    assert len(statements.citations) == 10_000
    first = perf_counter() - began
    assert first < 20
    citation: Citation = statements.citations[-1]
    assert citation.end <= len(statements.text)
