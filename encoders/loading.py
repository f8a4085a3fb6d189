"""From a configuration to the encoder that it describes."""

from __future__ import annotations

from ..core import (
    AnalyzerConfig,
    ConfigError,
    DenseEncoderConfig,
    LateEncoderConfig,
    PromptRepsEncoderConfig,
    TildeEncoderConfig,
)
from ..core.config import Device
from ..llm.fake import FakeModel
from . import fake
from .late.vectors import TokenEncoder
from .lexical.encoder import LexicalEncoder
from .promptreps.encoder import PromptRepsEncoder
from .protocol import CountingEncoder, Encoder, EncoderConfig


def on_device(config: EncoderConfig, device: Device) -> EncoderConfig:
    """The same encoder on another device, which no representation depends on."""
    if isinstance(config, AnalyzerConfig):
        return config
    return config.model_copy(update={"device": device})


def load_encoder(config: EncoderConfig, *, device: Device | None = None) -> Encoder:
    """Load an encoder; the model "fake" is a hash of words (`twindex.encoders.fake`).

    device: where its model runs, whatever the configuration says; None = what that says. Raises
    ConfigError for options that cannot be used and ModelError for a model that cannot be found or
    read. The network is used only if the environment has TWINDEX_ALLOW_DOWNLOAD=1.
    """
    if device is not None:
        config = on_device(config, device)
    # The modules of real models are imported here because they import torch: seconds.
    if isinstance(config, AnalyzerConfig):
        return LexicalEncoder(config)
    if isinstance(config, DenseEncoderConfig):
        if config.model == fake.NAME:
            return fake.FakeDenseEncoder(config)
        from .dense.encoder import DenseEncoder

        return DenseEncoder.load(config)
    if isinstance(config, PromptRepsEncoderConfig):
        if config.model == fake.NAME:
            _check_fake(config)
            return PromptRepsEncoder(FakeModel(), config)
        return PromptRepsEncoder.load(config)
    if isinstance(config, LateEncoderConfig):
        return load_token_encoder(config)
    if isinstance(config, TildeEncoderConfig):
        return load_tilde_encoder(config)
    if config.model == fake.NAME:
        return fake.FakeSparseEncoder(config)
    from .sparse.encoder import SparseEncoder

    return SparseEncoder.load(config)


def load_token_encoder(config: LateEncoderConfig) -> TokenEncoder:
    """A late encoder, which also names the token of each vector. Raises as `load_encoder`."""
    if config.model == fake.NAME:
        return fake.FakeLateEncoder(config)
    from .late.encoder import LateEncoder

    return LateEncoder.load(config)


def load_tilde_encoder(config: TildeEncoderConfig) -> CountingEncoder:
    """An encoder of TILDEv2. Raises as `load_encoder`."""
    if config.model == fake.NAME:
        return fake.FakeTildeEncoder(config)
    from .tilde.encoder import TildeEncoder

    return TildeEncoder.load(config)


def _check_fake(config: PromptRepsEncoderConfig) -> None:
    if config.revision is not None:
        raise ConfigError('"fake" has no revisions', field="revision")
    if config.precision != "float32":
        raise ConfigError('"fake" computes in float32', field="precision")
