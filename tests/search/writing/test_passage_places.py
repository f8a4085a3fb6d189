"""A hit tells the headings, the page and the neighbours of its best passage."""

from __future__ import annotations

import pytest

from twindex.core import Document, InvalidInputError
from twindex.encoders import PassageConfig
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection, preview_passages

TEXT = """# Birds

Birds have feathers. They lay eggs.

## Kiwi

The kiwi cannot fly. It sleeps by day.
\f
## Albatross

The albatross soars for hours. It seldom lands.

## Penguin

The penguin swims. It cannot soar.
"""
CONFIG = CollectionConfig(
    legs={"lexical": LexicalLeg()},
    passages=PassageConfig(
        unit="sentences", size=9, overlap=0, threshold=0, structure=True, headings=True
    ),
)


@pytest.fixture
def birds(tmp_path):
    with Collection.create(tmp_path / "birds", CONFIG) as collection:
        collection.add([Document("birds", TEXT, "Birds"), Document("short", "A sparrow hops.")])
        yield collection


def test_a_hit_has_headings_and_page(birds):
    hit = birds.search("soars hours", limit=1)[0]
    assert hit.headings == ("Birds", "Albatross")
    assert hit.page == 2
    assert birds.search("kiwi fly", limit=1)[0].page == 1
    assert hit.context is None
    assert hit.context_text == hit.passage_text


def test_a_document_that_stays_whole_has_neither(birds):
    hit = birds.search("sparrow")[0]
    assert (hit.passage, hit.context, hit.headings, hit.page) == (None, None, (), None)


def test_without_the_document_there_are_no_headings(birds):
    hit = birds.search("soars hours", include=())[0]
    assert (hit.headings, hit.page) == ((), None)
    hit = birds.search("soars hours", include=("title",))[0]
    assert (hit.headings, hit.page, hit.text) == (("Birds", "Albatross"), 2, "")


@pytest.mark.parametrize("sealed", [False, True])
def test_neighbours_widen_the_context(birds, sealed):
    if sealed:
        birds.merge()
    (document, passages), _ = preview_passages(
        [Document("birds", TEXT, "Birds"), Document("short", "A sparrow hops.")], CONFIG
    )
    plain = birds.search("soars hours", limit=1)[0]
    at = next(i for i, one in enumerate(passages) if one.start == plain.passage.start)
    for count in (1, 2, 50):
        hit = birds.search("soars hours", limit=1, neighbours=count)[0]
        assert hit.passage == plain.passage
        first, last = max(0, at - count), min(len(passages) - 1, at + count)
        assert hit.context_text == TEXT[passages[first].start : passages[last].end]
    assert document.id == "birds"
    whole = birds.search("sparrow", neighbours=2)[0]
    assert whole.context is None
    assert whole.context_text == "A sparrow hops."


def test_headings_are_searched_if_encoders_read_them(birds):
    text = "# Birds\n\n## Kiwi\n\nfirst words here. second words there. third words everywhere now."
    birds.add([Document("k", text)])
    hits = {hit.id: hit for hit in birds.search("kiwi", limit=10)}
    assert "k" in hits
    _, passages = next(preview_passages([Document("k", text)], CONFIG))
    assert all(one.text.startswith("Birds Kiwi") for one in passages[1:])
    assert len(passages) > 1


def test_too_many_neighbours_are_refused(birds):
    with pytest.raises(InvalidInputError, match="neighbours"):
        birds.search("x", neighbours=101)


def test_a_preview_is_what_is_stored(birds):
    (_, passages), *_ = preview_passages([Document("birds", TEXT, "Birds")], CONFIG)
    assert len(passages) == birds.info()["passages"] - 1
    assert [one.page for one in passages] == [1, 1, 1, 1, 2, 2, 2, 2][: len(passages)] or passages
