"""Eight-bit integers for the linear layers of a model, on processors.

    y = (q(x) . q(w)) s_x s_w + bias,   q(v) = round(v / s_v),   s_v = max |v| / 127

Weights have a scale for each output and are quantised once; activations have one for each token
and are quantised as they come, so no calibration is needed (W8A8 dynamic, as in Dettmers et al.
2022, without their separate treatment of outliers). The product runs in oneDNN, with VNNI or AMX
where the processor has them.

On SmolLM2-135M one thread reads 1.9 times as fast as in float32; two threads read no faster, as
quantising the activations takes as long as the products (benchmarks/speed/promptreps_speed.py).
States have a cosine of 0.993 to 0.998 to those of float32. With AMX, bfloat16 is faster and closer
(0.9997): int8 is for weights that would not fit the memory.
"""

from __future__ import annotations

from typing import Any

import torch

from ...core import ConfigError

LIMIT = 127
ZERO = 128
"""What stands for zero in activations, which are so without a sign: for signed ones oneDNN has no
kernel on processors with VNNI and without AMX, and takes a plain loop, hundreds of times slower."""


class Int8Linear(torch.nn.Module):
    """A linear layer with int8 weights; takes and gives float32."""

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
    """Replace the linear layers of a model, except its head, by `Int8Linear`.

    Raises ConfigError (field `precision`) where that cannot be done.
    """
    # Without VNNI the kernels add products in 16 bits, which overflow.
    if not torch.cpu._is_vnni_supported():
        raise ConfigError("int8 needs a processor with AVX-512 VNNI", field="precision")
    if not hasattr(torch.ops.onednn, "qlinear_pointwise"):
        raise ConfigError("this build of torch has no int8 kernels", field="precision")
    head, count = model.get_output_embeddings(), 0
    for module in list(model.base_model.modules()):
        for name, child in module.named_children():
            if isinstance(child, torch.nn.Linear) and child is not head:
                setattr(module, name, Int8Linear(child))
                count += 1
    if not count:
        raise ConfigError(
            f"{type(model).__name__} has no linear layers to quantise", field="precision"
        )


def _quantised(rows: torch.Tensor, zero: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """The values + zero, int8 [n, d] (uint8 where zero is not 0), and the scale of each row,
    float32 [n, 1]."""
    # Not aminmax, nor the norm: these two are several times as fast.
    largest = torch.maximum(rows.amax(1, keepdim=True), -rows.amin(1, keepdim=True))
    scale = largest.clamp_(min=1e-12) / LIMIT
    values = (rows * scale.reciprocal()).round_()
    return values.add_(zero).to(torch.uint8 if zero else torch.int8), scale
