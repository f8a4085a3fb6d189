"""Words that many configurations share."""

from __future__ import annotations

from typing import Literal

Device = Literal["auto", "cpu", "cuda"]
"""Where a model runs; "auto" is CUDA where there is one. It does not change what a model means."""

Precision = Literal["float32", "bfloat16"]
"""Arithmetic of a model. bfloat16 is faster where the processor has it (AVX512-BF16, AMX, GPU) and
slower where it has not; see benchmarks/speed/encode.py for what it costs."""
