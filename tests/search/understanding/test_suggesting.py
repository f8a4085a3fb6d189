"""Suggestions for misspelled words: the search for near terms, and whole suggestions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import Document, UnsupportedByStoreError
from twindex.encoders import AnalyzerConfig
from twindex.index import CollectionConfig, LexicalLeg
from twindex.index.inverted.near_terms import SPARE, distance, near_terms
from twindex.search import Collection

from ...conformance.stores import made

words = st.text("abc", min_size=1, max_size=7)


def reference(one: str, other: str) -> int:
    """Return the distance of optimal string alignment, by its recursive definition."""
    if not one or not other:
        return len(one) + len(other)
    found = [
        reference(one[:-1], other[:-1]) + (one[-1] != other[-1]),
        reference(one[:-1], other) + 1,
        reference(one, other[:-1]) + 1,
    ]
    if one[-2:] == other[-2:][::-1] and len(one) > 1 and len(other) > 1:
        found.append(reference(one[:-2], other[:-2]) + 1)
    return min(found)


short = st.text("abc", max_size=5)


@given(short, short)
def test_distance_equals_its_definition(one, other):
    assert distance(one, other) == reference(one, other)


@given(st.lists(words, unique=True, max_size=12), words, words, st.integers(0, 2))
def test_near_terms_compares_every_term(terms, word, rest, most):
    stem = word[:1] + rest[:4]
    raw = [term.encode() for term in terms]
    offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
    joined = np.frombuffer(b"".join(raw), dtype=np.uint8)
    numbers, costs = near_terms(offsets, joined, word.encode(), stem.encode(), most)
    expected = {}
    for number, term in enumerate(terms):
        if term[0] != word[0] or not (len(word) + 1) // 2 <= len(term) <= len(word) + SPARE:
            continue
        prefixes = [word[:n] for n in range(len(word) + 1)]
        cost = min(distance(term, stem), *(distance(term, one) for one in prefixes))
        if cost <= most:
            expected[number] = cost
    assert dict(zip(numbers.tolist(), costs.tolist(), strict=True)) == expected


DOCUMENTS = [
    Document("1", "The theory of relativity by Einstein.", "Relativity"),
    Document("2", "General relativity and gravitation; Einstein's equations."),
    Document("3", "Retrieval of documents, and how documents are retrieved."),
    Document("4", "A boundary layer, and the boundary of a wing. WORLD champion 2019."),
    Document("5", "Die Straßenbahn fährt über die Brücke."),
]
ENGLISH = CollectionConfig(legs={"lexical": LexicalLeg()})


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    with Collection.create(tmp_path_factory.mktemp("suggest") / "c", ENGLISH) as found:
        found.add(DOCUMENTS[:3])
        found.merge()
        found.add(DOCUMENTS[3:])  # A segment and the delta.
        yield found


@pytest.mark.parametrize(
    ("query", "suggestion"),
    [
        ("relativty", "relativity"),
        ("theory of Relativty", "theory of Relativity"),
        ("RELATIVTY", "RELATIVITY"),
        ("retreival of documnets", "retrieval of documents"),
        ("einstien relativty", "Einstein relativity"),
        ("boundry layer", "boundary layer"),
        ("brüke", "brücke"),
        ("wrld", "world"),
        ("relativity", None),
        ("relative", None),  # Has the same stem.
        ("xylophone", None),
        ("elativity", None),  # The first character must be right.
        ("2018x", None),
        ("wng", None),  # Too short.
        ("the of", None),
        ("", None),
    ],
)
def test_suggestions(collection, query, suggestion):
    found = collection.search(query, suggest=True).suggestion
    expected = None if suggestion is None else suggestion.casefold()
    assert (found and found.casefold()) == expected
    if suggestion is not None and suggestion != suggestion.lower() and "Ein" not in suggestion:
        assert found == suggestion


def test_names_keep_their_capital(collection):
    assert collection.search("einstien", suggest=True).suggestion == "Einstein"


def test_nothing_is_suggested_without_the_field(collection):
    assert collection.search("relativty").suggestion is None


def test_a_rare_word_gives_way_to_a_far_more_frequent_one(tmp_path):
    config = CollectionConfig(legs={"lexical": LexicalLeg()})
    common = [Document(str(n), "boundary layer") for n in range(1_000)]
    with Collection.create(tmp_path / "c", config) as found:
        found.add([*common[:999], Document("typo", "bounary layer")])
        assert found.search("bounary", suggest=True).suggestion == "boundary"
        found.delete([str(n) for n in range(960)])
        assert found.search("bounary", suggest=True).suggestion is None


def test_languages_are_all_considered(tmp_path):
    encoder = AnalyzerConfig(language="de,en")
    config = CollectionConfig(legs={"lexical": LexicalLeg(encoder=encoder)})
    with Collection.create(tmp_path / "c", config) as found:
        found.add([Document("de", "Die alten Häuser der Stadt stehen am Fluss und an der Brücke."),
                   Document("en", "The old houses of the city stand by the river.")])  # fmt: skip
        assert found.search("Häusser", suggest=True).suggestion == "Häuser"
        assert found.search("houzes", suggest=True).suggestion == "houses"
        assert found.search("Haus", suggest=True).suggestion is None


def test_a_store_without_vocabulary_is_named(tmp_path):
    with pytest.raises(
        UnsupportedByStoreError, match="suggest: this store does not list the terms"
    ):
        made("bare", tmp_path).search("x", suggest=True)


def test_a_dictionary_finds_near_terms(collection):
    with collection.store.view() as view:
        found = view.near_terms("lexical", "relativty", "relativti", 2)
    assert ("relat", 0) in found


def test_a_suggestion_keeps_the_conditions_of_the_query(tmp_path):
    config = CollectionConfig(legs={"lexical": LexicalLeg()})
    with Collection.create(tmp_path / "c", config) as found:
        found.add([Document("moa", "The moa had no wings.", metadata={"year": 1300})])
        result = found.search("moa year:<1600 wigns", suggest=True, parse_filters=True)
        assert result.query == "moa wigns"
        assert result.suggestion == "moa wings year:<1600"
        again = found.search(result.suggestion, suggest=True, parse_filters=True)
        assert (again.suggestion, again.filter) == (None, result.filter)
