"""Training the passage scorer on small generated data."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import Document, InvalidInputError, ModelError, Query
from twindex.rerank import FakeRerankerConfig, load_reranker
from twindex.rerank.intra_document.windows import cut
from twindex.train.lambda_loss import ndcg_loss2
from twindex.train.options import PassageScorerTraining
from twindex.train.passage_scorer import (
    Example,
    label_windows,
    new_scorer,
    top_window_recall,
    train_passage_scorer,
)
from twindex.train.window_weights import ranknet, window_weights

SMALL = PassageScorerTraining(
    dimensions=16, top=2, windows=12, epochs=3, batch=4, learning_rate=5e-3, held_out=0.25
)
WORDS = ["river", "engine", "music", "law", "planet", "garden", "bread", "market", "snow", "horse"]
OTHER = ["and", "then", "they", "said", "many", "things", "about", "this", "over", "again"]


def examples(count: int, seed: int = 0) -> list[Example]:
    """Return examples with 20 windows each. A window's score is the count of the query's word."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        word = WORDS[number % len(WORDS)]
        windows = [
            " ".join(random.choice([w for w in WORDS if w != word] + OTHER, 8)) for _ in range(20)
        ]
        costly = np.zeros(20, np.float32)
        for position, times in zip(random.choice(20, 3, replace=False), (3, 2, 1), strict=True):
            windows[position] = f"{' '.join([word] * times)} {windows[position]}"
            costly[position] = times
        made.append(Example(f"about {word} {number}", str(number), windows, costly))
    return made


# LambdaLoss

LISTS = st.integers(2, 7).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(-3, 3, width=16), min_size=n, max_size=n, unique=True),
        st.lists(st.integers(0, 4), min_size=n, max_size=n),
    )
)


@settings(deadline=None)
@given(LISTS)
def test_loss_equals_the_definition_of_ndcg_loss2(scores_and_gains):
    scores, gains = scores_and_gains
    n = len(scores)
    order = sorted(range(n), key=lambda i: -scores[i])
    rank = {i: position + 1 for position, i in enumerate(order)}
    ideal = sorted((2**gain - 1 for gain in gains), reverse=True)
    best = sum(gain / math.log2(2 + position) for position, gain in enumerate(ideal))
    expected = 0.0
    for i in range(n):
        for j in range(n):
            if gains[i] > gains[j]:
                distance = abs(rank[i] - rank[j])
                delta = abs(1 / math.log2(1 + distance) - 1 / math.log2(2 + distance))
                gained = abs(2 ** gains[i] - 2 ** gains[j]) / best
                expected += delta * gained * math.log2(1 + math.exp(scores[j] - scores[i]))
    found = ndcg_loss2(torch.tensor(scores), torch.tensor(gains, dtype=torch.float32))
    assert float(found) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_better_order_has_smaller_loss():
    gains = torch.tensor([2.0, 1.0, 0.0, 0.0])
    good, bad = torch.tensor([3.0, 2.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 2.0, 3.0])
    assert ndcg_loss2(good, gains) < ndcg_loss2(bad, gains)


# Training


def test_training_reduces_the_loss_and_finds_more_of_the_best_windows():
    epochs = []
    made = examples(40)
    scorer = train_passage_scorer(made, SMALL, on_epoch=lambda _, epoch: epochs.append(epoch))
    assert len(epochs) == 4
    assert epochs[-1].loss < 0.7 * epochs[1].loss
    fresh = examples(10, seed=9)
    before = top_window_recall(new_scorer(SMALL), fresh, 2)
    after = top_window_recall(scorer, fresh, 2)
    assert after > before + 0.3
    assert after > 0.7


@pytest.mark.slow
def test_equal_seeds_give_equal_weights():
    made = examples(8)
    once, again = (train_passage_scorer(made, SMALL).model.state_dict() for _ in range(2))
    assert all(torch.equal(once[name], again[name]) for name in once)
    other = SMALL.model_copy(update={"seed": 1})
    assert not torch.equal(
        train_passage_scorer(made, other).model.convolution.weight, once["convolution.weight"]
    )


def test_embeddings_are_not_trained():
    made = examples(8)
    trained = train_passage_scorer(made, SMALL)
    assert torch.equal(trained.model.embeddings, new_scorer(SMALL).model.embeddings)


def test_labels_are_the_costly_rerankers_scores():
    text = "law and order " * 20 + "music " * 30
    pairs = [(Query("q", "law music"), Document("d", text, title="About law"))]
    options = PassageScorerTraining(size=10, overlap=2)
    (example,) = label_windows(load_reranker(FakeRerankerConfig()), pairs, options)
    windows = [text[w.start : w.end] for w in cut(text, 10, 2)]
    assert example.windows == windows
    # Each window includes the title, so "law" always matches.
    assert example.costly.tolist() == [1.0 if "music" in window else 0.5 for window in windows]


def test_error_of_the_costly_reranker_is_raised():
    slow = load_reranker(FakeRerankerConfig(fails_at=0))
    with pytest.raises(ModelError):
        label_windows(slow, [(Query("q", "law"), Document("d", "law"))], SMALL)


def test_documents_with_few_windows_are_rejected():
    short = [Example("q", "d", ["a", "b"], np.array([1, 0], np.float32))]
    with pytest.raises(InvalidInputError, match="no document has more than 2 windows"):
        train_passage_scorer(short, SMALL)


def test_missing_model_is_rejected():
    with pytest.raises(ModelError, match="not on this machine"):
        new_scorer(PassageScorerTraining(model="no-such-model"))


# Weights of the best windows


def test_weights_are_larger_for_informative_windows():
    random = np.random.default_rng(0)
    noise = random.normal(size=(400, 3)).astype(np.float32)
    first = noise + np.array([2, 0, 0], np.float32)
    assert np.argmax(ranknet(first)) == 0
    third = ranknet(noise + np.array([0, 0, 2], np.float32))
    assert third[2] > 1.5
    assert third[2] > third[0] > 0
    assert ranknet(first) == pytest.approx(ranknet(first * 100), abs=1e-3)
    assert sum(third) == pytest.approx(3, abs=1e-4)


def test_weights_are_learned_from_judged_examples():
    made = examples(8)
    scorer = new_scorer(SMALL)
    half = [Example("q", one.document, one.windows, one.costly) for one in made]
    high = [
        Example("q", f"h{one.document}", one.windows, one.costly + np.float32(1)) for one in made
    ]
    grades = {"q": {one.document: 1 for one in high}}
    found = window_weights(scorer, [*half, *high], grades, windows=4, best=2)
    assert len(found) == 2
    assert min(found) >= 0
    with pytest.raises(InvalidInputError, match="qrels"):
        window_weights(scorer, half, grades)
    with pytest.raises(InvalidInputError, match="best"):
        window_weights(scorer, half, grades, windows=2)
