"""Training a cross-encoder: learning, resuming, and the record of the training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from twindex.core import ConfigError, ConflictError, InvalidInputError, ModelError, Query
from twindex.rerank import Candidate, CrossEncoderConfig, rerank_one
from twindex.rerank.cross_encoder.reranker import CrossEncoderReranker
from twindex.train import fitting
from twindex.train.checkpoint import FILE, Checkpoint
from twindex.train.cross_encoder import train_cross_encoder
from twindex.train.options import CrossEncoderTraining

FAST = {
    "epochs": 4,
    "batch": 8,
    "negatives": 3,
    "lr": 3e-3,
    "head_lr": 1.0,
    "max_length": 64,
    "rerank": 10,
    "device": "cpu",
    "precision": "float32",
}


def options(tiny, **changes):
    return CrossEncoderTraining.parse({"init": tiny, **FAST, **changes})


def scores(folder, documents):
    reranker = CrossEncoderReranker(CrossEncoderConfig(model=str(folder), device="cpu"))
    candidates = [Candidate(d.id, d.text, d.title) for d in documents]
    found = rerank_one(reranker, "does the kiwi sings at night", candidates)
    return [place.reasons["logit"] for place in sorted(found.order, key=lambda p: p.index)]


@pytest.fixture(scope="module")
def trained(tiny, documents, queries, qrels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "model"
    return train_cross_encoder(folder, documents, queries, qrels, options(tiny, synthetic=20))


def test_training_reduces_the_loss(tiny, documents, queries, qrels, tmp_path):
    chosen = options(tiny, epochs=8)
    found = train_cross_encoder(tmp_path / "model", documents, queries, qrels, chosen)
    losses = [entry["loss"] for entry in found.history]
    assert losses[0] == pytest.approx(np.log(4), rel=0.4)  # A random guess among four.
    assert losses[-1] < 0.8 * losses[0]
    assert found.best == max(entry["nDCG@10"] for entry in found.history)


def test_report_counts_queries_by_origin(trained):
    assert trained.queries["judged"] == 24
    assert trained.held_out == 6
    assert trained.queries["title"] > 0
    assert trained.queries["sentence"] > 0


def test_folder_is_a_cross_encoder_with_its_record(trained, documents):
    from sentence_transformers import CrossEncoder

    pairs = [("does the kiwi sings at night", f"{d.title} {d.text}") for d in documents]
    model = CrossEncoder(str(trained.folder), device="cpu", local_files_only=True)
    assert model.max_seq_length == 64
    import torch

    expected = model.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    np.testing.assert_allclose(scores(trained.folder, documents), expected, atol=1e-5)
    record = json.loads((trained.folder / "training.json").read_text())
    assert record["options"]["epochs"] == 4
    assert record["best"] == trained.best
    assert set(record["data"]) == {"documents", "queries", "qrels", "init"}
    assert not (trained.folder.parent / ".model.training").exists()


class _StopError(Exception):
    pass


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 7])
def test_interrupted_training_resumes_with_the_same_result(
    trained, tiny, documents, queries, qrels, tmp_path, monkeypatch, step
):
    data = (documents, queries, qrels)
    chosen = options(tiny, synthetic=20)
    monkeypatch.setattr(fitting, "SAVE_SECONDS", 0.0)
    learn = fitting.Fitting._learn

    def stop(self, batch):
        if self.step == step:
            raise _StopError
        return learn(self, batch)

    monkeypatch.setattr(fitting.Fitting, "_learn", stop)
    with pytest.raises(_StopError):
        train_cross_encoder(tmp_path / "parts", *data, chosen)
    assert not (tmp_path / "parts").exists()
    monkeypatch.setattr(fitting.Fitting, "_learn", learn)
    with pytest.raises(ConflictError, match="other data, options or library versions"):
        train_cross_encoder(tmp_path / "parts", *data, options(tiny, synthetic=20, seed=1))
    with pytest.raises(ConflictError, match="other data, options or library versions"):
        train_cross_encoder(tmp_path / "parts", documents[1:], queries, qrels, chosen)
    parts = train_cross_encoder(tmp_path / "parts", *data, chosen)
    assert (parts.steps, parts.pairs) == (trained.steps, trained.pairs)
    np.testing.assert_allclose(
        [list(entry.values()) for entry in parts.history],
        [list(entry.values()) for entry in trained.history],
        rtol=1e-4,
    )
    np.testing.assert_allclose(
        scores(tmp_path / "parts", documents), scores(trained.folder, documents), atol=1e-4
    )


@pytest.mark.slow
def test_equal_seeds_give_equal_weights(tiny, documents, queries, qrels, tmp_path):
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        chosen = options(tiny, seed=seed, epochs=1)
        train_cross_encoder(tmp_path / name, documents, queries, qrels, chosen)
        found.append(scores(tmp_path / name, documents))
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    assert not np.allclose(found[0], found[2], atol=1e-3)


def test_minutes_limit_the_training(tiny, documents, queries, qrels, tmp_path):
    chosen = options(tiny, epochs=1_000, minutes=0.02)
    found = train_cross_encoder(tmp_path / "model", documents, queries, qrels, chosen)
    assert 0 < found.steps < 5_000


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"loss": "binary"}, {"layers": 1}, {"precision": "bfloat16"}])
def test_options_change_the_training(tiny, documents, queries, qrels, tmp_path, change):
    chosen = options(tiny, epochs=4, **change)
    found = train_cross_encoder(tmp_path / "model", documents, queries, qrels, chosen)
    assert found.history[-1]["loss"] < found.history[0]["loss"]
    assert len(scores(tmp_path / "model", documents[:3])) == 3
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["num_hidden_layers"] == change.get("layers", 2)


@pytest.mark.slow
def test_language_model_writes_queries(tiny, documents, queries, qrels, tmp_path):
    chosen = options(tiny, epochs=1, written=6, writer="fake")
    found = train_cross_encoder(tmp_path / "model", documents, queries, qrels, chosen)
    assert 0 < found.queries["written"] <= 6
    for change in ({"written": 3}, {"writer": "fake"}):
        with pytest.raises(ConfigError, match="`written` and `writer` require each other"):
            options(tiny, **change)


def test_report_counts_truncated_and_skipped(tiny, documents, queries, qrels, tmp_path):
    long = [
        Query(query.id, query.text + " so" * 99 * (query.id == "kiwi-eats")) for query in queries
    ]
    chosen = options(tiny, epochs=2, seed=1, max_length=24)
    found = train_cross_encoder(tmp_path / "model", documents, long, qrels, chosen)
    assert found.skipped == 2
    assert found.pairs == found.truncated == 2 * 4 * 23


def test_insufficient_data_is_rejected(tiny, documents, queries, qrels, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(ConflictError, match="exists already"):
        train_cross_encoder(tmp_path / "there", documents, queries, qrels, options(tiny))
    with pytest.raises(InvalidInputError, match="documents: must have at least one document"):
        train_cross_encoder(tmp_path / "new", [], queries, qrels, options(tiny))
    with pytest.raises(InvalidInputError, match="no query has judgements"):
        train_cross_encoder(tmp_path / "new", documents, [Query("x", "y")], qrels, options(tiny))
    few = dict(list(qrels.items())[:4])
    with pytest.raises(InvalidInputError, match=r"at least 5 queries with relevant .* got 4"):
        train_cross_encoder(tmp_path / "new", documents, queries, few, options(tiny))
    unknown = [Query(query.id, f"zzz{i} qqq") for i, query in enumerate(queries)]
    with pytest.raises(InvalidInputError, match="no document for any held-out query"):
        train_cross_encoder(tmp_path / "new", documents, unknown, qrels, options(tiny))
    answers = {id_: {d.id: 1 for d in documents} for id_ in qrels}
    with pytest.raises(InvalidInputError, match="no documents that can be negatives"):
        train_cross_encoder(tmp_path / "new", documents, queries, answers, options(tiny))
    with pytest.raises(ModelError):
        train_cross_encoder(tmp_path / "new", documents, queries, qrels, options("no-such-model"))
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / ".new.training").exists()


def test_checkpoint_round_trip(tmp_path):
    import torch

    assert Checkpoint.load(tmp_path) is None
    written = Checkpoint(
        {"a.b": torch.arange(3.0)}, {}, {0: {"step": torch.tensor(2.0)}},
        {"cpu": torch.zeros(2, dtype=torch.uint8)}, {"step": 2},
    )  # fmt: skip
    written.save(tmp_path)
    read = Checkpoint.load(tmp_path)
    assert read is not None
    assert read.weights["a.b"].tolist() == [0, 1, 2]
    assert read.optimizer[0]["step"] == 2
    assert read.state == {"step": 2}
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(Exception, match=r"is not a valid checkpoint .* remove this file"):
        Checkpoint.load(tmp_path)
