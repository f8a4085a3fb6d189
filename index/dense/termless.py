"""Base class of the parts of dense legs, whose vectors have no terms."""

from __future__ import annotations

from collections.abc import Sequence

from ...core import Contribution, Representation, TermWeight


class Termless:
    """Implements the methods of `LegPart` that return terms. Dense legs have no terms."""

    def explain(self, query: Representation, row: int) -> Sequence[Contribution]:
        """Return an empty sequence: a dense score has no terms."""
        return ()

    def terms(self, row: int) -> Sequence[TermWeight]:
        """Return an empty sequence: a dense vector has no terms."""
        return ()
