"""Sub-questions: a model divides the query into simpler questions, and all lists are fused.

Press et al., "Measuring and narrowing the compositionality gap in language models" (2023), and
Zhou et al., "Least-to-most prompting enables complex reasoning in large language models" (2023),
answer a question by its sub-questions. Here each sub-question is only searched, in one round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from ...core.bounds import Bounds
from ...llm import LanguageModel
from .config import REWRITERS
from .engine import LanguageModelRewriterConfig, Method, PromptingRewriter
from .protocol import Use
from .queries import Weight

VERSION = 1

EXAMPLE = (
    "Is the river through Vienna longer than the river through Paris?",
    "Which river flows through Vienna?",
    "How long is the river that flows through Vienna?",
    "Which river flows through Paris?",
    "How long is the river that flows through Paris?",
)
"""A question and its sub-questions in the prompt's example."""

PROMPT = """\
Divide the question into simpler questions whose answers are needed to answer it. Write at most \
{number} questions, one in each line.

Question: {example}

Question: {question}
"""


@REWRITERS.register
class DecomposeConfig(LanguageModelRewriterConfig):
    """A language model divides the query into sub-questions; all are searched and fused
    (decomposition, Press et al., 2023)."""

    made_by = ".decompose:DecomposeRewriter"

    kind: Literal["decompose"] = "decompose"
    texts: Annotated[int, Bounds(1, 100)] = 4
    """Maximum number of sub-questions."""
    weight: Weight = 1.0
    """Weight of the list of each sub-question in the fusion; that of the query has 1."""

    @property
    def use(self) -> Use:
        """Each sub-question is searched."""
        return Use("fuse", weight=self.weight)


class DecomposeRewriter(PromptingRewriter):
    """Divides the query into sub-questions. See `DecomposeConfig`."""

    def __init__(self, config: DecomposeConfig, model: LanguageModel | None = None) -> None:
        form = PROMPT.replace("{number}", str(config.texts)).replace(
            "{example}", "\n".join(EXAMPLE)
        )

        def prompt(question: str, turns: Sequence[tuple[str, str]]) -> str:
            return form.replace("{question}", question)

        method = Method(prompt, VERSION, "question", most=config.texts, example=EXAMPLE)
        super().__init__(config, method, model)
