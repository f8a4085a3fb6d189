"""Base class of rewriter configurations, and the registry of the kinds of rewriters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Self

from pydantic import Field

from ...core import Config
from ...core.config import Device, PartName
from ...core.kinds import Kinds, OneOf, named
from .protocol import Rewriter, Use


class RewriterConfig(Config):
    """Base of all rewriter configurations.

    made_by:     class or function that creates the rewriter, as "module:name", or ".module:name"
                 relative to the configuration's package. The module is imported on loading.
    reads_turns: True if the rewriter reads the earlier turns of a conversation.
    """

    made_by: ClassVar[str]
    reads_turns: ClassVar[bool] = False

    kind: str

    @property
    def use(self) -> Use:
        """How a search uses the texts. By default, each is searched, and the lists are fused."""
        return Use("fuse")

    def load(self) -> Rewriter:
        """Load the rewriter and its model. Raises the errors of `load_rewriter`."""
        return self.make()

    def make(self) -> Rewriter:
        """Create the rewriter."""
        rewriter: Rewriter = named(self.made_by, type(self))(self)
        return rewriter

    def on(self, device: Device) -> Self:
        """Return a copy of the configuration that loads its model on `device`."""
        return self


REWRITERS = Kinds(RewriterConfig, "rewriter", "twindex.rewriters")
"""The registry of the kinds of rewriters, such as "hyde": name -> configuration class."""

RewriterLoader = Callable[[RewriterConfig], Rewriter]
"""A function that loads a rewriter from its configuration, such as `load_rewriter`."""


class Rewriters(Config):
    """The content of a TOML file with tables `[rewriters.NAME]`.

    rewriters: NAME -> configuration of the rewriter with this name.
    """

    rewriters: dict[PartName, Annotated[RewriterConfig, OneOf(REWRITERS)]] = Field(
        default_factory=dict
    )


def load_rewriter(config: RewriterConfig, *, device: Device | None = None) -> Rewriter:
    """Load a rewriter and its model.

    device: device of the model. None: the device that the configuration names.

    Raises ConfigError for an option that is not supported, and ModelError for a model that cannot
    be loaded. Uses the network only to call a server that the configuration names, or to download
    weights if the environment sets TWINDEX_ALLOW_DOWNLOAD=1.
    """
    return (config if device is None else config.on(device)).load()
