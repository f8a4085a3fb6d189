"""Several queries: a model writes the query in other words, and all lists are fused.

Raudaschl, "RAG-Fusion" (2023), and Rackauckas, "RAG-Fusion: a new take on retrieval-augmented
generation" (2024): the lists of the query and of its rewrites are fused by reciprocal rank fusion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from ...core.bounds import Bounds
from ...llm import LanguageModel
from .config import REWRITERS
from .engine import LanguageModelRewriterConfig, Method, PromptingRewriter
from .protocol import Use

VERSION = 1

EXAMPLES = (
    (
        "why do old books smell of vanilla",
        "chemical cause of the scent of aged paper\n"
        "vanillin released by decaying lignin\n"
        "what makes library books smell sweet\n"
        "odour of ageing paper explained",
    ),
    (
        "first lighthouse with electric light",
        "history of electric arc lamps for navigation\n"
        "which coastal beacon used electricity first\n"
        "early electrification of lighthouses\n"
        "when were lighthouses electrified",
    ),
)
"""Queries and their rewrites: the examples of the prompt."""

SYSTEM = (
    "Write {number} other search queries about the same topic, in other words. Write one query in "
    "each line."
)

Weight = Annotated[float, Bounds(0, 1_000, above=True)]
"""Weight of a list in the fusion."""


@REWRITERS.register
class QueriesConfig(LanguageModelRewriterConfig):
    """A language model writes the query in other words. All queries are searched, and the results
    are fused (RAG-Fusion, Raudaschl, 2023)."""

    made_by = ".queries:QueriesRewriter"

    kind: Literal["queries"] = "queries"
    texts: Annotated[int, Bounds(1, 100)] = 4
    """Maximum number of queries besides the original."""
    weight: Weight = 1.0
    """Weight of each query's ranked list in the fusion. The list of the original query has weight
    1."""

    @property
    def use(self) -> Use:
        """Each query is searched."""
        return Use("fuse", weight=self.weight)


class QueriesRewriter(PromptingRewriter):
    """Writes the query in other words. See `QueriesConfig`."""

    def __init__(self, config: QueriesConfig, model: LanguageModel | None = None) -> None:
        system = SYSTEM.format(number=config.texts)
        method = Method(
            system, shortened(EXAMPLES, config.texts), VERSION, "query", most=config.texts
        )
        super().__init__(config, method, model)


def shortened(examples: Sequence[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    """Return the examples with at most `most` lines in each answer."""
    return [(asked, "\n".join(answer.splitlines()[:most])) for asked, answer in examples]
