"""The protocol of rewriters: a rewriter receives questions, and returns texts to search.

rewriter.rewrite([Question("Why can't the kiwi fly?")])[0].texts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ...ask import Limits
from ...core import UNGUARDED, Guard, Status, TwindexError, Usage
from ...llm import Message

TextKind = Literal["query", "passage", "question", "standalone"]
"""What a text is. query: the question in other words. passage: a text that may answer the question.
question: a question about a part of the question, or a more general one. standalone: the last
question of a conversation, understandable without the conversation."""

How = Literal["fuse", "mean", "append", "replace"]
"""What a search does with the texts.

fuse:    each text is searched on its own, and the lists are fused with that of the query.
mean:    dense legs search the mean of the vectors of the query and the texts. Other legs search the
         terms of the query and of the texts.
append:  dense legs search the query and the text as one text. Other legs: as for "mean".
replace: the text is searched, reranked and used for feedback in place of the query.
"""


@dataclass(frozen=True, slots=True)
class Question:
    """The query of a search.

    turns: earlier turns of the conversation, in order.
    """

    text: str
    turns: Sequence[Message] = ()


@dataclass(frozen=True, slots=True)
class RewrittenText:
    """A text that a rewriter wrote. It contains no markup of chat templates."""

    text: str
    kind: TextKind


@dataclass(frozen=True, slots=True)
class Use:
    """How a search uses the texts of a rewriter.

    repeat: for "mean" and "append": how often the query counts in lexical and sparse legs, where
            each text counts once. None: max(1, (words of the texts // words of the query) // 6),
            the rule of MuGI (Zhang et al., "Exploring the best practices of query expansion with
            large language models", 2024).
    weight: for "fuse": weight of each text's ranked list in the fusion. The list of the query has
            weight 1. For "replace": weight of the original query's ranked list in the fusion. The
            list of the text has weight 1. 0: the original query is not searched.
    """

    how: How
    repeat: int | None = 1
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Rewrites:
    """The texts that a rewriter wrote for one question.

    texts:    texts that say something that the question does not say, each once. Empty if the
              rewriter wrote none.
    status:   "complete"; "partial" if a limit was reached; "failed" if the model failed; `error`
              then has the reason.
    seconds:  wall-clock time from the call to the last text.
    warnings: why texts of the model were left out.
    reason:   why there was nothing to write, if no model was asked.
    version:  version of the prompt. Equal models, versions, questions and seeds give equal texts.
    """

    texts: Sequence[RewrittenText]
    status: Status = "complete"
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    warnings: Sequence[str] = ()
    reason: str = ""
    version: int = 1
    error: TwindexError | None = None


class Rewriter(Protocol):
    """Writes texts to search from questions. Thread-safe."""

    @property
    def kind(self) -> str:
        """Return the `kind` of the rewriter's configuration, such as "hyde"."""

    def rewrite(
        self,
        questions: Sequence[Question],
        limits: Limits | None = None,
        guard: Guard = UNGUARDED,
    ) -> list[Rewrites]:
        """Return the texts for each question, in the same order.

        limits: limits for each question. The time limit starts with this call for all questions.
        guard: its method `check` is called at least every 0.1 s, also during a call of the model.
            An exception of `check` is raised at once.

        If the model fails, no exception is raised: the status of the result is "failed". Raises the
        exceptions of the guard.
        """
