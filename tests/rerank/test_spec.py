"""Parsing of reranker specs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.ask import LanguageModelConfig
from twindex.core import ConfigError
from twindex.rerank import (
    ChainConfig,
    CriteriaConfig,
    CrossEncoderConfig,
    DiversityConfig,
    FakeRerankerConfig,
    IntraDocumentConfig,
    LateInteractionConfig,
    LegScoreConfig,
    ListwiseConfig,
    PairwiseConfig,
    PointwiseConfig,
    RerankerConfig,
    StageConfig,
    TildeConfig,
    load_reranker,
)
from twindex.rerank.spec import parse_spec, usages

NAMED = LanguageModelConfig(model="some-model")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("cross-encoder:./my model", CrossEncoderConfig(model="./my model")),
        ("leg:late", LegScoreConfig(leg="late")),
        ("late", LateInteractionConfig()),
        ("late:some-model", LateInteractionConfig(model="some-model")),
        ("tilde", TildeConfig()),
        ("tilde:some-model", TildeConfig(model="some-model")),
        ("pointwise", PointwiseConfig()),
        ("pointwise:some-model", PointwiseConfig(llm=NAMED)),
        ("pairwise:some-model@20", PairwiseConfig(llm=NAMED, candidates=20)),
        ("pairwise-allpair", PairwiseConfig(method="allpair")),
        ("pairwise-sorting:some-model", PairwiseConfig(method="sorting", llm=NAMED)),
        ("pairwise-sliding", PairwiseConfig(method="sliding")),
        ("listwise@30", ListwiseConfig(candidates=30)),
        ("criteria", CriteriaConfig()),
        ("criteria-two-turn:some-model", CriteriaConfig(turns=2, llm=NAMED)),
        (
            "intra-document:C:/models/x",
            IntraDocumentConfig(slow=CrossEncoderConfig(model="C:/models/x")),
        ),
        ("mmr", DiversityConfig()),
        ("mmr:dense", DiversityConfig(leg="dense")),
        ("fake@7", FakeRerankerConfig(candidates=7)),
    ],
)
def test_each_kind_has_a_spec(text: str, meant: RerankerConfig) -> None:
    assert parse_spec(text) == meant


def test_usages_list_exactly_the_parsed_words() -> None:
    for usage in usages():
        word = usage.partition("[")[0].replace("NAME", "name")
        assert parse_spec(word).candidates == 100
        assert parse_spec(f"{word}@3").candidates == 3


def test_plus_makes_a_chain() -> None:
    late = LegScoreConfig(leg="late", candidates=50)
    pairs = PairwiseConfig(candidates=10, llm=NAMED)
    assert parse_spec("leg:late@50+pairwise:some-model@10") == ChainConfig(
        stages=(
            StageConfig(reranker=late, candidates=50),
            StageConfig(reranker=pairs, candidates=10),
        )
    )
    assert parse_spec("fake+mmr@5").candidates == 100


def test_a_spec_is_ready_to_load() -> None:
    assert load_reranker(parse_spec("fake@5+fake@2")).kind == "chain"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "unknown kind of reranker ''; known: cross-encoder:FOLDER, leg:NAME, late[:MODEL]"),
        ("magic:x", "unknown kind of reranker 'magic'"),
        ("Fake", "known: cross-encoder:FOLDER"),
        ("cross-encoder", "stage 'cross-encoder' is invalid; write it as cross-encoder:FOLDER"),
        ("cross-encoder:@5", "write it as cross-encoder:FOLDER"),
        ("leg", "write it as leg:NAME"),
        ("leg:no such leg", "leg: "),
        ("late:", "write it as late[:MODEL]"),
        ("fake:model", "write it as fake"),
        ("fake@", "unknown kind of reranker 'fake@'"),
        ("fake@x", "unknown kind of reranker 'fake@x'"),
        ("fake@0", "candidates: "),
        ("fake@1001", "candidates: "),
        ("fake+late", "stage 'late' has no number of hits; write it as late@10"),
        ("fake+", "unknown kind of reranker ''"),
        ("+fake@2", "unknown kind of reranker ''"),
    ],
)
def test_an_invalid_spec_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_spec(text)
    assert words in str(caught.value)
    assert repr(text) in str(caught.value)


@given(st.text(alphabet="fakelegmr:+@10 -[]\n", max_size=20))
def test_any_text_parses_or_is_named_in_the_error(text: str) -> None:
    told = repr(text)
    try:
        assert parse_spec(text).candidates >= 1
    except ConfigError as error:
        told = str(error)
    assert repr(text) in told
