"""The rule of abstention: fitted, cross-validated, applied before a model is called."""

from __future__ import annotations

import numpy as np
import pytest

from twindex.core import ConfigError, InvalidInputError
from twindex.core.answers import DoneEvent, SourcesEvent, TextEvent, UsageEvent
from twindex.eval.answers import Examples, fit_abstention, observe
from twindex.generate import AbstentionConfig, ExtractiveConfig, FeatureWeight
from twindex.generate.writers.language_model import LanguageModelGeneratorConfig
from twindex.llm import FakeModel
from twindex.search import GeneratorRegistry

from .questions import QUESTIONS, RULE, opened, some


def examples(n=200, seed=0):
    """Two predictors; the first one decides, with noise. Every question has two examples."""
    random = np.random.default_rng(seed)
    removed = np.arange(n) % 2 == 1
    signal = np.where(removed, 0.0, 2.0) + random.standard_normal(n)
    values = [
        {
            "overlap": float(one),
            "rerank_top": float(random.standard_normal()),
            "source_coverage": 3.0,
        }
        for one in signal
    ]
    sufficient = ~removed & (random.random(n) < 0.9)
    return Examples([f"q{i // 2}" for i in range(n)], values, sufficient, removed)


def test_fit_finds_the_predictor():
    report = fit_abstention(examples())
    assert [one.name for one in report.features] == ["overlap", "rerank_top"]
    assert report.rule.threshold == 0.5
    assert report.log_loss < report.constant_log_loss
    assert report.brier < report.constant_brier
    assert report.nauc is not None
    assert report.nauc > 0.5
    confident = report.rule.confidence({"overlap": 3.0, "rerank_top": 0.0})
    assert confident > 0.8 > 0.2 > report.rule.confidence({"overlap": -1.0, "rerank_top": 0.0})


def test_fit_does_not_depend_on_the_scale_of_a_predictor():
    one = examples()
    other = [{**values, "overlap": 1e3 * values["overlap"] - 7} for values in one.values]
    scaled = Examples(one.questions, other, one.sufficient, one.removed)
    a, b = fit_abstention(one), fit_abstention(scaled)
    for mine, theirs in zip(one.values[:9], other[:9], strict=True):
        assert a.rule.confidence(mine) == pytest.approx(b.rule.confidence(theirs))


def test_threshold_for_an_accuracy_answers_as_much_as_possible():
    low, high = (fit_abstention(examples(), accuracy=share) for share in (0.6, 0.8))
    assert low.at_threshold.accuracy >= 0.6
    assert high.at_threshold.accuracy >= 0.8
    assert low.at_threshold.coverage > high.at_threshold.coverage > 0.1
    assert high.held_out.accuracy == pytest.approx(0.8, abs=0.08)


def test_threshold_for_a_coverage():
    report = fit_abstention(examples(), coverage=0.3)
    assert report.at_threshold.coverage == pytest.approx(0.3, abs=0.01)
    assert fit_abstention(examples(), coverage=1.0).at_threshold.coverage == 1


def test_fewer_unanswerable_questions_raise_the_confidence():
    half, few = (fit_abstention(examples(), unanswerable=share) for share in (0.5, 0.1))
    values = {"overlap": 1.0, "rerank_top": 0.0}
    assert few.rule.confidence(values) > half.rule.confidence(values)
    assert few.accuracy[1.0] == pytest.approx(0.9 * 0.9, abs=0.05)
    assert half.accuracy[1.0] == pytest.approx(0.9 * 0.5, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"accuracy": 1.5}, "accuracy"),
        ({"accuracy": 0.99999}, "accuracy"),
        ({"coverage": 0}, "coverage"),
        ({"accuracy": 0.5, "coverage": 0.5}, "coverage"),
        ({"unanswerable": 1}, "unanswerable"),
        ({"folds": 1}, "folds"),
    ],
)
def test_invalid_options(changes, field):
    given = examples(seed=4)
    if changes == {"accuracy": 0.99999}:  # Confidence says nothing: no threshold reaches it.
        noise = np.random.default_rng(0).random(len(given.values)) < 0.5
        given = Examples(
            given.questions, [{"overlap": float(i % 7)} for i in range(200)], noise, noise
        )
    with pytest.raises(InvalidInputError) as error:
        fit_abstention(given, **changes)
    assert error.value.field == field


