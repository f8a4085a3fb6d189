"""Searches whose query a rewriter changes: fusion, failures, gates, conversations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twindex.core import ConfigError, Document, InvalidInputError, ModelError
from twindex.encoders import AnalyzerConfig, DenseEncoderConfig, SparseEncoderConfig
from twindex.generate.rewriting import FakeRewriterConfig, Rewrites, RewrittenText, Use
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, SparseLeg
from twindex.rerank import FakeRerankerConfig
from twindex.search import Collection, RerankerRegistry, RewriterRegistry
from twindex.search.finding.combining import summed
from twindex.search.finding.fusion import Ranked, fuse
from twindex.search.request import Fusion

from ...house import scaled

CONFIG = CollectionConfig(
    legs={
        "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
        "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake")),
        "lexical": LexicalLeg(encoder=AnalyzerConfig(language="none")),
    }
)
FILLER = [Document(f"z{n}", f"word{n} number{n} filler{n}") for n in range(40)]
BIRDS = [
    Document("kiwi", "kiwi bird feathers island", metadata={"kind": "bird"}),
    Document("emu", "emu bird feathers desert", metadata={"kind": "bird"}),
    Document("feathers", "feathers feathers island", metadata={"kind": "thing"}),
    Document("island", "island desert sea", metadata={"kind": "place"}),
]


class Written:
    """A rewriter that returns what the test sets."""

    kind = "written"
    use = Use("fuse")

    def __init__(self):
        self.questions = []
        self.rewrites = Rewrites(())

    def rewrite(self, questions, limits=None, guard=None):
        self.questions.append(list(questions))
        return [self.rewrites] * len(questions)


WRITTEN = Written()
REWRITERS = RewriterRegistry(
    {
        "more": FakeRewriterConfig(texts=("desert sea", "feathers")),
        "half": FakeRewriterConfig(texts=("desert sea",), weight=0.5),
        "hyde": FakeRewriterConfig(texts=("desert sea", "feathers"), how="mean"),
        "doc": FakeRewriterConfig(texts=("desert sea",), how="append", repeat=5),
        "alone": FakeRewriterConfig(texts=("{turn} {question}",), how="replace", weight=0),
        "both": FakeRewriterConfig(texts=("desert sea",), how="replace", weight=0.5),
        "fails": FakeRewriterConfig(fails=True),
        "slow": FakeRewriterConfig(texts=("desert sea", "feathers"), milliseconds=30),
        "written": WRITTEN,
        "missing": FakeRewriterConfig(texts=("nothing can load this",)),
    },
    load=lambda config: _load(config),
)


def _load(config):
    if getattr(config, "texts", ())[:1] == ("nothing can load this",):
        raise ModelError("model 'x' is not installed")
    return config.load()


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    collection = Collection.create(
        tmp_path_factory.mktemp("birds") / "c",
        CONFIG,
        rewriters=REWRITERS,
        rerankers=RerankerRegistry({"fake": FakeRerankerConfig()}),
    )
    collection.add([*BIRDS, *FILLER])
    yield collection
    collection.close()


def ids(result):
    return [hit.id for hit in result]


def scored(result):
    return [(hit.id, hit.score) for hit in result]


def test_each_text_is_searched_and_the_lists_are_fused(birds):
    found = birds.search("bird", legs=["lexical"], rewrite="more", limit=50)
    lists = [birds.search(text, legs=["lexical"], limit=50) for text in _texts("more", "bird")]
    scores = {}
    for one in lists:
        values = [hit.score for hit in one]
        for hit in one:
            rank = 1 + values.index(hit.score)
            scores[hit.id] = scores.get(hit.id, 0) + 1 / (60 + rank)
    expected = sorted(scores, key=lambda name: (-scores[name], name))
    assert ids(found) == expected
    assert [hit.score for hit in found] == pytest.approx([scores[name] for name in expected])
    assert set(ids(found)) == {"kiwi", "emu", "island", "feathers"}
    (stage,) = found.stages
    assert (stage.name, stage.status, stage.reason) == ("more", "ran", "")
    assert stage.queries == ["desert sea", "feathers"]
    assert stage.usage.calls == 2
    assert found.usage.calls == 2
    assert stage.searches == 2
    assert found.timings["rewrite"] == pytest.approx(stage.milliseconds)


def _texts(name, query):
    return [query, *(REWRITERS.config(name).texts)]


def test_legs_are_fused_before_the_texts(birds):
    found = birds.search("bird", rewrite="half", limit=50)
    lists = [birds.search(text, limit=50) for text in ("bird", "desert sea")]
    names = sorted({name for one in lists for name in ids(one)})
    number = {name: n for n, name in enumerate(names)}
    ranked = [
        Ranked(
            np.array([number[name] for name in ids(one)]),
            np.array([hit.score for hit in one]),
            weight,
        )
        for one, weight in zip(lists, (1.0, 0.5), strict=True)
    ]
    numbers, scores = fuse(ranked, Fusion(method="rrf"))
    assert dict(scored(found)) == pytest.approx(
        {names[n]: s for n, s in zip(numbers.tolist(), scores.tolist(), strict=True)}
    )


def test_a_hit_of_another_text_only_has_no_leg_of_the_query(birds):
    found = birds.search("bird", legs=["lexical"], rewrite="half", explain=True)
    by_id = {hit.id: hit for hit in found}
    assert by_id["kiwi"].legs["lexical"].rank == 1
    assert by_id["island"].legs == {}
    assert by_id["island"].explain == {}
    assert by_id["island"].document.text == "island desert sea"


def test_filters_apply_to_every_text(birds):
    where = {"kind": {"in": ["bird", "place"]}}
    for name in ("more", "hyde", "doc", "both"):
        found = birds.search("bird", rewrite=name, filter=where)
        assert set(ids(found)) == {"kiwi", "emu", "island"}, name


def test_filter_syntax_in_a_text_is_not_read(birds):
    WRITTEN.rewrites = Rewrites([RewrittenText("desert kind:bird", "query")])
    found = birds.search("sea kind:place", legs=["lexical"], parse_filters=True, rewrite="written")
    assert WRITTEN.questions[-1][0].text == "sea"
    assert (found.query, found.filter) == ("sea", {"kind": {"eq": "place"}})
    assert ids(found) == ["island"]


def test_hyde_moves_dense_queries_to_the_mean_and_adds_terms(birds):
    found = birds.search("bird", legs=["dense"], rewrite="hyde", limit=44)
    encode = birds._encoders["dense"].encode
    query = encode(["bird"], role="query").dense[0].astype(float)
    passages = encode(["desert sea", "feathers"], role="document").dense
    mean = np.vstack([query, passages]).mean(axis=0)
    mean *= np.linalg.norm(query) / np.linalg.norm(mean)
    expected = birds.search({"vectors": {"dense": mean.tolist()}, "limit": 44})
    assert [hit.score for hit in found] == pytest.approx([h.score for h in expected], abs=1e-5)
    lexical = birds.search("bird", legs=["lexical"], rewrite="hyde", explain=True)
    assert set(ids(lexical)) == {"kiwi", "emu", "island", "feathers"}
    assert {t.term for hit in lexical for t in hit.explain["lexical"]} == {
        "bird",
        "desert",
        "sea",
        "feathers",
    }
    assert lexical.stages[0].notes == ["lexical: 1 x terms of the query and terms of 2 passages"]
    assert lexical.stages[0].searches == 0


def test_a_given_vector_takes_the_place_of_the_query_vector(birds):
    vector = birds._encoders["dense"].encode(["emu"], role="query").dense[0]
    own = birds.search("bird", legs=["dense"], vectors={"dense": vector.tolist()}, rewrite="hyde")
    text = birds.search("emu", legs=["dense"], rewrite="hyde")
    assert scored(own) == [(name, pytest.approx(score, abs=1e-5)) for name, score in scored(text)]
    kept = birds.search("bird", legs=["dense"], vectors={"dense": vector.tolist()}, rewrite="doc")
    assert kept.stages[0].notes == [
        "dense: the query as it is, because the request has a vector for the leg"
    ]


def test_query2doc_repeats_the_query_and_appends_the_passage(birds):
    found = birds.search("bird", legs=["lexical"], rewrite="doc", limit=44)
    plain = birds.search("bird " * 5 + "desert sea", legs=["lexical"], limit=44)
    assert ids(found) == ids(plain)
    ratio = {round(a.score / b.score, 5) for a, b in zip(found, plain, strict=True)}
    assert ratio == {round(1 / 7, 5)}
    dense = birds.search("bird", legs=["dense"], rewrite="doc", limit=44)
    assert scored(dense) == scored(birds.search("bird desert sea", legs=["dense"], limit=44))
    sparse = birds.search("bird", legs=["sparse"], rewrite="doc", limit=44)
    weights = [
        birds._encoders["sparse"].encode([text], role=role).sparse
        for text, role in (("bird", "query"), ("desert sea", "document"))
    ]
    maps = [dict(zip(map(int, m.indices), map(float, m.data), strict=True)) for m in weights]
    total = summed(maps[0], maps[1:], 5)
    expected = birds.search(
        {
            "vectors": {"sparse": {"indices": list(total), "values": list(total.values())}},
            "limit": 44,
        }
    )
    assert dict(scored(sparse)) == pytest.approx(dict(scored(expected)), rel=1e-5)


def test_feedback_and_rerank_read_the_original_query(birds):
    found = birds.search(
        "bird", legs=["lexical"], rewrite="more", feedback="rm3", rerank={"model": "fake"}
    )
    rewrite, feedback = found.stages
    assert (rewrite.name, feedback.name) == ("more", "feedback")
    assert feedback.documents == ["emu", "kiwi"]
    scores = {hit.id: hit.rerank.score for hit in found}
    assert scores["kiwi"] == scores["emu"] == 1
    assert scores["island"] == 0


def test_predictors_are_those_of_the_original_query(birds):
    found = birds.search("bird", rewrite="more", predictors=True)
    assert found.predictors == pytest.approx(birds.search("bird", predictors=True).predictors)


def test_min_score_is_of_the_list_of_each_text(birds):
    best = birds.search("bird", legs=["lexical"])[0].score
    found = birds.search("bird", legs=["lexical"], rewrite="more", min_score=best)
    assert {"kiwi", "emu"} <= set(ids(found))
    assert found[0].score < 0.1 < best


@pytest.mark.parametrize("name", ["fails", "missing"])
def test_a_failure_searches_the_query_as_it_is(birds, name):
    found = birds.search("bird island", rewrite=name)
    assert scored(found) == scored(birds.search("bird island"))
    (stage,) = found.stages
    assert stage.status == "failed"
    assert found.warnings == (f"rewrite: {stage.reason}; the query was searched as it is",)
    with pytest.raises(ModelError):
        birds.search("bird island", rewrite={"model": name, "on_error": "fail"})


def test_a_time_limit_searches_what_was_written_or_the_query_as_it_is(birds):
    found = birds.search("bird island", rewrite={"model": "slow", "timeout_ms": 1})
    assert scored(found) == scored(birds.search("bird island"))
    assert found.stages[0].status == "failed"
    assert "a limit (timeout_ms, calls or tokens) was reached" in found.warnings[0]
    found = birds.search("bird island", rewrite={"model": "slow", "calls": 1})
    assert found.stages[0].queries == ["desert sea"]
    assert found.warnings == ("rewrite: a limit was reached after 1 of the texts",)


def test_a_gate_is_read_before_the_model(birds):
    before = len(WRITTEN.questions)
    closed = {"model": "written", "gate": {"predictor": "terms", "above": 5}}
    found = birds.search("bird island", rewrite=closed)
    assert scored(found) == scored(birds.search("bird island"))
    assert (found.stages[0].status, found.stages[0].searches) == ("skipped", 0)
    assert found.stages[0].reason == "terms is 2, which is not above 5"
    closed = {"model": "written", "gate": {"predictor": "lexical.gap", "below": -1}}
    found = birds.search("bird island", rewrite=closed)
    assert found.stages[0].searches == 3
    assert len(WRITTEN.questions) == before
    opened = {"model": "more", "gate": {"predictor": "overlap", "above": -1}}
    found = birds.search("bird island", rewrite=opened)
    assert (found.stages[0].status, found.stages[0].searches) == ("ran", 9)
    with pytest.raises(InvalidInputError, match=r"overlap: requires at least two legs") as error:
        birds.search("bird", legs=["lexical"], rewrite=opened)
    assert error.value.field == "rewrite.gate.predictor"


def test_a_standalone_question_replaces_the_query(birds):
    request = {"model": "alone", "turns": [{"role": "user", "content": "desert"}]}
    found = birds.search("sea", rewrite=request)
    assert scored(found) == scored(birds.search("desert sea"))
    assert found.stages[0].queries == ["desert sea"]
    found = birds.search("kiwi", legs=["lexical"], rewrite="both", rerank={"model": "fake"})
    assert set(ids(found)) == {"island", "emu", "kiwi"}
    assert found[0].id == "island"
    assert found[0].rerank.score == 1


def test_turns_need_a_rewriter_that_reads_them(birds):
    request = {"model": "written", "turns": [{"role": "user", "content": "desert"}]}
    with pytest.raises(InvalidInputError, match="reads no earlier turns") as error:
        birds.search("sea", rewrite=request)
    assert error.value.field == "rewrite.turns"


def test_searches_of_a_batch_are_rewritten_together(birds):
    WRITTEN.rewrites = Rewrites([RewrittenText("desert", "query")])
    before = len(WRITTEN.questions)
    requests = [
        {"query": "kiwi", "rewrite": "written"},
        {"query": "emu"},
        {"query": "sea", "rewrite": "written"},
        {"query": "sea", "rewrite": {"model": "written", "calls": 1}},
    ]
    found = birds.search_batch(requests)
    asked = [[question.text for question in call] for call in WRITTEN.questions[before:]]
    assert asked == [["kiwi", "sea"], ["sea"]]
    assert [len(one.stages) for one in found] == [1, 0, 1, 1]
    for request, one in zip(requests, found, strict=True):
        assert scored(one) == scored(birds.search(request))


def test_usage_of_rewriters_counts_for_the_collection(birds):
    before = birds.usage
    birds.search("bird", legs=["lexical"], rewrite="more")
    assert birds.usage.calls == before.calls + 2


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"rewrite": "nobody"}, "rewrite.model", "there is no rewriter 'nobody'"),
        ({"rewrite": "a b"}, "rewrite.model", "must be the name of a configured rewriter"),
        ({"rewrite": {"model": "more", "gate": {"predictor": "terms"}}}, "rewrite.gate", "neither"),
        ({"rewrite": {"model": "more", "timeout": 1}}, "rewrite.timeout", "timeout_ms"),
    ],
)
def test_a_wrong_request_names_its_field(birds, fields, field, message):
    with pytest.raises((InvalidInputError, ConfigError), match=message) as error:
        birds.search("bird", **fields)
    assert error.value.field == field


def test_rewriting_requires_a_query_text(birds):
    with pytest.raises(ConfigError, match="requires a query text"):
        birds.search({"vectors": {"sparse": {"1": 1}}, "rewrite": "more"})


WORDS = st.lists(
    st.sampled_from(["kiwi", "emu", "bird", "island", "desert", "sea", "feathers"]), min_size=1
)


@settings(
    max_examples=scaled(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    words=WORDS,
    how=st.sampled_from(["fuse", "mean", "append", "replace"]),
    rewrites=st.sampled_from(
        [
            Rewrites(()),
            Rewrites((), "partial"),
            Rewrites((), "failed"),
            Rewrites((), warnings=["3 texts of the model left out"]),
            Rewrites([RewrittenText("kiwi", "query")], "failed", error=ModelError("broken")),
        ]
    ),
    where=st.sampled_from([None, {"kind": "bird"}]),
)
def test_a_rewriter_that_returns_nothing_useful_changes_no_hit(birds, words, how, rewrites, where):
    rewriter = Written()
    rewriter.use, rewriter.rewrites = Use(how), rewrites
    own, birds.rewriters = birds.rewriters, RewriterRegistry({"w": rewriter})
    try:
        found = birds.search(" ".join(words), rewrite="w", filter=where, limit=44)
    finally:
        birds.rewriters = own
    plain = birds.search(" ".join(words), filter=where, limit=44)
    assert found.hits == plain.hits
    assert (found.total, found.relation) == (plain.total, plain.relation)
    assert found.stages[0].status in ("skipped", "failed")
