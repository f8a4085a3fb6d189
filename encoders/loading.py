"""From a configuration to the encoder that it describes."""

from __future__ import annotations

from typing import cast

from ..core.config import Device
from .config import EncoderConfig
from .late.config import LateEncoderConfig
from .late.vectors import TokenEncoder
from .protocol import CountingEncoder, Encoder
from .tilde.config import TildeEncoderConfig


def load_encoder(config: EncoderConfig, *, device: Device | None = None) -> Encoder:
    """Load an encoder; the model "fake" is a hash of words (`twindex.encoders.fake`).

    device: where its model runs, whatever the configuration says; None = what that says. Raises
    ConfigError for options that cannot be used and ModelError for a model that cannot be found or
    read. The network is used only if the environment has TWINDEX_ALLOW_DOWNLOAD=1.
    """
    return (config if device is None else config.on(device)).load()


def load_token_encoder(config: LateEncoderConfig) -> TokenEncoder:
    """A late encoder, which also names the token of each vector. Raises as `load_encoder`."""
    return cast(TokenEncoder, config.load())


def load_tilde_encoder(config: TildeEncoderConfig) -> CountingEncoder:
    """An encoder of TILDEv2. Raises as `load_encoder`."""
    return cast(CountingEncoder, config.load())