def test_both_kinds_of_examples_are_required():
    given = examples()
    every = np.ones(len(given.values), np.bool_)
    with pytest.raises(
        InvalidInputError, match="none of the 200 searches found insufficient sources"
    ):
        fit_abstention(Examples(given.questions, given.values, every, given.removed))


def test_searches_with_and_without_gold_passages(tmp_path):
    with opened(tmp_path / "birds") as collection:
        found = observe(collection, QUESTIONS, {"search": {"limit": 3}})
        gold = observe(collection, some("kiwi"), {"search": {"filter": {"id": "kiwi"}}})
    assert found.questions.count("kiwi") == 2
    pairs = list(zip(found.sufficient.tolist(), found.removed.tolist(), strict=True))
    assert all(one != other for one, other in pairs)
    assert found.sufficient.sum() == 10
    assert (gold.sufficient.tolist(), gold.empty) == ([True], 1)
    report = fit_abstention(found)
    assert report.nauc == pytest.approx(1)


def test_the_rule_abstains_before_the_model_is_called(tmp_path):
    model = FakeModel(lambda prompt: "Paris [1].")
    calls = []
    stream = model.stream
    model.stream = lambda *given: calls.append(given) or stream(*given)
    with opened(tmp_path / "birds", model) as collection:
        made = collection.generators.get("model")
        ruled = LanguageModelGeneratorConfig(abstention=RULE)
        collection.generators = GeneratorRegistry({"ruled": ruled}, load=lambda config: made)
        poor, good = "Who discovered penicillin near the city?", "city does the kiwi live near?"
        events = list(collection.answer_stream(poor))
        assert calls == []
        assert [type(event) for event in events] == [
            SourcesEvent, TextEvent, UsageEvent, DoneEvent,
        ]  # fmt: skip
        answer = events[-1].answer
        assert (answer.outcome, answer.reason) == ("no_answer", "insufficient sources")
        assert answer.text == events[1].text
        assert list(answer.sources) == list(events[0].sources)
        assert 0 < answer.confidence < 0.5
        assert (answer.generator, answer.query) == ("ruled", poor)
        written = collection.answer(poor, abstain=False)
        assert (written.outcome, written.confidence) == ("answered", answer.confidence)
        assert len(calls) == 1
        assert collection.answer(good).confidence > 0.5
        assert len(calls) == 2
        evidence = collection.evidence(poor)
        assert RULE.confidence(evidence.predictors) == answer.confidence
        assert len(calls) == 2


def test_a_rule_with_unknown_predictors_is_not_applied(tmp_path):
    rule = AbstentionConfig(bias=-9, features=[FeatureWeight(name="dense.gap", weight=1)])
    config = ExtractiveConfig(abstention=rule)
    with opened(tmp_path / "birds", ruled=config) as collection:
        answer = collection.answer("the kiwi", generator="ruled")
    assert (answer.outcome, answer.confidence) == ("answered", None)
    assert "this search has no dense.gap" in answer.warnings[-1]


def test_rules_in_toml(tmp_path):
    file = tmp_path / "generators.toml"
    file.write_text(
        '[generators.a]\nkind = "extractive"\n[generators.a.abstention]\nbias = 1\n'
        'features = [{ name = "dense.gap", weight = 2 }]\n'
    )
    rule = GeneratorRegistry.read(file).config("a").abstention
    assert (rule.threshold, rule.names) == (0.5, ["dense.gap"])
    twice = [FeatureWeight(name="overlap", weight=1)] * 2
    with pytest.raises(ConfigError, match="got 'overlap' twice"):
        AbstentionConfig(bias=0, features=twice)
    with pytest.raises(ConfigError, match="threshold"):
        AbstentionConfig(bias=0, threshold=2)
