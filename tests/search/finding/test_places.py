"""The headings and the page of a hit."""

from __future__ import annotations

import pytest

from twindex.core import Document, Passage
from twindex.search.finding import places
from twindex.search.finding.places import place
from twindex.search.recent import Recent
from twindex.sources.structure import outline


@pytest.fixture
def outlined(monkeypatch):
    """Return a list of the lengths of the texts whose outline is computed."""
    lengths = []

    def counted(text, written):
        lengths.append(len(text))
        return outline(text, written)

    monkeypatch.setattr(places, "outline", counted)
    monkeypatch.setattr(places, "_OUTLINES", Recent(1_000, lambda found: len(found.headings)))
    return lengths


def test_the_outline_of_a_long_text_is_computed_once(outlined):
    text = "".join(f"# Part {n}\n\n{'word ' * 200}\n\f" for n in range(40))
    document = Document("1", text)
    for n in (3, 30, 3):
        start = text.index(f"# Part {n}\n")
        expected = ((f"Part {n}",), n + 1)
        assert place(document, Passage(start + 20, start + 30)) == expected
    assert outlined == [len(text)]
    plain = Document("1", text, metadata={"type": "text/plain"})
    assert place(plain, Passage(20, 30)) == ((), 1)
    changed = Document("1", text.replace("Part 3\n", "Another\n"))
    start = changed.text.index("# Another")
    assert place(changed, Passage(start, start + 30)) == (("Another",), 4)
    assert outlined == [len(text), len(text), len(changed.text)]


def test_a_short_text_and_a_document_without_a_passage_need_no_memory(outlined):
    short = Document("1", "# A\n\ntext")
    assert [place(short, Passage(5, 9)) for _ in range(2)] == [(("A",), None)] * 2
    assert place(short, None) == ((), None)
    assert len(places._OUTLINES) == 0
    assert len(outlined) == 2
