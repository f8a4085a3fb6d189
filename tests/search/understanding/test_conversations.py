"""Answers in a conversation: the follow-up question is rewritten before the search."""

from __future__ import annotations

import pytest

from twindex.core import ConfigError, Document, InvalidInputError
from twindex.encoders import AnalyzerConfig
from twindex.generate import (
    AbstentionConfig,
    ExtractiveConfig,
    FakeBackgroundConfig,
    load_generator,
)
from twindex.generate.abstention import FeatureWeight
from twindex.generate.fake import FakeGeneratorConfig
from twindex.generate.rewriting import FakeRewriterConfig, StandaloneConfig
from twindex.generate.rewriting.standalone import StandaloneRewriter
from twindex.index import CollectionConfig, LexicalLeg
from twindex.llm.fake import FakeModel
from twindex.search import AnswerRequest, Collection, GeneratorRegistry, RewriterRegistry
from twindex.search.answering.backgrounds import BackgroundRegistry

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
        ({"rewrite": {"model": "more", "turns": TURNS}}, "because the rewriter receives `turns`"),
        ({"rewrite": False, "search": {"rewrite": "more"}}, "`search.rewrite` is set"),
        ({"rewrite": "nobody"}, "there is no rewriter 'nobody'"),
        ({"rewrite": "more", "search": {"vectors": {"dense": [1]}}}, "requires a query text"),
    ],
)
def test_a_wrong_rewriting_is_refused(collection, fields, message):
    with pytest.raises((ConfigError, InvalidInputError), match=message):
        collection.answer("What?", **fields)


PAINTERS = [
    Document(
        "bosch", "Hieronymus Bosch was born about 1450 in Den Bosch.", metadata={"year": 1450}
    ),
    Document("moa", "The moa had no wings.", metadata={"year": 1300}),
]
BORN = "When was Hieronymus Bosch born?"
ABOUT_HIM = [
    {"role": "user", "content": "Who painted The Garden of Earthly Delights?"},
    {"role": "assistant", "content": "Hieronymus Bosch painted it."},
]
RULE = AbstentionConfig(bias=-5, features=(FeatureWeight(name="source_coverage", weight=10),))


class Heard:
    """A generator that records its tasks."""

    kind = "heard"
    reads_background = True

    def __init__(self):
        self._generator = load_generator(FakeGeneratorConfig())
        self.tasks, self.limits = [], []

    def stream(self, task, limits=None):
        self.tasks.append(task)
        self.limits.append(limits)
        return self._generator.stream(task, limits)


HEARD = Heard()


@pytest.fixture(scope="module")
def painters(tmp_path_factory):
    rewriters = RewriterRegistry(
        {"alone": FakeRewriterConfig(how="replace", texts=(BORN,), weight=0)}
    )
    generators = GeneratorRegistry(
        {"extractive": ExtractiveConfig(abstention=RULE), "heard": HEARD},
        backgrounds=BackgroundRegistry({"fake": FakeBackgroundConfig()}),
    )
    config = CollectionConfig(legs={"lexical": LexicalLeg(encoder=AnalyzerConfig(language="en"))})
    path = tmp_path_factory.mktemp("painters") / "c"
    with Collection.create(path, config, rewriters=rewriters, generators=generators) as opened:
        opened.add(PAINTERS)
        yield opened


def test_generator_and_rule_of_abstention_receive_the_standalone_question(painters):
    direct = painters.answer(BORN)
    found = painters.answer("When did that happen for him?", turns=ABOUT_HIM)
    assert (found.outcome, found.query) == ("answered", BORN)
    assert (found.text, found.confidence) == (direct.text, direct.confidence)
    assert found.confidence > 0.9
    evidence = painters.evidence("When did that happen for him?", turns=ABOUT_HIM)
    assert evidence.predictors["source_coverage"] == 1


