"""The rewriters of a server. They load when the server starts, and never during a request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ...core.config import Device
from ...generate.rewriting import Rewriter, RewriterConfig, load_rewriter
from ...search import RewriterRegistry
from .preloaded import PreloadedParts


class ServedRewriters(PreloadedParts[RewriterConfig, Rewriter], RewriterRegistry):
    """The rewriters that requests may use. `load` loads them before their first use."""

    def __init__(self, configs: Mapping[str, RewriterConfig], device: Device | None) -> None:
        super().__init__(configs, load=partial(load_rewriter, device=device))

    @classmethod
    def of(cls, path: Path | None, device: Device | None) -> ServedRewriters:
        """Return a registry with the rewriters of a TOML file; empty if `path` is None.

        Raises SourceError, with file and field, for an invalid file.
        """
        return cls({} if path is None else RewriterRegistry.read(path).configs, device)

    def warm_up(self, part: Rewriter) -> Exception | None:
        """Let the model write one token, if the rewriter can. See `PreloadedParts.warm_up`."""
        warm = getattr(part, "warm_up", None)
        found: Exception | None = None if warm is None else warm()
        return found
