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

Turns = Sequence[tuple[str, str]]
"""Turns of a conversation: (role, text)."""

EXAMPLES: Sequence[tuple[Turns, str, str]] = (
    (
        (
            ("user", "Who painted The Garden of Earthly Delights?"),
            ("assistant", "Hieronymus Bosch painted it."),
        ),
        "When was he born?",
        "When was Hieronymus Bosch born?",
    ),
    (
        (
            ("user", "What is a good soil for tomatoes?"),
            ("assistant", "Loam with compost."),
        ),
        "And how often should I water them?",
        "How often should I water tomatoes?",
    ),
)
"""Earlier turns, last question and standalone question: the examples of the prompt."""

SYSTEM = "Rewrite the last question of a conversation, so that it names what it is about."

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
    """Weight of the original question's ranked list in the fusion. The list of the standalone
    question has weight 1. 0 = the original question is not searched."""

    @property
    def use(self) -> Use:
        """The standalone question replaces the original one."""
        return Use("replace", weight=self.original)


class StandaloneRewriter(PromptingRewriter):
    """Rewrites the follow-up question of a conversation. See `StandaloneConfig`."""

    def __init__(self, config: StandaloneConfig, model: LanguageModel | None = None) -> None:
        shots = [(_message(last, turns), answer) for turns, last, answer in EXAMPLES]
        method = Method(SYSTEM, shots, VERSION, "standalone", _message, most=1, turns=config.turns)
        super().__init__(config, method, model)


def _message(question: str, turns: Turns) -> str:
    """Return the message of a conversation: its earlier turns, and its last question."""
    lines = "\n".join(f"{_SPEAKERS[role]}: {text}" for role, text in turns)
    return f"Conversation:\n{lines}\nLast question: {question}"