def test_background_and_prompt_have_the_standalone_question(painters):
    found = painters.answer(
        "When did that happen for him?", turns=ABOUT_HIM, generator="heard", background="fake"
    )
    assert found.sources[0].text.endswith(BORN)
    task = HEARD.tasks[-1]
    assert task.question == BORN
    assert [turn.content for turn in task.turns] == [one["content"] for one in ABOUT_HIM]


def test_a_query_of_the_caller_does_not_replace_the_question(painters):
    painters.answer("Who is this?", search={"query": "bosch"}, generator="heard")
    assert HEARD.tasks[-1].question == "Who is this?"


def test_conditions_in_the_question_are_no_words_of_it(painters):
    found = painters.answer("moa wings year:<1400", search={"parse_filters": True})
    assert (found.outcome, found.query) == ("answered", "moa wings")
    assert found.text == painters.answer("moa wings").text
    painters.answer("moa year:<1400", search={"parse_filters": True}, generator="heard")
    assert HEARD.tasks[-1].question == "moa"
    only = painters.answer("year:<1400", search={"parse_filters": True}, generator="heard")
    assert HEARD.tasks[-1].question == "year:<1400"
    assert only.query == ""


@pytest.mark.parametrize(
    ("rewrite", "field", "message"),
    [
        (True, "rewrite", "must be false, the name of a rewriter, or an object"),
        (0, "rewrite", "must be false, the name of a rewriter, or an object"),
        ("", "rewrite", "must be false, the name of a rewriter, or an object"),
        ({}, "rewrite.model", "is required"),
        ({"modle": "more"}, "rewrite.modle", "did you mean `model`"),
        ({"model": "more", "tokens": -1}, "rewrite.tokens", "must be"),
    ],
)
def test_an_error_names_the_field_of_the_rewriting(collection, rewrite, field, message):
    with pytest.raises(ConfigError, match=message) as error:
        collection.answer("What?", rewrite=rewrite)
    assert error.value.field == field


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"search": {"vectors": {"dense": [1.0]}}}, "search.vectors.dense"),
        ({"search": {"rewrite": "nobody"}}, "search.rewrite.model"),
        ({"rewrite": "nobody"}, "rewrite.model"),
    ],
)
def test_an_error_of_the_search_names_the_field_of_the_answer(collection, fields, field):
    with pytest.raises(InvalidInputError) as error:
        collection.answer("What?", **fields)
    assert error.value.field == field


def test_the_cost_of_rewriting_is_part_of_the_usage(painters):
    rewriting = painters.search("him?", rewrite="alone").usage
    assert rewriting.calls == 1
    *_, usage, done = painters.answer_stream("him?", rewrite="alone", generator="extractive")
    assert usage.usage == done.answer.usage == rewriting
    whole = painters.answer("him?", rewrite="alone", generator="heard", background="fake")
    assert whole.usage.calls == 3


def test_the_limit_of_tokens_includes_the_rewriter(painters):
    found = painters.answer("him?", rewrite="alone", tokens=3)
    assert found.stages[0].status == "failed"
    assert "limit" in found.warnings[0]
    painters.answer("him?", rewrite="alone", generator="heard", tokens=100, max_tokens=20)
    spent = painters.search("him?", rewrite="alone").usage
    assert HEARD.limits[-1].tokens == 100 - spent.prompt_tokens - spent.completion_tokens


def test_a_closed_answer_counts_what_was_spent(painters):
    before = painters.usage.calls
    events = painters.answer_stream("him?", rewrite="alone", generator="heard", background="fake")
    next(events)
    events.close()
    assert painters.usage.calls == before + 2
    painters.answer("him?", rewrite="alone", generator="heard", background="fake")
    assert painters.usage.calls == before + 5


def test_a_question_that_is_too_long_is_counted_in_characters():
    for fields, field in (
        ({"question": "x" * 100_001}, "question"),
        ({"question": "x", "turns": [{"role": "user", "content": "x" * 100_001}]}, "turns[0].con"),
    ):
        with pytest.raises(ConfigError) as caught:
            AnswerRequest.parse(fields)
        assert str(caught.value).startswith(field)
        assert caught.value.message == "must have at most 100,000 characters, got 100,001"
