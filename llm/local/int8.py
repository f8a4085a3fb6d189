"""Quantises the linear layers of a model to 8-bit integers, for CPUs.

    y = (q(x) . q(w)) s_x s_w + bias,   q(v) = round(v / s_v),   s_v = max |v| / 127

Weights have a scale for each output and are quantised once. Activations have a scale for each token
and are quantised at run time, so no calibration is needed. This is dynamic W8A8 as in Dettmers et
al. 2022, without their separate treatment of outliers. oneDNN computes the product with VNNI, or
with AMX if the CPU has it.

On SmolLM2-135M, one thread is 1.9 times as fast as in float32. Two threads are no faster, because
quantising the activations takes as long as the products (benchmarks/speed/promptreps_speed.py). The
cosine between int8 states and float32 states is 0.993 to 0.998. With AMX, bfloat16 is faster
and more exact (0.9997). Use int8 for weights that do not fit in memory otherwise.
"""

from __future__ import annotations

from typing import Any

import torch

from ...core import ConfigError

LIMIT = 127
ZERO = 128
"""Zero point of activations, which makes them unsigned. For signed activations, oneDNN has no
kernel on CPUs with VNNI but without AMX; it runs a plain loop that is hundreds of times slower."""


class Int8Linear(torch.nn.Module):
    """A linear layer with int8 weights. Its inputs and outputs are float32."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        weight, scale = _quantised(linear.weight.detach().float())
        packed = torch.ops.onednn.qlinear_prepack(weight, None)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.register_buffer("weight", packed)
        self.register_buffer("scale", scale.flatten())
        self.register_buffer("zero", torch.zeros(self.out_features, dtype=torch.int32))
        self.bias = linear.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.reshape(-1, self.in_features)
        quantised, scale = _quantised(rows, ZERO)
        y: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            quantised,
            1.0,
            ZERO,
            self.weight,
            self.scale,
            self.zero,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        y *= scale
        if self.bias is not None:
            y += self.bias
        return y.reshape(*x.shape[:-1], self.out_features)


def quantise(model: Any) -> None:
    """Replace all linear layers of a model, except its head, with `Int8Linear`.

    Raises ConfigError (field `precision`) if the CPU, torch or the model does not support int8.
    """
    # Without VNNI the kernels add products in 16 bits, which overflow.
    if not torch.cpu._is_vnni_supported():
        raise ConfigError(
            "int8 requires a CPU with AVX-512 VNNI; use float32 or bfloat16", field="precision"
        )
    if not hasattr(torch.ops.onednn, "qlinear_pointwise"):
        raise ConfigError(
            "this build of torch has no int8 kernels; use float32 or bfloat16", field="precision"
        )
    head, count = model.get_output_embeddings(), 0
    for module in list(model.base_model.modules()):
        for name, child in module.named_children():
            if isinstance(child, torch.nn.Linear) and child is not head:
                setattr(module, name, Int8Linear(child))
                count += 1
    if not count:
        raise ConfigError(
            f"{type(model).__name__} has no linear layers to quantise; use float32 or bfloat16",
            field="precision",
        )


def _quantised(rows: torch.Tensor, zero: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows quantised to integers [n, d], and the scale of each row, float32 [n, 1].

    The integers are int8 if `zero` is 0, else uint8.

    rows: [n, d], floating-point numbers. The largest absolute value of each row becomes `LIMIT`.
    zero: zero point, which is added to the integers.
    """
    # amax and amin are several times as fast as aminmax or the norm.
    largest = torch.maximum(rows.amax(1, keepdim=True), -rows.amin(1, keepdim=True))
    scale = largest.clamp_(min=1e-12) / LIMIT
    values = (rows * scale.reciprocal()).round_()
    return values.add_(zero).to(torch.uint8 if zero else torch.int8), scale
