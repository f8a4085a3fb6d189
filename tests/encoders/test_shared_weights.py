"""Encoders of the same weights share them, give what each gives alone, and free them together."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary, ref

import numpy as np
import pytest
import torch

from twindex.core import InvalidInputError, ModelError, Representation, Role
from twindex.encoders import (
    DenseEncoderConfig,
    Encoder,
    EncoderConfig,
    LateEncoderConfig,
    SparseEncoderConfig,
    TildeEncoderConfig,
    load_encoder,
)
from twindex.llm import WHEELS, find_weights
from twindex.llm.weights import places as weights
from twindex.llm.weights import shared

TEXTS = [
    "The kiwi cannot fly.",
    "",
    "Aspirin inhibits the production of prostaglandins, as everybody knows by now.",
    *("many different words, and more of them; " * n for n in (1, 4)),
]

MINILM: dict[str, EncoderConfig] = {
    "plain": DenseEncoderConfig(device="cpu"),
    "prompts": DenseEncoderConfig(query_prompt="q: ", document_prompt="d: ", device="cpu"),
    "short": DenseEncoderConfig(max_length=8, device="cpu"),
    "long": DenseEncoderConfig(max_length=512, device="cpu"),
    "raw": DenseEncoderConfig(normalize=False, device="cpu"),
    "late": LateEncoderConfig(device="cpu"),
    "late short": LateEncoderConfig(document_length=12, query_length=6, device="cpu"),
}
SPLADE: dict[str, EncoderConfig] = {
    "plain": SparseEncoderConfig(device="cpu"),
    "short": SparseEncoderConfig(max_length=8, device="cpu"),
    "top": SparseEncoderConfig(top_terms=3, device="cpu"),
    "bfloat16": SparseEncoderConfig(precision="bfloat16", device="cpu"),
}
TILDE: dict[str, EncoderConfig] = {
    "plain": TildeEncoderConfig(device="cpu"),
    "expanded": TildeEncoderConfig(expansion=10, max_length=40, device="cpu"),
    "short": TildeEncoderConfig(max_length=8, device="cpu"),
}
FAMILIES = {"minilm": MINILM, "splade": SPLADE, "tilde": TILDE}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is shared with other tests."""
    for name in ("all-MiniLM-L6-v2", "splade-tiny"):
        if weights._member(WHEELS[name]) is None:
            pytest.skip(f"needs the weight wheel: {WHEELS[name].install}")
    monkeypatch.setattr(shared, "_loaded", WeakValueDictionary())


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Objects go with their last reference: what a server froze is never looked at again."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def numbers(found: Representation) -> list[bytes]:
    """Every number of a representation, bit by bit."""
    parts: list[Any] = [found.dense, found.offsets, found.truncated]
    if found.sparse is not None:
        parts += [found.sparse.data, found.sparse.indices, found.sparse.indptr]
    return [np.ascontiguousarray(part).tobytes() for part in parts if part is not None]


def both(encoder: Encoder) -> list[bytes]:
    roles: Sequence[Role] = ("query", "document")
    return [part for role in roles for part in numbers(encoder.encode(TEXTS, role=role))]


def places(encoder: Any) -> set[int]:
    """Where the weights of an encoder are in memory."""
    inner = encoder._weigher if hasattr(encoder, "_weigher") else encoder._model
    model = getattr(inner, "model", None) or inner._model
    return {parameter.data_ptr() for parameter in model.parameters()}


@pytest.mark.parametrize("family", list(FAMILIES))
def test_weights_are_shared_and_nothing_else(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = FAMILIES[family]
    expected = {}
    for name, config in configs.items():
        expected[name] = both(load_encoder(config))
        monkeypatch.setattr(shared, "_loaded", WeakValueDictionary())
    encoders = {name: load_encoder(config) for name, config in configs.items()}
    for name, encoder in encoders.items():  # Once all are there, as each changes its view.
        assert both(encoder) == expected[name], name
    assert len(shared._loaded) == 1
    (whole,) = shared._loaded.values()
    loaded = {parameter.data_ptr() for parameter in whole._model.parameters()}
    for name, encoder in encoders.items():
        assert places(encoder) <= loaded, name
        assert len(places(encoder)) >= len(loaded) - 2, name  # A head may be cut off.


def test_the_head_of_tilde_is_shared_in_reduced_precision() -> None:
    encoders: list[Any] = [
        load_encoder(TildeEncoderConfig(max_length=n, precision="bfloat16", device="cpu"))
        for n in (8, 16)
    ]
    for encoder in encoders:
        encoder.encode(TEXTS, role="document")
    first, second = (encoder._weigher._weight for encoder in encoders)
    assert first.data_ptr() == second.data_ptr()
    assert first.dtype == torch.bfloat16


def test_threads_with_other_limits() -> None:
    """The tokenizer's backend, whose truncation is state, is shared too."""
    chosen = [MINILM[name] for name in ("plain", "short", "long", "late", "late short")]
    encoders = [load_encoder(config) for config in chosen]
    backends = {id(one._model.tokenizer.backend_tokenizer) for one in encoders}  # type: ignore[attr-defined]
    assert len(backends) == 1
    expected = [both(encoder) for encoder in encoders]
    work = [number % len(encoders) for number in range(3 * len(encoders))]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: both(encoders[number]), work))
    assert all(one == expected[number] for one, number in zip(found, work, strict=True))


