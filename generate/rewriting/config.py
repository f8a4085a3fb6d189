"""Base class of rewriter configurations, and the registry of the kinds of rewriters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

from pydantic import Field

from ...core import Config
from ...core.config import Device, PartName
from ...core.kinds import Kinds, OneOf, PartConfig, load_part
from .protocol import Rewriter, Use


class RewriterConfig(PartConfig):
    """Base of all rewriter configurations. See `PartConfig`.

    reads_turns: True if the rewriter reads the earlier turns of a conversation.
    """

    reads_turns: ClassVar[bool] = False

    @property
    def use(self) -> Use:
        """How a search uses the texts. By default, each is searched, and the lists are fused."""
        return Use("fuse")


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
    rewriter: Rewriter = load_part(config, device=device)
    return rewriter
