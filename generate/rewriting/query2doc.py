"""query2doc: a model writes one passage, which is appended to the query.

Wang, Yang and Wei, "Query2doc: Query expansion with large language models" (2023). Examples in the
prompt show what a passage looks like. In lexical legs the query counts five times and the passage
once. Dense legs encode the query and the passage as one text. Learned sparse legs, which the paper
does not have, search the weights of both as lexical legs do.
"""

from __future__ import annotations

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
        "Paper contains lignin, a polymer of wood. As lignin decays over decades, it releases "
        "vanillin and other volatile compounds, which give old books a scent of vanilla.",
    ),
    (
        "first lighthouse with electric light",
        "South Foreland Lighthouse near Dover was the first lighthouse with an electric lamp. Its "
        "trials with an arc lamp began in 1858 and were led by Michael Faraday.",
    ),
    (
        "how deep do earthworms dig",
        "Most earthworms live in the upper 30 centimetres of the soil. Deep-burrowing species such "
        "as the common earthworm dig vertical tunnels of up to two or three metres.",
    ),
    (
        "difference between alloy and amalgam",
        "An alloy is a mixture of a metal with other elements. An amalgam is an alloy of mercury "
        "with another metal, such as silver or tin in dental fillings.",
    ),
)
"""Queries and passages: the examples of the prompt."""

SYSTEM = "Write a passage that answers the query."


@REWRITERS.register
class Query2DocConfig(LanguageModelRewriterConfig):
    """A language model writes a passage, which is appended to the query (query2doc, Wang et al.,
    2023)."""

    made_by = ".query2doc:Query2DocRewriter"

    kind: Literal["query2doc"] = "query2doc"
    repeat: Annotated[int, Bounds(1, 1_000)] = 5
    """How often the query counts in lexical and sparse legs, where the passage counts once."""

    @property
    def use(self) -> Use:
        """Query and passage are searched as one text."""
        return Use("append", repeat=self.repeat)


class Query2DocRewriter(PromptingRewriter):
    """Writes a passage that is appended to the query. See `Query2DocConfig`."""

    def __init__(self, config: Query2DocConfig, model: LanguageModel | None = None) -> None:
        method = Method(SYSTEM, EXAMPLES, VERSION, "passage")
        super().__init__(config, method, model)
