"""A rewriter that reads the words of a query in reverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from twindex.ask import Limits
from twindex.core import UNGUARDED, Guard
from twindex.generate.rewriting import Question, RewriterConfig, Rewrites, RewrittenText


class ReversedConfig(RewriterConfig):
    """The letters of the query in reverse."""

    made_by = ".rewriter:Reversed"

    kind: Literal["reversed"] = "reversed"


class Reversed:
    """A Rewriter that needs no model."""

    kind = "reversed"

    def __init__(self, config: ReversedConfig) -> None:
        pass

    def rewrite(
        self,
        questions: Sequence[Question],
        limits: Limits | None = None,
        guard: Guard = UNGUARDED,
    ) -> list[Rewrites]:
        return [Rewrites([RewrittenText(one.text[::-1], "query")]) for one in questions]
