"""Parts of other packages that fail or break their protocol: the error names the part."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import twindex
from twindex.core import ConfigError, ModelError, Usage
from twindex.core.answers import Answer, DoneEvent, SourcesEvent, TextEvent, UsageEvent
from twindex.generate import FakeBackgroundConfig, FakeGeneratorConfig, WrittenBackground
from twindex.generate.rewriting import FakeRewriterConfig, Rewrites, RewrittenText
from twindex.rerank import FakeRerankerConfig, Placed, Reranked
from twindex.rerank.protocol import Needs
from twindex.search import GeneratorRegistry, RerankerRegistry, RewriterRegistry
from twindex.search.answering.backgrounds import BackgroundRegistry

DONE = DoneEvent(Answer("Yes.", "answered"))


class Part:
    """A part of another package. `work` stands for its method."""

    kind = "own"
    needs = Needs()

    def __init__(self):
        self.work = None

    def _call(self, *given, **fields):
        return self.work(*given)

    stream = rewrite = rerank = write = _call


def raising(*_):
    raise RuntimeError("a slip in /secret/path")


def missing(config):
    raise OSError("no such file: /secret/path")


PART = Part()


def registry(kind, config):
    def load(one):
        return PART if one.kind == PART.kind else missing(one)

    return kind({"own": PART, "gone": config}, load=load)


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    backgrounds = registry(BackgroundRegistry, FakeBackgroundConfig())
    generators = GeneratorRegistry(
        {"fake": FakeGeneratorConfig(), "own": PART, "gone": FakeGeneratorConfig(text="gone")},
        load=lambda one: missing(one) if getattr(one, "text", "") == "gone" else one.load(),
        backgrounds=backgrounds,
    )
    with twindex.create(
        tmp_path_factory.mktemp("birds") / "c",
        {"legs": {"lexical": {"kind": "lexical"}}},
        generators=generators,
        rewriters=registry(RewriterRegistry, FakeRewriterConfig(texts=("kiwi",))),
        rerankers=registry(RerankerRegistry, FakeRerankerConfig()),
    ) as collection:
        collection.add([{"id": "kiwi", "text": "The kiwi cannot fly."}])
        collection.add([{"id": "emu", "text": "The emu cannot fly."}])
        yield collection


GENERATED = [
    (lambda *_: None, "returned NoneType in place of events"),
    (lambda *_: [], "ended without the event `done`"),
    (lambda *_: [TextEvent("a")], "must yield the event sources here, got TextEvent"),
    (lambda *_: [SourcesEvent(["text"])], "returned the source 'text'"),
    (lambda *_: [SourcesEvent([]), TextEvent(b"a")], "wrote b'a', not a text"),
    (lambda *_: [SourcesEvent([]), "a"], "must yield events, got str"),
    (lambda *_: [SourcesEvent([]), SourcesEvent([])], "got SourcesEvent"),
    (lambda *_: [SourcesEvent([]), UsageEvent(3)], "returned the usage 3"),
    (lambda *_: [SourcesEvent([]), DoneEvent("Yes.")], "returned str in place of an Answer"),
    (lambda *_: [SourcesEvent([]), DoneEvent(Answer(7, "answered"))], "returned the text 7"),
    (lambda *_: [SourcesEvent([]), DoneEvent(Answer("a", "maybe"))], "outcome is 'maybe'"),
    (lambda *_: [SourcesEvent([]), UsageEvent(Usage())], "ended without the event `done`"),
]


@pytest.mark.parametrize(("work", "message"), GENERATED)
def test_a_generator_that_breaks_its_protocol(birds, work, message):
    PART.work = work
    with pytest.raises(ModelError, match=rf"^generator 'own' .*{message}"):
        birds.answer("Can the kiwi fly?", generator="own")


def test_what_a_generator_raises(birds, caplog):
    PART.work = raising
    with pytest.raises(ModelError, match=r"^generator 'own' failed with RuntimeError") as caught:
        birds.answer("Can the kiwi fly?", generator="own")
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert "secret" not in str(caught.value)
    assert "/secret/path" in caplog.text
    with pytest.raises(ModelError, match=r"^generator 'own'"):
        birds.evidence("Can the kiwi fly?", generator="own")
    PART.work = lambda *_: iter([SourcesEvent([]), DONE, "never read"])
    assert birds.answer("Can the kiwi fly?", generator="own").text == "Yes."


def test_a_guard_of_the_caller_is_not_a_fault_of_the_generator(birds):
    over = False

    def check():
        if over:
            raise TimeoutError("the caller gave up")

    def work(*_):
        nonlocal over
        over = True
        raise ValueError("interrupted")

    PART.work = work
    with pytest.raises(TimeoutError, match="gave up"):
        birds.answer("Can the kiwi fly?", generator="own", guard=twindex.core.Guard(check))


BACKGROUNDS = [
    (raising, "failed with RuntimeError"),
    (lambda *_: "text", "returned str in place of WrittenBackground"),
    (lambda *_: WrittenBackground("text"), "returned str in place of a list of texts"),
    (lambda *_: WrittenBackground([7]), "returned the text 7"),
    (lambda *_: WrittenBackground([]), "has no text: it wrote none"),
]


@pytest.mark.parametrize(("work", "message"), BACKGROUNDS)
def test_a_background_that_fails_is_an_error_or_left_out(birds, work, message):
    PART.work = work
    with pytest.raises(ModelError, match=rf"^background 'own' {message}"):
        birds.answer("Can the kiwi fly?", background="own")
    wanted = {"model": "own", "on_error": "leave_out"}
    answer = birds.answer("Can the kiwi fly?", background=wanted)
    assert answer.outcome == "answered"
    assert f"the answer has no background: background 'own' {message}" in answer.warnings[0]


def test_a_background_that_cannot_be_loaded_is_an_error_or_left_out(birds):
    message = "loading background 'gone' failed with OSError"
    for wanted in ("gone", {"model": "gone", "only": True}):
        with pytest.raises(ModelError, match=message):
            birds.answer("Can the kiwi fly?", background=wanted)
    wanted = {"model": "gone", "on_error": "leave_out"}
    answer = birds.answer("Can the kiwi fly?", background=wanted)
    assert answer.outcome == "answered"
    assert answer.warnings[0].startswith(f"the answer has no background: {message}")


REWRITTEN = [
    (raising, "failed with RuntimeError"),
    (lambda *_: None, "returned NoneType in place of a list of results"),
    (lambda *_: [], "returned 0 results for 1 questions"),
    (lambda *_: ["kiwi"], "returned the result 'kiwi'"),
    (lambda *_: [Rewrites(["kiwi"])], "returned the text 'kiwi'"),
    (lambda *_: [Rewrites([RewrittenText(7, "query")])], "returned the text 7"),
    (lambda *_: [Rewrites([RewrittenText(" ", "query")])], "returned the text ' '"),
    (lambda *_: [Rewrites((), "done")], "returned the status 'done'"),
]


@pytest.mark.parametrize(("work", "message"), REWRITTEN)
def test_a_rewriter_that_fails_is_an_error_or_the_query_is_kept(birds, work, message):
    PART.work = work
    found = birds.search("kiwi", rewrite="own")
    assert [hit.id for hit in found] == ["kiwi"]
    assert f"rewriter 'own' {message}" in found.stages[0].reason
    with pytest.raises(ModelError, match=rf"^rewriter 'own' {message}"):
        birds.search("kiwi", rewrite={"model": "own", "on_error": "fail"})


RERANKED = [
    (raising, "failed with RuntimeError"),
    (lambda *_: [], "returned 0 results for 1 tasks"),
    (lambda *_: None, "returned NoneType for 1 tasks"),
    (lambda *_: [3], "returned int in place of Reranked"),
    (lambda *_: [Reranked([Placed(0), Placed(0)])], "must return each of 2 candidates once"),
]


@pytest.mark.parametrize(("work", "message"), RERANKED)
def test_a_reranker_that_fails_is_an_error_or_the_order_is_kept(birds, work, message):
    PART.work = work
    found = birds.search("the fly", rerank={"model": "own"})
    assert found.rerank.status == "failed"
    assert f"reranker 'own' {message}" in found.rerank.warnings[0]
    with pytest.raises(ModelError, match=rf"^reranker 'own' {message}"):
        birds.search("the fly", rerank={"model": "own", "on_error": "fail"})


def test_parts_that_cannot_be_loaded(birds):
    assert "loading rewriter 'gone'" in birds.search("kiwi", rewrite="gone").stages[0].reason
    found = birds.search("kiwi", rerank={"model": "gone"})
    assert "loading reranker 'gone'" in found.rerank.warnings[0]
    with pytest.raises(ModelError, match="loading generator 'gone' failed with OSError"):
        birds.answer("Can the kiwi fly?", generator="gone")


def test_objects_that_are_no_parts():
    with pytest.raises(ConfigError, match=r"rewriters.x: .* and the method `rewrite`, got 7"):
        RewriterRegistry({"x": 7})
    with pytest.raises(ConfigError, match="method `stream`"):
        GeneratorRegistry({"x": SimpleNamespace(kind="own")})
    nothing = RewriterRegistry({"x": FakeRewriterConfig()}, load=lambda config: None)
    with pytest.raises(ModelError, match="returned NoneType, which has no method `rewrite`"):
        nothing.get("x")
