"""Tests of docstrings as Markdown: fields become a list, and examples become code."""

from __future__ import annotations

from twindex.api.descriptions import fields, without_fields
from twindex.docs.building.docstrings import as_markdown, cell

DOCSTRING = """A search.

    query: the text.
    limit: hits to return,
           at most.

    Raises ConfigError.
    """


def test_fields_include_continuation_lines():
    assert fields(DOCSTRING) == {"query": "the text.", "limit": "hits to return, at most."}
    assert without_fields(DOCSTRING).split() == ["A", "search.", "Raises", "ConfigError."]


def test_fields_become_a_list():
    text = as_markdown(DOCSTRING)
    assert "A search.\n\n- `query`: the text.\n- `limit`: hits to return,\n  at most.\n" in text


def test_sentence_with_colon_is_not_a_field():
    text = "Adds.\n\n    record: runs in the transaction\n    of each batch."
    assert as_markdown(text).endswith("record: runs in the transaction\nof each batch.")


def test_examples_become_code():
    text = as_markdown("A sum.\n\n    >>> 1 + 1  # doctest: +SKIP\n    2\n")
    assert text.endswith("```pycon\n>>> 1 + 1\n2\n```")


def test_markup_is_escaped():
    assert cell("id<TAB>text | `a|b` *") == "id&lt;TAB&gt;text \\| `a\\|b` \\*"
