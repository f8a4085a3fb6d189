"""Compares int8 linear layers with the formula in integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from numpy.testing import assert_allclose

from twindex.core import ConfigError
from twindex.llm.local.causal import CausalModel
from twindex.llm.local.int8 import Int8Linear, quantise

pytestmark = pytest.mark.skipif(
    not torch.cpu._is_vnni_supported(), reason="needs a processor with AVX-512 VNNI"
)


def quantised(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = np.abs(rows).max(1, keepdims=True) / 127
    return np.rint(rows / scale).astype(np.int64), scale


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(1, 24), (3, 5, 24), (40, 24)])
def test_layer_follows_the_formula(bias: bool, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    linear = torch.nn.Linear(24, 40, bias=bias)
    x = torch.randn(shape, generator=generator) * torch.logspace(-3, 3, shape[-2])[:, None]
    with torch.inference_mode():
        found = Int8Linear(linear)(x)
        rows, row_scale = quantised(x.reshape(-1, 24).double().numpy())
        weight, weight_scale = quantised(linear.weight.double().numpy())
        expected = (rows @ weight.T) * row_scale * weight_scale.T
        if bias:
            expected += linear.bias.double().numpy()
        assert found.dtype == torch.float32
        # A value halfway between two integers may be rounded to either.
        slack = np.abs(x.numpy()).max() * 0.05
        assert_allclose(found.numpy(), expected.reshape(found.shape), rtol=0.02, atol=slack)
        exact = linear(x)
        cosine = torch.nn.functional.cosine_similarity(found, exact, dim=-1)
        assert cosine.min() > 0.999


def test_rows_are_independent() -> None:
    """A row of zeros gives zeros, and the result of a row does not depend on other rows."""
    linear = Int8Linear(torch.nn.Linear(16, 32, bias=False))
    x = torch.randn((4, 16), generator=torch.Generator().manual_seed(2))
    x[1] = 0
    with torch.inference_mode():
        together = linear(x)
        assert not together[1].any()
        alone = torch.cat([linear(row[None]) for row in x])
    assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_int8_model_is_close_to_float32(tiny_llama: Path) -> None:
    exact = CausalModel.load(str(tiny_llama), device="cpu")
    model = CausalModel.load(str(tiny_llama), precision="int8", device="cpu")
    kinds = [type(module).__name__ for module in model._model.modules()]
    assert kinds.count("Int8Linear") == 2 * 7  # layers x their linear layers
    assert kinds.count("Linear") == 1  # the head
    texts = [[5, 6, 7, 8], [9, 10], [11]]
    left, right = exact.read(texts).hidden[:, 0], model.read(texts).hidden[:, 0]
    cosine = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    assert cosine.min() > 0.99
    assert (left != right).any()
    assert model.fingerprint == {**exact.fingerprint, "precision": "int8"}


def test_model_without_linear_layers_is_refused() -> None:
    config = transformers.GPT2Config(vocab_size=60, n_embd=16, n_layer=1, n_head=4)
    with pytest.raises(ConfigError, match="precision: GPT2LMHeadModel has no linear layers"):
        quantise(transformers.GPT2LMHeadModel(config))
