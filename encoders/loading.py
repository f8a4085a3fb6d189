"""From a configuration to the encoder that it describes."""

from __future__ import annotations

from ..core import AnalyzerConfig, DenseEncoderConfig
from . import fake
from .lexical import LexicalEncoder
from .protocol import Encoder, EncoderConfig


def load_encoder(config: EncoderConfig) -> Encoder:
    """Load an encoder; the model "fake" is a hash of words (`twindex.encoders.fake`).

    Raises ConfigError for options that cannot be used and ModelError for a model that cannot be
    found or read. The network is used only if the environment has TWINDEX_ALLOW_DOWNLOAD=1.
    """
    # The modules of real models are imported here because they import torch: seconds.
    if isinstance(config, AnalyzerConfig):
        return LexicalEncoder(config)
    if isinstance(config, DenseEncoderConfig):
        if config.model == fake.NAME:
            return fake.FakeDenseEncoder(config)
        from .dense import DenseEncoder

        return DenseEncoder.load(config)
    if config.model == fake.NAME:
        return fake.FakeSparseEncoder(config)
    from .sparse import SparseEncoder

    return SparseEncoder.load(config)
