"""Loading encoders from their configurations."""

from __future__ import annotations

from typing import cast

from ..core.config import Device
from .config import EncoderConfig
from .late.config import LateEncoderConfig
from .late.vectors import TokenEncoder
from .protocol import CountingEncoder, Encoder
from .tilde.config import TildeEncoderConfig


def load_encoder(config: EncoderConfig, *, device: Device | None = None) -> Encoder:
    """Load an encoder. If its model is named "fake", load an encoder without a model, for tests.

    device: device that the model runs on. None: the device that the configuration names.

    Raises ConfigError for options that cannot be used and ModelError for a model that cannot be
    found or read. Uses the network only if the environment variable TWINDEX_ALLOW_DOWNLOAD is 1.
    """
    return (config if device is None else config.on(device)).load()


def load_token_encoder(config: LateEncoderConfig) -> TokenEncoder:
    """Load a late-interaction encoder. Raises the same errors as `load_encoder`."""
    return cast(TokenEncoder, config.load())


def load_tilde_encoder(config: TildeEncoderConfig) -> CountingEncoder:
    """Load a TILDEv2 encoder. Raises the same errors as `load_encoder`."""
    return cast(CountingEncoder, config.load())
