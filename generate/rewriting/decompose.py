"""Sub-questions: a model divides the query into simpler questions, and all lists are fused.

Press et al., "Measuring and narrowing the compositionality gap in language models" (2023), and
Zhou et al., "Least-to-most prompting enables complex reasoning in large language models" (2023),
answer a question by its sub-questions. Here each sub-question is only searched, in one round.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ...core.bounds import Bounds
from ...llm import LanguageModel
from .config import REWRITERS
from .engine import LanguageModelRewriterConfig, Method, PromptingRewriter
from .protocol import Use
from .queries import Weight, shortened

VERSION = 1

EXAMPLES = (
    (
        "Is the river through Vienna longer than the river through Paris?",
        "Which river flows through Vienna?\n"
        "How long is the Danube?\n"
        "Which river flows through Paris?\n"
        "How long is the Seine?",
    ),
    (
        "Which composer taught the author of the Hungarian Dances?",
        "Who wrote the Hungarian Dances?\nWho taught Johannes Brahms composition?",
    ),
)
"""Questions and their sub-questions: the examples of the prompt."""

SYSTEM = (
    "Divide the question into simpler questions whose answers are needed to answer it. Write at "
    "most {number} questions, one in each line."
)


@REWRITERS.register
class DecomposeConfig(LanguageModelRewriterConfig):
    """A language model divides the query into sub-questions. The query and the sub-questions are
    searched, and the results are fused (decomposition, Press et al., 2023)."""

    made_by = ".decompose:DecomposeRewriter"

    kind: Literal["decompose"] = "decompose"
    texts: Annotated[int, Bounds(1, 100)] = 4
    """Maximum number of sub-questions."""
    weight: Weight = 1.0
    """Weight of each sub-question's ranked list in the fusion. The query's list has weight 1."""

    @property
    def use(self) -> Use:
        """Each sub-question is searched."""
        return Use("fuse", weight=self.weight)


class DecomposeRewriter(PromptingRewriter):
    """Divides the query into sub-questions. See `DecomposeConfig`."""

    def __init__(self, config: DecomposeConfig, model: LanguageModel | None = None) -> None:
        system = SYSTEM.format(number=config.texts)
        method = Method(
            system, shortened(EXAMPLES, config.texts), VERSION, "question", most=config.texts
        )
        super().__init__(config, method, model)
