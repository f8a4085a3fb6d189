"""Base class of parts without terms."""

from __future__ import annotations

from collections.abc import Sequence

from ...core import Contribution, Representation, TermWeight


class Termless:
    """Implements the methods of LegPart about terms for dense parts, which have none."""

    def explain(self, query: Representation, row: int) -> Sequence[Contribution]:
        """Return an empty sequence: a dense score has no terms."""
        return ()

    def terms(self, row: int) -> Sequence[TermWeight]:
        """Return an empty sequence: a dense vector has no terms."""
        return ()
