"""The kinds of encoder that come with Twindex, a line each."""

from __future__ import annotations

from .config import ENCODERS
from .dense.config import DenseEncoderConfig
from .late.config import LateEncoderConfig
from .lexical.config import AnalyzerConfig
from .promptreps.config import PromptRepsEncoderConfig
from .sparse.config import SparseEncoderConfig
from .tilde.config import TildeEncoderConfig

ENCODERS.register(DenseEncoderConfig)
ENCODERS.register(SparseEncoderConfig)
ENCODERS.register(AnalyzerConfig)
ENCODERS.register(PromptRepsEncoderConfig)
ENCODERS.register(LateEncoderConfig)
ENCODERS.register(TildeEncoderConfig)
