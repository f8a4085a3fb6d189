"""Base class of background configurations, and the registry of the kinds of backgrounds."""

from __future__ import annotations

from collections.abc import Callable

from ...core.config import Device
from ...core.kinds import Kinds, PartConfig, load_part
from .protocol import Background


class BackgroundConfig(PartConfig):
    """Base of all background configurations. See `PartConfig`."""


BACKGROUNDS = Kinds(BackgroundConfig, "background", "twindex.backgrounds")
"""The registry of the kinds of backgrounds, such as "clustered": name -> configuration class."""

BackgroundLoader = Callable[[BackgroundConfig], Background]
"""A function that loads a background from its configuration, such as `load_background`."""


def load_background(config: BackgroundConfig, *, device: Device | None = None) -> Background:
    """Load a background and its models.

    device: device of the models. None: the device that the configuration names.

    Raises ConfigError for an option that is not supported, ModelError for a model that cannot be
    loaded, and SourceError for a file of demonstrations that cannot be read. Uses the network only
    to call a server that the configuration names, or to download weights if the environment sets
    TWINDEX_ALLOW_DOWNLOAD=1.
    """
    background: Background = load_part(config, device=device)
    return background
