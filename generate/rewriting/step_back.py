"""Step back: a model writes a more general question, and both lists are fused.

Zheng et al., "Take a step back: Evoking reasoning via abstraction in large language models" (2024).
"""

from __future__ import annotations

from typing import Literal

from ...llm import LanguageModel
from .config import REWRITERS
from .engine import LanguageModelRewriterConfig, Method, PromptingRewriter
from .protocol import Use
from .queries import Weight

VERSION = 1

EXAMPLES = (
    (
        "How warm is a cup of tea after ten minutes on a balcony in winter?",
        "What determines how fast a liquid cools?",
    ),
    (
        "Could a tenant in Lyon be asked to repair the roof?",
        "Which repairs of a rented home are duties of its owner?",
    ),
)
"""Questions and more general ones: the examples of the prompt."""

SYSTEM = "Write a more general question that helps to answer the question."


@REWRITERS.register
class StepBackConfig(LanguageModelRewriterConfig):
    """A language model writes a more general question. The query and this question are
    searched, and the results are fused (step-back prompting, Zheng et al., 2024)."""

    made_by = ".step_back:StepBackRewriter"

    kind: Literal["step_back"] = "step_back"
    weight: Weight = 1.0
    """Weight of the general question's ranked list in the fusion. The list of the query has weight
    1."""

    @property
    def use(self) -> Use:
        """The general question is searched."""
        return Use("fuse", weight=self.weight)


class StepBackRewriter(PromptingRewriter):
    """Writes a more general question. See `StepBackConfig`."""

    def __init__(self, config: StepBackConfig, model: LanguageModel | None = None) -> None:
        super().__init__(config, Method(SYSTEM, EXAMPLES, VERSION, "question", most=1), model)
