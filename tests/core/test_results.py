"""Search results as text, HTML, records and data frames."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from twindex.core import (
    Document,
    Hit,
    LegScore,
    MissingExtraError,
    Passage,
    SearchResult,
    WriteReport,
)
from twindex.core.display import as_records, one_line

KIWI = Document("kiwi", "A bird. The kiwi cannot fly.", "Kiwi <b>", {"year": 1813})
RESULT = SearchResult(
    hits=(
        Hit("kiwi", 0.97, {"dense": LegScore(2, 0.61), "lexical": LegScore(1, 5.2)},
            Passage(8, 28), KIWI),
        Hit("emu", 0.5, {"dense": LegScore(1, 0.7)}),
    ),
    total=42,
    relation="gte",
    timings={"encode": 1.0, "fuse": 0.25},
    warnings=("the query was cut",),
)  # fmt: skip


def test_hit_has_the_fields_of_its_document():
    kiwi, emu = RESULT
    assert (kiwi.title, kiwi.text, kiwi.metadata) == (KIWI.title, KIWI.text, KIWI.metadata)
    assert kiwi.passage_text == "The kiwi cannot fly."
    assert (emu.title, emu.text, emu.metadata, emu.passage_text) == ("", "", {}, "")
    assert len(RESULT) == 2


def test_a_result_prints_as_a_list_of_hits():
    assert repr(RESULT).splitlines() == [
        "SearchResult: 2 of at least 42 documents, 1.2 ms; the query was cut",
        "   1  kiwi  0.9700  dense 2, lexical 1  Kiwi <b>",
        "   2  emu   0.5000  dense 1",
    ]


def test_loading_is_no_time_of_the_search():
    assert replace(RESULT, timings={"load": 2_000.0, "encode": 1.5}).milliseconds == 1.5


def test_a_notebook_shows_a_table_of_escaped_text():
    html = RESULT._repr_html_()
    assert "<b>" not in html
    assert "<td>Kiwi &lt;b&gt;</td>" in html
    assert html.count("<tr>") == 3


def test_records_have_a_column_for_each_leg():
    first, second = as_records(RESULT.hits)
    assert first == {
        "rank": 1, "id": "kiwi", "score": 0.97, "title": "Kiwi <b>", "text": KIWI.text,
        "passage": "The kiwi cannot fly.", "headings": [], "page": None, "metadata": {"year": 1813},
        "dense_rank": 2, "dense_score": 0.61, "lexical_rank": 1, "lexical_score": 5.2,
    }  # fmt: skip
    assert (second["lexical_rank"], second["lexical_score"]) == (None, None)


def test_pandas_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'twindex\[notebook\]'"):
        RESULT.to_pandas()


def test_a_frame_has_a_row_for_each_hit():
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = RESULT.to_pandas()
    assert list(frame["id"]) == ["kiwi", "emu"]
    assert frame["dense_rank"].tolist() == [2, 1]


def test_long_texts_are_one_short_line():
    assert one_line("a\n b\t c") == "a b c"
    assert one_line("x" * 100, 60) == "x" * 59 + "…"


def test_write_reports_add_up():
    one = WriteReport(1, 1, 2, {"dense": 1}, None, 3)
    assert one + one == WriteReport(2, 2, 4, {"dense": 2}, None, 6)


def test_a_result_is_a_sequence_of_its_hits():
    assert RESULT[0].id == "kiwi"
    assert [hit.id for hit in reversed(RESULT)] == ["emu", "kiwi"]
    empty = SearchResult((), 0, "eq", {})
    assert list(empty) == []
    assert repr(empty) == "SearchResult: 0 of 0 documents, 0.0 ms"


def test_control_characters_are_not_printed():
    odd = Hit("\x1b]0;title\x07", -1e300, {}, None, Document("a", "x\u202ey"))
    printed = repr(SearchResult((odd,), 1, "eq", {}, ("two\nlines\x1b",)))
    assert printed.splitlines() == [
        "SearchResult: 1 of 1 documents, 0.0 ms; two lines?",
        "   1  ?]0;title?  -1e+300    x?y",
    ]


def test_a_frame_of_no_hits_has_the_columns():
    pytest.importorskip("pandas", reason="pandas is not installed")
    assert "id" in SearchResult((), 0, "eq", {}).to_pandas().columns
