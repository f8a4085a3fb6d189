"""Standalone question: a model adds to a follow-up question what the conversation implies.

Elgohary, Peskov and Boyd-Graber, "Can you unpack that? Learning to rewrite questions-in-context"
(CANARD, 2019), and Vakulenko et al., "Question rewriting for conversational question answering"
(2021).
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

EXAMPLE = (
    ("user", "Who painted The Garden of Earthly Delights?"),
    ("assistant", "Hieronymus Bosch painted it."),
)
"""The conversation in the prompt's example."""

FOLLOW_UP, STANDALONE = "When was he born?", "When was Hieronymus Bosch born?"

PROMPT = """\
Rewrite the last question of the conversation so that it can be understood without the \
conversation. Write only the question.

{example}
Last question: {follow_up}
Standalone question: {standalone}

{conversation}
Last question: {question}
Standalone question:"""

_SPEAKERS = {"user": "User", "assistant": "Assistant"}


@REWRITERS.register
class StandaloneConfig(LanguageModelRewriterConfig):
    """A language model rewrites the follow-up question of a conversation so that it can be
    understood without the conversation (Elgohary et al., 2019)."""

    made_by = ".standalone:StandaloneRewriter"
    reads_turns = True

    kind: Literal["standalone"] = "standalone"
    turns: Annotated[int, Bounds(1, 100)] = 6
    """Maximum number of earlier turns that the model reads; the last ones."""
    original: Annotated[float, Bounds(0, 1_000)] = 0.5
    """Weight of the list of the original question in the fusion; that of the standalone question
    has 1. 0 = the original question is not searched."""

    @property
    def use(self) -> Use:
        """The standalone question replaces the original one."""
        return Use("replace", weight=self.original)


class StandaloneRewriter(PromptingRewriter):
    """Rewrites the follow-up question of a conversation. See `StandaloneConfig`."""

    def __init__(self, config: StandaloneConfig, model: LanguageModel | None = None) -> None:
        method = Method(
            _prompt, VERSION, "standalone", most=1, example=[STANDALONE], turns=config.turns
        )
        super().__init__(config, method, model)


def _prompt(question: str, turns: Sequence[tuple[str, str]]) -> str:
    return PROMPT.format(
        example=_conversation(EXAMPLE),
        follow_up=FOLLOW_UP,
        standalone=STANDALONE,
        conversation=_conversation(turns),
        question=question,
    )


def _conversation(turns: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{_SPEAKERS[role]}: {text}" for role, text in turns)
