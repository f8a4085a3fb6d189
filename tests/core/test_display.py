"""Texts for a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twindex.core.display import printable


def test_a_terminal_gets_no_control_characters() -> None:
    assert printable("red \x1b[31m\r\nnext\tcell\u00a0end\x07\r") == "red ?[31m\nnext\tcell end??"
    assert printable("Grüße 🐦 東京") == "Grüße 🐦 東京"


@given(st.text())
def test_only_line_breaks_and_tabs_are_kept(text: str) -> None:
    shown = printable(text)
    assert all(one.isprintable() or one in "\n\t" for one in shown)
    assert printable(shown) == shown
