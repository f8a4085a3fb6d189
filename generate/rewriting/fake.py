"""A rewriter without a model, for tests and experiments."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from ...ask import Limits, Meter
from ...ask.waiting import POLL
from ...core import UNGUARDED, Guard, ModelError, Status, Usage
from ...core.bounds import Bounds
from ...core.config import Flag
from .config import REWRITERS, RewriterConfig
from .protocol import How, Question, Rewrites, RewrittenText, TextKind, Use

KINDS: dict[How, TextKind] = {
    "fuse": "query",
    "mean": "passage",
    "append": "passage",
    "replace": "standalone",
}


@REWRITERS.register
class FakeRewriterConfig(RewriterConfig):
    """A rewriter without a model, for tests and experiments.

    A word counts as a token.
    """

    made_by = ".fake:FakeRewriter"
    reads_turns: ClassVar[bool] = True

    kind: Literal["fake"] = "fake"
    texts: tuple[str, ...] = ("about {question}",)
    """The texts that the rewriter writes. {question} stands for the question, {turn} for the last
    earlier turn."""
    how: How = "fuse"
    """What a search does with the texts: "fuse", "mean", "append" or "replace"."""
    weight: Annotated[float, Bounds(0, 1_000)] = 1.0
    """Weight of the list of each text in the fusion. For "replace": of the original query."""
    repeat: Annotated[int, Bounds(1, 1_000)] | None = None
    """How often the query counts in lexical and sparse legs; None = the longer the texts, the more
    often."""
    milliseconds: Annotated[float, Bounds(0, 86_400_000)] = 0.0
    """Milliseconds to wait before each text."""
    fails: Flag = False
    """Fail instead of writing a text."""

    @property
    def use(self) -> Use:
        """How a search uses the texts, as configured."""
        return Use(self.how, self.repeat, self.weight)


class FakeRewriter:
    """Writes fixed texts. See `FakeRewriterConfig`."""

    kind = "fake"

    def __init__(self, config: FakeRewriterConfig | None = None) -> None:
        self._config = config or FakeRewriterConfig()

    def rewrite(
        self,
        questions: Sequence[Question],
        limits: Limits | None = None,
        guard: Guard = UNGUARDED,
    ) -> list[Rewrites]:
        """See `Rewriter.rewrite`."""
        began = time.perf_counter()
        return [self._one(one, Meter(limits or Limits(), began), guard) for one in questions]

    def _one(self, question: Question, meter: Meter[Limits], guard: Guard) -> Rewrites:
        config, texts = self._config, list[RewrittenText]()
        usage, partial = Usage(), False
        error = ModelError("the fake rewriter fails, as set in `fails`") if config.fails else None
        for form in () if error else config.texts:
            until = time.perf_counter() + config.milliseconds / 1e3
            guard.check()
            while (left := until - time.perf_counter()) > 0:
                time.sleep(min(left, POLL))
                guard.check()
            over = meter.deadline is not None and time.perf_counter() > meter.deadline
            calls, tokens = meter.budget.calls, meter.budget.tokens
            text = form.replace("{question}", question.text)
            text = text.replace("{turn}", question.turns[-1].content if question.turns else "")
            cost = Usage(1, len(question.text.split()), completion_tokens=len(text.split()))
            after = usage + cost
            used = after.prompt_tokens + after.completion_tokens
            if (
                over
                or (calls is not None and usage.calls >= calls)
                or (tokens is not None and used > tokens)
            ):
                partial = True
                break
            usage = after
            texts.append(RewrittenText(text, KINDS[config.how]))
        spent = time.perf_counter() - meter.began
        status: Status = "failed" if error else "partial" if partial else "complete"
        return Rewrites(texts, status, usage, spent, error=error)
