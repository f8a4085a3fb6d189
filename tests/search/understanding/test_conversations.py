"""Answers in a conversation: the follow-up question is rewritten before the search."""

from __future__ import annotations

import pytest

from twindex.core import ConfigError, Document, InvalidInputError
from twindex.encoders import AnalyzerConfig
from twindex.generate.rewriting import FakeRewriterConfig, StandaloneConfig
from twindex.generate.rewriting.standalone import StandaloneRewriter
from twindex.index import CollectionConfig, LexicalLeg
from twindex.llm.fake import FakeModel
from twindex.search import Collection, RewriterRegistry

TURNS = [
    {"role": "user", "content": "Where does the kiwi live?"},
    {"role": "assistant", "content": "In New Zealand."},
]
DOCUMENTS = [
    Document("diet", "The kiwi eats worms and insects."),
    Document("home", "The kiwi lives in New Zealand."),
    Document("tea", "The English eat scones with tea."),
]


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    model = FakeModel(lambda prompt: "What does the kiwi eat?")
    rewriters = RewriterRegistry(
        {
            "more": FakeRewriterConfig(texts=("worms",)),
            "follow": StandaloneConfig(),
        },
        load=lambda config: (
            StandaloneRewriter(config, model)
            if isinstance(config, StandaloneConfig)
            else config.load()
        ),
    )
    config = CollectionConfig(legs={"lexical": LexicalLeg(encoder=AnalyzerConfig(language="en"))})
    path = tmp_path_factory.mktemp("answers") / "c"
    with Collection.create(path, config, rewriters=rewriters) as opened:
        opened.add(DOCUMENTS)
        yield opened


def test_a_follow_up_question_becomes_a_standalone_query(collection):
    found = collection.answer("And what does it eat?", turns=TURNS)
    assert found.query == "What does the kiwi eat?"
    assert found.sources[0].id == "diet"
    (stage,) = found.stages
    assert (stage.name, stage.status) == ("follow", "ran")
    assert stage.queries == ["What does the kiwi eat?"]
    assert "rewrite" in found.timings
    assert found.stages == found.search.stages


def test_a_question_without_earlier_turns_is_searched_as_it_is(collection):
    found = collection.answer("What does the kiwi eat?")
    assert (found.query, found.stages) == ("What does the kiwi eat?", ())


def test_rewriting_can_be_switched_off_or_done_by_the_caller(collection):
    for fields in ({"rewrite": False}, {"search": {"query": "kiwi"}}):
        found = collection.answer("And what does it eat?", turns=TURNS, **fields)
        assert found.stages == ()
    assert found.query == "kiwi"


def test_another_rewriter_can_be_named(collection):
    found = collection.answer("What does it eat?", turns=TURNS, rewrite="more")
    assert found.query == "What does it eat?"
    assert found.stages[0].queries == ["worms"]
    assert "diet" in {source.id for source in found.sources}
    inside = collection.answer("What does it eat?", turns=TURNS, search={"rewrite": "more"})
    assert inside.stages[0].queries == ["worms"]


def test_evidence_has_the_sources_of_the_rewritten_search(collection):
    found = collection.evidence("And what does it eat?", turns=TURNS)
    assert found.sources[0].id == "diet"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rewrite": "more", "search": {"rewrite": "more"}}, "set only one of them"),
        ({"rewrite": {"model": "more", "turns": TURNS}}, "are the `turns` of the answer"),
        ({"rewrite": True}, "rewrite"),
        ({"rewrite": "nobody"}, "there is no rewriter 'nobody'"),
        ({"rewrite": "more", "search": {"vectors": {"dense": [1]}}}, "requires a query text"),
    ],
)
def test_a_wrong_rewriting_is_refused(collection, fields, message):
    with pytest.raises((ConfigError, InvalidInputError), match=message):
        collection.answer("What?", **fields)
