"""Base class of background configurations, and the registry of the kinds of backgrounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

from ...core import Config
from ...core.config import Device
from ...core.kinds import Kinds, named
from .protocol import Background


class BackgroundConfig(Config):
    """Base of all background configurations.

    made_by: class or function that creates the background, as "module:name", or ".module:name"
             relative to the configuration's package. The module is imported on loading.
    """

    made_by: ClassVar[str]

    kind: str

    def load(self) -> Background:
        """Load the background and its models. Raises the errors of `load_background`."""
        return self.make()

    def make(self) -> Background:
        """Create the background."""
        background: Background = named(self.made_by, type(self))(self)
        return background

    def on(self, device: Device) -> Self:
        """Return a copy of the configuration that loads its models on `device`."""
        return self


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
    return (config if device is None else config.on(device)).load()
