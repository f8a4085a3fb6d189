"""The rewriters of a server. They load when the server starts, and never during a request."""

from __future__ import annotations

from ...generate.rewriting import Rewriter, RewriterConfig
from ...search import RewriterRegistry
from .preloaded import PreloadedParts


class ServedRewriters(PreloadedParts[RewriterConfig, Rewriter], RewriterRegistry):
    """The rewriters that requests may use. `load` loads them before their first use."""

    def warm_up(self, part: Rewriter) -> None:
        """Let the model write one token, if the rewriter can. See `PreloadedParts.warm_up`."""
        warm = getattr(part, "warm_up", None)
        if warm is not None and (error := warm()) is not None:
            raise error
