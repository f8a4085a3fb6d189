"""Encoders with equal weights share and free them, and their results do not change."""

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
    """Share nothing with other tests."""
    for name in ("all-MiniLM-L6-v2", "splade-tiny"):
        if weights._member(WHEELS[name]) is None:
            pytest.skip(f"needs the weight wheel: {WHEELS[name].install}")
    monkeypatch.setattr(shared, "_loaded", WeakValueDictionary())


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Turn off the garbage collector, so that objects are freed with their last reference.

    The collector ignores objects that a server has frozen.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def numbers(found: Representation) -> list[bytes]:
    """Return all arrays of a representation as bytes."""
    parts: list[Any] = [found.dense, found.offsets, found.truncated]
    if found.sparse is not None:
        parts += [found.sparse.data, found.sparse.indices, found.sparse.indptr]
    return [np.ascontiguousarray(part).tobytes() for part in parts if part is not None]


def both(encoder: Encoder) -> list[bytes]:
    roles: Sequence[Role] = ("query", "document")
    return [part for role in roles for part in numbers(encoder.encode(TEXTS, role=role))]


def addresses(encoder: Any) -> set[int]:
    """Return the memory addresses of an encoder's weights."""
    inner = encoder._weigher if hasattr(encoder, "_weigher") else encoder._model
    model = getattr(inner, "model", None) or inner._model
    return {parameter.data_ptr() for parameter in model.parameters()}


@pytest.mark.parametrize(
    "family", [pytest.param("minilm", marks=pytest.mark.slow), "splade", "tilde"]
)
def test_only_weights_are_shared(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = FAMILIES[family]
    expected = {}
    for name, config in configs.items():
        expected[name] = both(load_encoder(config))
        monkeypatch.setattr(shared, "_loaded", WeakValueDictionary())
    encoders = {name: load_encoder(config) for name, config in configs.items()}
    for name, encoder in encoders.items():  # All are loaded first, as each changes its view.
        assert both(encoder) == expected[name], name
    assert len(shared._loaded) == 1
    (whole,) = shared._loaded.values()
    loaded = {parameter.data_ptr() for parameter in whole._model.parameters()}
    for name, encoder in encoders.items():
        assert addresses(encoder) <= loaded, name
        assert len(addresses(encoder)) >= len(loaded) - 2, name  # A head may be removed.


def test_tilde_heads_are_shared_in_bfloat16() -> None:
    encoders: list[Any] = [
        load_encoder(TildeEncoderConfig(max_length=n, precision="bfloat16", device="cpu"))
        for n in (8, 16)
    ]
    for encoder in encoders:
        encoder.encode(TEXTS, role="document")
    first, second = (encoder._weigher._weight for encoder in encoders)
    assert first.data_ptr() == second.data_ptr()
    assert first.dtype == torch.bfloat16


@pytest.mark.slow
def test_threads_with_different_limits_share_the_tokenizer() -> None:
    """The tokenizer's backend keeps its truncation as state."""
    chosen = [MINILM[name] for name in ("plain", "short", "long", "late", "late short")]
    encoders = [load_encoder(config) for config in chosen]
    backends = {id(one._model.tokenizer.backend_tokenizer) for one in encoders}  # type: ignore[attr-defined]
    assert len(backends) == 1
    expected = [both(encoder) for encoder in encoders]
    work = [number % len(encoders) for number in range(3 * len(encoders))]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: both(encoders[number]), work))
    assert all(one == expected[number] for one, number in zip(found, work, strict=True))


def test_long_batch_is_tokenised_in_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads can use the tokenizer between calls. The result is the same."""
    encoder: Any = load_encoder(DenseEncoderConfig(max_length=8, device="cpu"))
    texts = [f"{text} number {n}" for n in range(9) for text in TEXTS[:3]]
    lengths, (columns, cut) = encoder._model.lengths(texts), encoder._model._tokenize(texts, 0)
    monkeypatch.setattr("twindex.encoders.text_model.TOKENIZER_BATCH", 4)
    sizes: list[int] = []
    real = encoder._model.tokenizer.__class__.__call__

    def counted(self: Any, batch: list[str], **options: Any) -> Any:
        sizes.append(len(batch))
        return real(self, batch, **options)

    monkeypatch.setattr(encoder._model.tokenizer.__class__, "__call__", counted)
    assert encoder._model.lengths(texts) == lengths
    again, cut_again = encoder._model._tokenize(texts, 0)
    assert (again, cut_again.tolist()) == (columns, cut.tolist())
    assert sizes == [4, 4, 4, 4, 4, 4, 3] * 2
    with pytest.raises(InvalidInputError, match=r"texts\[105\]"):
        encoder._model._tokenize([*texts[:5], "\ud800"], 100)


def test_concurrent_threads_load_weights_once(monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert len(set.union(*map(addresses, encoders))) == len(addresses(encoders[0]))


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "family",
    ["minilm", *(pytest.param(one, marks=pytest.mark.slow) for one in ("splade", "tilde"))],
)
def test_weights_are_freed_with_their_last_encoder(family: str) -> None:
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
def test_failed_load_keeps_no_weights() -> None:
    with pytest.raises(ModelError):  # Its files exist, but it has no language-model head.
        load_encoder(TildeEncoderConfig(model="all-MiniLM-L6-v2", device="cpu")).encode(
            ["text"], role="document"
        )
    assert not shared._loaded


def copied(folder: Path, name: str = "all-MiniLM-L6-v2") -> Path:
    import shutil

    return Path(shutil.copytree(find_weights(name), folder))


def test_weights_are_shared_by_digest_not_by_path(tmp_path: Path) -> None:
    here = load_encoder(DenseEncoderConfig(device="cpu"))
    there = load_encoder(DenseEncoderConfig(model=str(copied(tmp_path / "copy")), device="cpu"))
    assert addresses(there) == addresses(here)
    settings = tmp_path / "copy" / "config_sentence_transformers.json"
    settings.write_text('{"prompts": {"query": "find: "}, "similarity_fn_name": "cosine"}')
    changed = load_encoder(DenseEncoderConfig(model=str(tmp_path / "copy"), device="cpu"))
    assert addresses(changed).isdisjoint(addresses(here))
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
