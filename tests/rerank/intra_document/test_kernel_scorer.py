"""The kernel scorer equals its formula in numpy, with the word pieces of a real model."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import ConfigError, ModelError
from twindex.rerank import (
    Candidate,
    FakeRerankerConfig,
    IntraDocumentConfig,
    load_reranker,
    rerank_one,
)
from twindex.rerank.intra_document.kernel_model import FLOOR, MU, SIGMA, KernelModel
from twindex.rerank.intra_document.kernel_scorer import KernelScorer
from twindex.rerank.intra_document.windows import cut
from twindex.train.options import PassageScorerTraining
from twindex.train.passage_scorer import new_scorer

from ...house import scaled

TEXT = (
    "The committee heard evidence on the efficacy of the law. Barry Hughes, the prosecutor, said "
    "that the two-stage test applies: is there enough evidence, and is it in the public interest? "
    "Members then spoke about budgets, schools in Wales, and the next meeting of the group."
)


@pytest.fixture(scope="module")
def scorer() -> KernelScorer:
    made = new_scorer(PassageScorerTraining(dimensions=24, size=8, overlap=2, seed=3))
    with torch.no_grad():
        random = torch.Generator().manual_seed(1)
        made.model.alpha.uniform_(0.5, 2, generator=random)
        made.model.output.weight.uniform_(-1, 1, generator=random)
        made.model.convolution.bias.uniform_(-0.1, 0.1, generator=random)
    return KernelScorer(made.model, made.tokenizer, made.options)


def vectors(model: KernelModel, ids) -> np.ndarray:
    """Conv1d with kernel 3 and two zeros on the right, ReLU, length 1; in float64."""
    table = model.embeddings[list(ids)].double().numpy()
    weight = model.convolution.weight.detach().double().numpy()
    bias = model.convolution.bias.detach().double().numpy()
    padded = np.vstack([table, np.zeros((2, table.shape[1]))])
    found = [weight @ padded[i : i + 3].ravel() + bias for i in range(len(ids))]
    found = np.maximum(0, np.array(found).reshape(len(ids), len(bias)))
    return found / np.maximum(1e-12, np.linalg.norm(found, axis=1, keepdims=True))


def formula(model: KernelModel, query, window) -> float:
    cosines = vectors(model, query) @ vectors(model, window).T
    alpha = model.alpha.detach().numpy()
    weights = model.output.weight.detach().numpy()[0]
    score = float(model.output.bias.detach())
    for k, mu in enumerate(MU):
        sums = np.exp(-((cosines - mu) ** 2) / (2 * SIGMA**2)).sum(1)
        score += weights[k] * np.log(np.maximum(FLOOR, alpha[k] * sums)).sum()
    return score


def test_there_are_eleven_kernels():
    assert pytest.approx([1, 0.9, 0.7, 0.5, 0.3, 0.1, -0.1, -0.3, -0.5, -0.7, -0.9]) == MU


@pytest.mark.parametrize("query", ["What is the two-stage test?", "law", "", "schools in Wales"])
def test_scores_equal_the_formula(scorer, query):
    windows = cut(TEXT, 8, 2)
    (found,) = scorer.scores(query, [scorer.prepare(TEXT, windows)])
    (asked,) = scorer.tokenize([query])
    expected = [
        formula(scorer.model, asked, ids)
        for ids in scorer.tokenize([TEXT[w.start : w.end] for w in windows])
    ]
    # Documents are stored as float16.
    assert found == pytest.approx(expected, rel=5e-3, abs=5e-2)


IDS = st.lists(st.integers(0, 30_521), max_size=6)


@settings(max_examples=scaled(30), deadline=None)
@given(IDS, st.lists(IDS, min_size=1, max_size=5))
def test_training_and_scoring_compute_the_same_function(scorer, query, windows):
    model = scorer.model
    lengths = torch.tensor([len(window) for window in windows])
    with torch.no_grad():
        both = [
            model.scores(model.vectors([query], tables), model.vectors(windows, tables), lengths)
            for tables in (None, scorer.tables)
        ]
        model.train()
        trained = model.scores(model.vectors([query]), model.vectors(windows), lengths)
        model.eval()
    expected = [formula(model, query, window) for window in windows]
    for found in (*both, trained):
        assert found.numpy() == pytest.approx(expected, rel=1e-3, abs=1e-2)


def test_document_vectors_are_stored_as_float16(scorer):
    form = scorer.prepare(TEXT, cut(TEXT, 8, 2))
    assert form.vectors.dtype == np.float16
    assert form.nbytes == form.lengths.sum() * 24 * 2 + len(form.lengths) * 8


def test_nothing_is_scored_after_the_deadline(scorer):
    forms = [scorer.prepare(TEXT, cut(TEXT, 8, 2))] * 3
    assert scorer.scores("law", forms, time.perf_counter() - 1) == []
    assert len(scorer.scores("law", forms, time.perf_counter() + 60)) == 3


def test_save_and_load_keep_model_and_options(scorer, tmp_path):
    scorer.save(tmp_path)
    again = KernelScorer.load(tmp_path)
    assert again.options == scorer.options
    windows = cut(TEXT, 8, 2)
    (before,) = scorer.scores("law", [scorer.prepare(TEXT, windows)])
    (after,) = again.scores("law", [again.prepare(TEXT, windows)])
    assert np.array_equal(before, after)


def test_kernel_scorer_picks_the_windows_of_the_cascade(scorer, tmp_path):
    scorer.save(tmp_path)
    config = IntraDocumentConfig(
        slow=FakeRerankerConfig(), fast=str(tmp_path), windows=2, size=8, overlap=2
    )
    found = rerank_one(load_reranker(config), "law", [Candidate("a", TEXT)])
    windows = cut(TEXT, 8, 2)
    (scores,) = scorer.scores("law", [scorer.prepare(TEXT, windows)])
    read = found.order[0].reasons["windows"]
    best = np.argsort(-scores, kind="stable")[:2]
    assert {one["start"] for one in read} == {windows[i].start for i in best}


def test_trained_weights_are_used(scorer, tmp_path):
    options = scorer.options.model_copy(update={"weights": (2.0, 0.0, 1.0)})
    KernelScorer(scorer.model, scorer.tokenizer, options).save(tmp_path)

    def score(**given):
        config = IntraDocumentConfig(slow=FakeRerankerConfig(), fast=str(tmp_path), **given)
        return rerank_one(load_reranker(config), "law", [Candidate("a", "law law " * 200)])

    assert score().order[0].score == 3
    assert score(weights=(1, 0, 0)).order[0].score == 1
    with pytest.raises(ConfigError, match=r"best: must be 3, got .* has 3 trained weights; set"):
        score(best=2)


def test_a_folder_without_a_passage_scorer_is_refused(scorer, tmp_path):
    config = IntraDocumentConfig(slow=FakeRerankerConfig(), fast=str(tmp_path / "no"))
    with pytest.raises(ConfigError, match=r"fast: must be the folder of a passage scorer.*lexical"):
        load_reranker(config)
    scorer.save(tmp_path)
    for name in ("model.safetensors", "tokenizer.json", "passage_scorer.json"):
        kept = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(kept[: len(kept) // 2])
        with pytest.raises(ModelError, match="cannot be read"):
            KernelScorer.load(tmp_path)
        (tmp_path / name).write_bytes(kept)
    KernelScorer.load(tmp_path)
