"""What a leg of dense vectors says of terms."""

from __future__ import annotations

from collections.abc import Sequence

from ...core import Contribution, Representation, TermWeight


class Termless:
    """The part of LegPart that is the same for all dense parts."""

    def explain(self, query: Representation, row: int) -> Sequence[Contribution]:
        """Nothing: a dense score has no terms."""
        return ()

    def terms(self, row: int) -> Sequence[TermWeight]:
        """Nothing: a dense vector has no terms."""
        return ()
