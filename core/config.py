"""Types of configuration fields that several models share: device and precision."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Strict

Device = Literal["auto", "cpu", "cuda"]
"""Device that a model runs on. "auto": CUDA if there is a GPU, else the CPU. The device is not part
of the model's identity."""

Flag = Annotated[bool, Strict()]
"""True or False. Neither 1 nor the string "true" is accepted."""

Precision = Literal["float32", "bfloat16"]
"""Arithmetic of a model. bfloat16 is faster on processors that support it (AVX512-BF16, AMX, GPU)
and slower on others. benchmarks/speed/encode.py measures its effect."""
