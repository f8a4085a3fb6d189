"""The headings and the page of a hit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import Document, Passage
from twindex.index import CollectionConfig
from twindex.search import Collection, preview_passages
from twindex.search.finding import places
from twindex.search.finding.places import place
from twindex.search.recent import Recent
from twindex.sources.structure import markup, outline


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
    assert place(short, None) == (("A",), None)
    assert len(places._OUTLINES) == 0
    assert len(outlined) == 3


@pytest.mark.parametrize("metadata", [{}, {"type": "text/plain"}, {"type": "text/x-python"}])
@given(
    st.lists(
        st.sampled_from(["# A", "## B", "C\n===", "text", "", " ", "\f", "\ufeff", "#", "```",
                         "<!-- c -->", "def f():", "long " * 9])
    ),
    st.sampled_from(["\n", "\n\n", "\r\n", "\f"]),
)  # fmt: skip
def test_a_document_of_one_passage_is_where_its_first_word_is(metadata, lines, separator):
    text = separator.join(lines)
    start = next((i for i, one in enumerate(text) if not one.isspace() and one != "\ufeff"), 0)
    found = outline(text, markup(metadata))
    assert place(Document("1", text, metadata=metadata), None) == (
        found.path(start),
        found.page(start) if text else None,
    )


def test_only_the_beginning_of_a_document_of_one_passage_is_read(outlined):
    document = Document("1", "# A\n\n" + "text\n" * 50_000)
    assert place(document, None) == (("A",), None)
    assert outlined[0] < 20


def test_a_hit_of_a_short_document_has_the_place_that_the_preview_shows(tmp_path):
    texts = [
        "# Title\n\nkiwi",
        "\n## Slide one\nkiwi\f## Slide two\nemu",
        "kiwi",
        "\f\n# B\n\fkiwi",
    ]
    documents = [{"id": str(n), "text": text} for n, text in enumerate(texts)]
    config = CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    with Collection.create(tmp_path / "c", config) as collection:
        collection.add(documents)
        hits = {hit.id: hit for hit in collection.search("kiwi")}
    found = {}
    for document, (passage,) in preview_passages(documents, config):
        found[document.id] = passage.headings, passage.page
    assert {id_: (hit.headings, hit.page) for id_, hit in hits.items()} == found
    assert found == {"0": (("Title",), None), "1": (("Slide one",), 1), "2": ((), None),
                     "3": (("B",), 2)}  # fmt: skip
    assert all(hit.passage is None for hit in hits.values())
