"""Answers of a collection with a background: modes, limits, failures, files, abstention."""

from __future__ import annotations

import pytest

import twindex
from twindex.core import InvalidInputError, ModelError, SourceError
from twindex.core.answers import DoneEvent, SourcesEvent, UsageEvent
from twindex.generate import (
    AbstentionConfig,
    FakeBackgroundConfig,
    FakeGeneratorConfig,
    FeatureWeight,
    LanguageModelBackgroundConfig,
    WrittenBackground,
)
from twindex.search import AnswerRequest, GeneratorRegistry
from twindex.search.answering.backgrounds import BackgroundRegistry

QUESTION = "Can the kiwi fly?"
RULE = AbstentionConfig(
    threshold=0.9, bias=-50, features=[FeatureWeight(name="source_coverage", weight=1)]
)


class Own:
    """A background of a program."""

    kind = "own"

    def write(self, question, limits=None, guard=None):
        return WrittenBackground([f"About: {question}"])


@pytest.fixture
def birds(tmp_path):
    generators = GeneratorRegistry(
        {"fake": FakeGeneratorConfig(), "careful": FakeGeneratorConfig(abstention=RULE)},
        backgrounds=BackgroundRegistry(
            {
                "facts": FakeBackgroundConfig(texts=("The kiwi cannot fly.", "Kiwis are green.")),
                "broken": FakeBackgroundConfig(fails=True),
                "model": LanguageModelBackgroundConfig(llm={"model": "fake"}),
                "own": Own(),
            }
        ),
    )
    config = {"legs": {"lexical": {"kind": "lexical"}}}
    with twindex.create(tmp_path / "birds", config, generators=generators) as collection:
        collection.add([{"id": "kiwi", "text": "The kiwi cannot fly. It lives in New Zealand."}])
        yield collection


def test_no_background_by_default(birds):
    answer = birds.answer(QUESTION)
    assert [one.kind for one in answer.sources] == ["document"]
    assert "background" not in answer.timings


def test_background_is_read_beside_the_passages(birds):
    answer = birds.answer(QUESTION, background="facts")
    assert [one.kind for one in answer.sources] == ["generated", "generated", "document"]
    assert [one.supported_share for one in answer.sources] == [1.0, 0.0, None]
    assert answer.usage.calls == 3
    assert answer.timings["background"] >= 0
    assert {quote.id for one in answer.citations for quote in one.quotes} == {"kiwi"}
    order = {"model": "facts", "combine": "retrieved_first", "share": 0.9}
    last = birds.answer(QUESTION, background=order)
    assert [one.number for one in last.sources] == [1, 0, 0]
    assert birds.answer(QUESTION, background="own").sources[0].text == f"About: {QUESTION}"
    assert birds.answer(QUESTION, background="model").sources[0].kind == "generated"


def test_stream_counts_the_usage_of_both_models(birds):
    events = list(birds.answer_stream(QUESTION, background="facts"))
    assert isinstance(events[0], SourcesEvent)
    (usage,) = [event.usage for event in events if isinstance(event, UsageEvent)]
    assert isinstance(events[-1], DoneEvent)
    assert events[-1].answer.usage == usage
    assert usage.calls == 3


def test_background_only_searches_nothing(birds):
    answer = birds.answer("Can the emu fly?", background={"model": "facts", "only": True})
    assert (answer.search, answer.query) == (None, "")
    assert [one.number for one in answer.sources] == [0, 0]
    assert answer.text == "The kiwi cannot fly. Kiwis are green."
    assert not answer.citations
    assert "lexical" not in answer.timings
    assert any("no passage" in one for one in answer.warnings)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"search": {"limit": 3}}, "answers without a search"),
        ({"background": {"model": "facts", "only": True, "share": 0.3}}, "leave `share` out"),
        (
            {"background": {"model": "facts", "only": True, "on_error": "leave_out"}},
            "leave `on_error` out",
        ),
    ],
)
def test_only_conflicts_with_options_of_passages(birds, fields, message):
    given = {"background": {"model": "facts", "only": True}, **fields}
    with pytest.raises(twindex.ConfigError, match=message):
        birds.answer(QUESTION, **given)


def test_request_can_be_sent_again():
    for background in ("facts", {"model": "facts", "only": True}):
        request = AnswerRequest.parse({"question": "Why?", "background": background})
        assert AnswerRequest.parse(request.model_dump(mode="json")) == request


def test_failure_is_an_error_or_a_named_fallback(birds):
    with pytest.raises(ModelError, match="as set in `fails`"):
        birds.answer(QUESTION, background="broken")
    answer = birds.answer(QUESTION, background={"model": "broken", "on_error": "leave_out"})
    assert [one.kind for one in answer.sources] == ["document"]
    assert answer.warnings == (
        "the answer has no background: the fake background fails, as set in `fails`",
    )
    with pytest.raises(ModelError):
        birds.answer(QUESTION, background={"model": "broken", "only": True})


def test_tokens_limit_background_and_generator_together(birds):
    with pytest.raises(ModelError, match="a limit was reached after 0 of 2"):
        birds.answer(QUESTION, background="facts", tokens=5, max_tokens=1)
    answer = birds.answer(
        QUESTION, background={"model": "facts"}, tokens=40, max_tokens=8, context={"tokens": 100}
    )
    spent = answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert 0 < spent <= 40


def test_nothing_is_generated_if_nothing_is_found(birds):
    answer = birds.answer("zebra", background="broken")
    assert (answer.outcome, answer.reason, answer.usage.calls) == ("no_answer", "no sources", 0)


def test_unknown_name_and_generator_that_does_not_read_it(birds):
    with pytest.raises(InvalidInputError, match="did you mean 'facts'") as caught:
        birds.answer(QUESTION, background="fact")
    assert caught.value.field == "background.model"
    with pytest.raises(InvalidInputError, match="does not read generated texts") as caught:
        birds.answer(QUESTION, background="facts", generator="extractive")
    assert caught.value.field == "background"
    with pytest.raises(InvalidInputError, match="evidence calls no model"):
        birds.evidence(QUESTION, background="facts")


def test_rule_of_abstention_reads_passages_only(birds):
    known = birds.evidence(QUESTION, generator="careful").predictors
    answer = birds.answer(QUESTION, generator="careful", background="facts")
    assert (answer.outcome, answer.reason) == ("no_answer", "insufficient sources")
    assert answer.confidence == pytest.approx(RULE.confidence(known))
    only = {"model": "facts", "only": True}
    alone = birds.answer(QUESTION, generator="careful", background=only)
    assert alone.outcome == "answered"
    assert any("rule of abstention was not applied" in one for one in alone.warnings)


def test_one_file_configures_generators_and_backgrounds(tmp_path):
    path = tmp_path / "generators.toml"
    path.write_text(
        '[generators.short]\nkind = "extractive"\n'
        '[backgrounds.facts]\nkind = "fake"\ntexts = ["Kiwis run."]\n'
    )
    registry = GeneratorRegistry.read(path)
    assert registry.names == ("short", "extractive")
    assert registry.backgrounds.names == ("facts",)
    assert registry.backgrounds.get("facts").write("?").texts == ["Kiwis run."]
    path.write_text('[backgrounds.facts]\nkind = "fakee"\n')
    with pytest.raises(SourceError, match="did you mean"):
        GeneratorRegistry.read(path)