def test_a_long_batch_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are tokenised in turns, and the whole is the same."""
    encoder: Any = load_encoder(DenseEncoderConfig(max_length=8, device="cpu"))
    texts = [f"{text} number {n}" for n in range(9) for text in TEXTS[:3]]
    lengths, (columns, cut) = encoder._model.lengths(texts), encoder._model._tokenize(texts, 0)
    monkeypatch.setattr("twindex.encoders.text_model.TURN", 4)
    turns: list[int] = []
    real = encoder._model.tokenizer.__class__.__call__

    def counted(self: Any, asked: list[str], **options: Any) -> Any:
        turns.append(len(asked))
        return real(self, asked, **options)

    monkeypatch.setattr(encoder._model.tokenizer.__class__, "__call__", counted)
    assert encoder._model.lengths(texts) == lengths
    again, cut_again = encoder._model._tokenize(texts, 0)
    assert (again, cut_again.tolist()) == (columns, cut.tolist())
    assert turns == [4, 4, 4, 4, 4, 4, 3] * 2
    with pytest.raises(InvalidInputError, match=r"texts\[105\]"):
        encoder._model._tokenize([*texts[:5], "\ud800"], 100)


def test_threads_that_ask_together_load_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []
    real = shared.SharedModel.__init__

    def counted(*arguments: Any) -> None:
        loads.append(1)
        real(*arguments)

    monkeypatch.setattr(shared.SharedModel, "__init__", counted)
    configs = [DenseEncoderConfig(query_prompt=f"{n} ", device="cpu") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        encoders = list(pool.map(load_encoder, configs))
    assert len(loads) == 1
    assert len(set.union(*map(places, encoders))) == len(places(encoders[0]))


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("family", list(FAMILIES))
def test_weights_go_with_their_last_user(family: str) -> None:
    encoders = [load_encoder(config) for config in FAMILIES[family].values()]
    for encoder in encoders:
        both(encoder)
    (whole,) = shared._loaded.values()
    parameters = [ref(parameter) for parameter in whole._model.parameters()]
    del whole, encoder
    while encoders:
        assert all(parameter() is not None for parameter in parameters)
        encoders.pop()
    assert not any(parameter() is not None for parameter in parameters)
    assert not shared._loaded


@pytest.mark.usefixtures("no_collector")
def test_failures_keep_nothing() -> None:
    with pytest.raises(ModelError):  # Trains no vector for each token; its files are there.
        load_encoder(TildeEncoderConfig(model="all-MiniLM-L6-v2", device="cpu")).encode(
            ["text"], role="document"
        )
    assert not shared._loaded


def copied(folder: Path, name: str = "all-MiniLM-L6-v2") -> Path:
    import shutil

    return Path(shutil.copytree(find_weights(name), folder))


def test_the_digest_decides_and_not_the_place(tmp_path: Path) -> None:
    here = load_encoder(DenseEncoderConfig(device="cpu"))
    there = load_encoder(DenseEncoderConfig(model=str(copied(tmp_path / "copy")), device="cpu"))
    assert places(there) == places(here)
    settings = tmp_path / "copy" / "config_sentence_transformers.json"
    settings.write_text('{"prompts": {"query": "find: "}, "similarity_fn_name": "cosine"}')
    changed = load_encoder(DenseEncoderConfig(model=str(tmp_path / "copy"), device="cpu"))
    assert places(changed).isdisjoint(places(here))
    assert changed.fingerprint["query_prompt"] == "find: "


def test_weights_that_change_while_they_are_loaded_are_not_shared(tmp_path: Path) -> None:
    folder = copied(tmp_path / "copy")

    def load(then: Callable[[], Any]) -> tuple[Any, Any]:
        then()
        return object(), None

    with pytest.raises(ModelError, match="changed while they were loaded"):
        shared.share(
            "kind", folder, "cpu", lambda: load(lambda: (folder / "config.json").write_text("{}"))
        )
    assert not shared._loaded
